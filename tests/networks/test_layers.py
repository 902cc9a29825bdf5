"""All forms of every layer equal Flax's and PyTorch's, with the gradients."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from fmri_jax.networks import doubling, layers, library, winograd
from tests.networks import peers

# size, stride, padding, image: every shape that the networks use, and odd ones that they do not.
CONVOLUTIONS = [
    (11, 4, 2, 19),
    (7, 4, 0, 20),
    (7, 2, 0, 18),
    (5, 1, 2, 7),
    (5, 1, 0, 8),
    (3, 1, 1, 6),
    (3, 1, 0, 5),
    (3, 2, 0, 8),
    (3, 2, 1, 7),
    (2, 3, 0, 10),
    (1, 1, 0, 4),
    (3, 2, 0, 3),
    (7, 4, 0, 9),
]
TRANSPOSED = [(4, 2, 1, 4), (4, 2, 0, 3), (3, 2, 1, 4), (3, 1, 1, 5), (5, 3, 2, 3), (2, 3, 0, 3)]


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def close(found, expected, tolerance: float = 2e-5) -> None:
    expected = np.asarray(expected)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=tolerance * scale)


def output_and_gradients(function, x, kernel, seed=9):
    """The output, and the gradients of its inner product with a random array."""
    direction = random(seed, *jax.eval_shape(function, x, kernel).shape)

    @jax.jit
    def both(x, kernel, direction):
        y, pull = jax.vjp(function, x, kernel)
        return y, *pull(direction)

    return *both(x, kernel, direction), direction


def torch_output_and_gradients(function, x, kernel, direction, *static):
    x, kernel = peers.to_torch(x, gradient=True), torch.tensor(kernel, requires_grad=True)
    y = function(x, kernel, *static)
    x_gradient, kernel_gradient = torch.autograd.grad(y, (x, kernel), peers.to_torch(direction))
    return peers.from_torch(y), peers.from_torch(x_gradient), kernel_gradient.numpy()


@pytest.mark.parametrize("form", ["blocks", "library", "xla"])
@pytest.mark.parametrize(("size", "stride", "padding", "image"), CONVOLUTIONS)
def test_conv_equals_pytorch(form, size, stride, padding, image):
    x, kernel = random(0, 2, image, image + 1, 3), random(1, size, size, 3, 5)
    *ours, direction = output_and_gradients(
        lambda x, k: layers.conv(x, k, stride, padding, form), x, kernel
    )
    theirs = torch_output_and_gradients(peers.conv, x, kernel, direction, stride, padding)
    for found, expected in zip(ours, theirs, strict=True):
        close(found, expected)


def test_a_kernel_that_fits_once_is_a_matrix_product_in_all_three_passes():
    """The discriminator's last layer at 64 px, whose gradient XLA runs by a slow loop."""
    x, kernel = random(0, 2, 3, 4, 6), random(1, 3, 3, 6, 5)

    def passes(x, kernel):
        y, pull = jax.vjp(lambda x, k: layers.conv(x, k, 2, 0, "blocks"), x, kernel)
        return y, *pull(y)

    y, *_ = passes(x, kernel)
    jaxpr = str(jax.make_jaxpr(passes)(x, kernel))
    assert y.shape == (2, 1, 1, 5)
    assert jaxpr.count("dot_general") == 3
    assert "conv_general_dilated" not in jaxpr


@pytest.mark.parametrize("form", ["blocks", "library", "xla"])
@pytest.mark.parametrize(("size", "stride", "padding", "image"), TRANSPOSED)
def test_conv_transpose_equals_pytorch(form, size, stride, padding, image):
    x, kernel = random(0, 2, image, image + 1, 6), random(1, size, size, 6, 3)
    *ours, direction = output_and_gradients(
        lambda x, k: layers.conv_transpose(x, k, stride, padding, form), x, kernel
    )
    theirs = torch_output_and_gradients(peers.conv_transpose, x, kernel, direction, stride, padding)
    for found, expected in zip(ours, theirs, strict=True):
        close(found, expected)


@pytest.mark.parametrize("form", ["blocks", "library", "xla"])
def test_conv_transpose_equals_flax(form):
    x, kernel = random(0, 2, 5, 5, 6), random(1, 4, 4, 6, 3)
    flax = nn.ConvTranspose(3, (4, 4), (2, 2), padding="SAME", use_bias=False)
    *ours, _ = output_and_gradients(lambda x, k: layers.conv_transpose(x, k, form=form), x, kernel)
    *theirs, _ = output_and_gradients(
        lambda x, k: flax.apply({"params": {"kernel": k}}, x), x, kernel
    )
    for found, expected in zip(ours, theirs, strict=True):
        close(found, expected)


@pytest.mark.parametrize("form", ["blocks", "library", "xla"])
@pytest.mark.parametrize(
    ("size", "stride", "image"),
    [(3, 2, 7), (3, 2, 8), (2, 2, 5), (3, 1, 6), (2, 3, 9), (12, 5, 19)],
)
def test_max_pool_equals_pytorch_where_pixels_tie(form, size, stride, image):
    # Rounded and rectified, so that most windows hold their maximum several times.
    x = np.maximum(np.round(random(0, 2, image, image + 1, 4)), 0)
    y, pull = jax.vjp(lambda x: layers.max_pool(x, size, stride, form), jnp.asarray(x))
    direction = random(1, *y.shape)
    image_torch = peers.to_torch(x, gradient=True)
    y_torch = torch.nn.functional.max_pool2d(image_torch, size, stride)
    (expected,) = torch.autograd.grad(y_torch, image_torch, peers.to_torch(direction))
    close(y, peers.from_torch(y_torch))
    close(pull(jnp.asarray(direction))[0], peers.from_torch(expected))


@pytest.mark.parametrize("form", ["blocks", "library"])
@pytest.mark.parametrize(
    ("layer", "stride", "channels", "features"),
    [
        ("conv", 1, 16, 8),
        ("conv", 4, 3, 8),
        ("conv_transpose", 2, 16, 8),
        ("conv_transpose", 2, 16, 3),
    ],
)
def test_bfloat16_stays_near_float32_and_keeps_its_type(form, layer, stride, channels, features):
    x, kernel = random(0, 4, 8, 8, channels), random(1, 4, 4, channels, features)
    run = getattr(layers, layer)
    exact = run(jnp.asarray(x), jnp.asarray(kernel), stride, 1)
    y, pull = jax.vjp(
        lambda x, k: run(x, k, stride, 1, form),
        jnp.asarray(x, jnp.bfloat16),
        jnp.asarray(kernel, jnp.bfloat16),
    )
    assert {y.dtype, *(gradient.dtype for gradient in pull(y))} == {jnp.dtype(jnp.bfloat16)}
    close(y.astype(jnp.float32), exact, tolerance=0.02)


FEW = (1, 2, 4, 5)  # channels on the side of the image; up to four go into blocks


@pytest.mark.parametrize("channels", FEW)
def test_few_channels_in_blocks_equal_the_plain_layers(channels):
    x, kernel = random(0, 2, 13, 11, channels), random(1, 7, 7, channels, 6)
    small, taps = random(2, 2, 5, 4, 6), random(3, 4, 4, 6, channels)

    def strided(form):
        return lambda x, k: layers.conv(x, k, 4, 2, form)

    def doubled(form):
        return lambda x, k: layers.conv_transpose(x, k, 2, 1, form)

    for function, *arguments in ((strided, x, kernel), (doubled, small, taps)):
        ours, theirs = (output_and_gradients(function(f), *arguments) for f in ("library", "xla"))
        for found, expected in zip(ours, theirs, strict=True):
            close(found, expected)
    one_by_one = "window_strides=(1, 1)", "lhs_dilation=(1, 1)"
    for function, *arguments in ((strided, x, kernel), (doubled, small, taps)):
        jaxpr = str(jax.make_jaxpr(function("library"))(*arguments))
        assert all(mark in jaxpr for mark in one_by_one) == (channels <= library.FEW)


@pytest.mark.parametrize(
    ("width", "channels", "size", "padding"),
    [
        (12, 32, 5, 0),
        (13, 32, 5, 0),
        (7, 63, 3, 1),
        (8, 1, 3, 1),
        (5, 5, 2, 0),
        (6, 2, 4, 3),
        (3, 3, 1, 0),
    ],
)
def test_pairs_of_pixels_equal_the_plain_convolution(width, channels, size, padding):
    x, kernel = random(0, 2, 6, width, channels), random(1, size, size, channels, 5)

    def function(form):
        return lambda x, k: layers.conv(x, k, 1, padding, form)

    ours, theirs = (output_and_gradients(function(f), x, kernel) for f in ("library", "xla"))
    for found, expected in zip(ours, theirs, strict=True):
        close(found, expected)
    assert f"{2 * channels},10]" in str(jax.make_jaxpr(function("library"))(x, kernel))


def test_pairs_end_where_channels_fill_the_matrix_units():
    x, kernel = random(0, 1, 6, 6, library.ENOUGH), random(1, 3, 3, library.ENOUGH, 2)

    def program(form):
        return str(jax.make_jaxpr(lambda x, k: layers.conv(x, k, 1, 1, form))(x, kernel))

    assert program("library") == program("xla")


@pytest.mark.parametrize("layer", ["conv", "conv_transpose"])
def test_a_gpu_takes_the_form_of_its_library_by_itself(layer, monkeypatch):
    x, kernel = random(0, 1, 9, 9, 3), random(1, 4, 4, 3, 2)
    run = getattr(layers, layer)
    wanted = str(jax.make_jaxpr(lambda x, k: run(x, k, 2, 1, "library"))(x, kernel))
    assert wanted != str(jax.make_jaxpr(lambda x, k: run(x, k, 2, 1, "xla"))(x, kernel))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert wanted == str(jax.make_jaxpr(lambda x, k: run(x, k, 2, 1))(x, kernel))


def test_the_cpu_takes_the_block_form_by_itself():
    x, kernel = random(0, 1, 6, 6, 3), random(1, 4, 4, 3, 2)
    jaxpr = str(jax.make_jaxpr(layers.conv_transpose)(x, kernel))
    assert "lhs_dilation=(1, 1)" in jaxpr and "lhs_dilation=(2, 2)" not in jaxpr


def gradients_of_squares(layer):
    """The gradients of the sum of the squares of a layer's output."""
    return jax.grad(lambda x, kernel: jnp.sum(jnp.square(layer(x, kernel))), argnums=(0, 1))


def agree_when_split(gradients, x, kernel):
    """With the batch dealt over four devices, the same as on one."""
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split = jax.device_put(x, jax.NamedSharding(mesh, jax.P("data")))
    whole = jax.device_put(kernel, jax.NamedSharding(mesh, jax.P()))
    for found, expected in zip(jax.jit(gradients)(split, whole), gradients(x, kernel), strict=True):
        close(found, expected)


def test_batches_split_over_devices_give_the_same_gradients():
    x, kernel = jnp.asarray(random(0, 4, 9, 9, 3)), jnp.asarray(random(1, 3, 3, 3, 4))

    def gradients(x, kernel):
        def total(x, kernel):
            pooled = layers.max_pool(layers.conv(x, kernel, 2, 1, "blocks"), 3, 2, "blocks")
            return (layers.conv_transpose(pooled, jnp.swapaxes(kernel, 2, 3), 2, 1, "blocks")).sum()

        return jax.grad(total, argnums=(0, 1))(x, kernel)

    agree_when_split(gradients, x, kernel)


@pytest.fixture
def however_small(monkeypatch):
    monkeypatch.setattr(winograd, "FEWEST_PRODUCTS", 0)


@pytest.mark.parametrize(
    ("size", "image", "padding"),
    [(3, 8, 1), (3, 8, 0), (3, 7, 2), (2, 8, 0), (2, 8, 1), (2, 9, 1), (2, 10, 0)],
)
def test_winograd_is_the_plain_convolution_to_its_own_rounding(size, image, padding, however_small):
    """Every remainder of the tiles; against float64, the errors of both forms are alike."""
    x, kernel = random(0, 2, image, image + 1, 160), random(1, size, size, 160, 128)
    assert winograd.pays(x, kernel.shape, 1)

    def conv(x, kernel):
        return layers.conv(x, kernel, 1, padding, "blocks")

    *ours, direction = output_and_gradients(conv, x, kernel)
    theirs = torch_output_and_gradients(
        lambda x, k: torch.nn.functional.conv2d(x, k.permute(3, 2, 0, 1), padding=padding),
        *(array.astype(np.float64) for array in (x, kernel, direction)),
    )
    for found, expected in zip(ours, theirs, strict=True):
        close(found, expected, 3e-6)


@pytest.mark.parametrize("size", [3, 4])
def test_fewer_products_on_batches_split_over_devices_give_the_same_gradients(size, however_small):
    """3: a convolution, 4: a doubling."""
    x, kernel = jnp.asarray(random(0, 4, 7, 7, 128)), jnp.asarray(random(1, size, size, 128, 64))
    apply = layers.conv if size == 3 else layers.conv_transpose
    pays = winograd.pays(x, kernel.shape, 1) if size == 3 else doubling.pays(x, kernel, 2)
    assert pays
    gradients = gradients_of_squares(lambda x, kernel: apply(x, kernel, size // 2, 1, "blocks"))
    agree_when_split(gradients, x, kernel)


def test_winograd_is_left_alone_where_it_would_not_pay_or_not_be_exact(however_small):
    x, shape = np.zeros((2, 7, 7, 128), np.float32), (3, 3, 128, 64)
    assert winograd.pays(x, shape, 1)
    assert not winograd.pays(x, shape, 2)
    assert not winograd.pays(x, (5, 5, 128, 64), 1)
    assert not winograd.pays(x, (3, 3, 128, 63), 1)
    assert winograd.pays(x, (2, 2, 128, 128), 1)
    assert not winograd.pays(x, (2, 2, 128, 127), 1)
    assert not winograd.pays(x[:, -6:], shape, 1)
    assert not winograd.pays(x.astype(np.float16), shape, 1)


def test_winograd_is_left_alone_where_compiling_takes_longer_than_it_saves():
    """7 x 7 x 9 x 128 x 64 multiplications an image: 1 G is reached at 277 images."""
    x, shape = np.zeros((277, 7, 7, 128), np.float32), (3, 3, 128, 64)
    assert winograd.pays(x, shape, 1) and not winograd.pays(x[1:], shape, 1)


@pytest.mark.parametrize(
    ("size", "stride", "padding", "image"), [(4, 2, 1, 7), (4, 2, 0, 8), (6, 3, 2, 9), (2, 1, 0, 7)]
)
def test_doublings_are_transposed_convolutions_to_their_own_rounding(
    size, stride, padding, image, however_small
):
    x, kernel = random(0, 2, image, image + 1, 144), random(1, size, size, 144, 128)
    assert doubling.pays(x, kernel, stride)

    def enlarge(x, kernel):
        return layers.conv_transpose(x, kernel, stride, padding, "blocks")

    *ours, direction = output_and_gradients(enlarge, x, kernel)
    theirs = torch_output_and_gradients(
        peers.conv_transpose,
        *(array.astype(np.float64) for array in (x, kernel, direction)),
        stride,
        padding,
    )
    for found, expected in zip(ours, theirs, strict=True):
        close(found, expected, 3e-6)


def test_doublings_need_a_kernel_of_two_strides_and_enough_channels(however_small):
    x, kernel = random(0, 2, 8, 8, 128), random(1, 4, 4, 128, 32)
    assert doubling.pays(x, kernel, 2)
    assert not doubling.pays(x, kernel, 1) and not doubling.pays(x, kernel[:3, :3], 2)
    assert not doubling.pays(x, kernel[:, :, :127], 2)
    assert not doubling.pays(x, kernel[..., :31], 2)
