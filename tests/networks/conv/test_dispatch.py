"""All forms of every layer equal Flax's and PyTorch's, with the gradients."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.networks.conv import dispatch
from tests.networks import peers
from tests.networks.conv.layer_checks import (
    agree_when_split,
    close,
    output_and_gradients,
    random,
    torch_output_and_gradients,
)
from tests.peers import peer

torch = peer("torch")

FORMS = ("cpu", "gpu", "reference")

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


@pytest.mark.parametrize(
    ("form", "size", "stride", "padding", "image"),
    [
        *((form, *shape) for form in ("cpu", "gpu") for shape in CONVOLUTIONS),
        *(("reference", *shape) for shape in CONVOLUTIONS[::4]),
    ],
)
def test_conv_equals_pytorch(form, size, stride, padding, image):
    x, kernel = random(0, 2, image, image + 1, 3), random(1, size, size, 3, 5)
    *ours, direction = output_and_gradients(
        lambda x, k: dispatch.conv(x, k, stride, padding, form), x, kernel
    )
    theirs = torch_output_and_gradients(peers.conv, x, kernel, direction, stride, padding)
    for found, expected in zip(ours, theirs, strict=True):
        close(found, expected)


def test_a_kernel_that_fits_once_is_a_matrix_product_in_all_three_passes():
    """The discriminator's last layer at 64 px, whose gradient XLA runs by a slow loop."""
    x, kernel = random(0, 2, 3, 4, 6), random(1, 3, 3, 6, 5)

    def passes(x, kernel):
        y, vjp = jax.vjp(lambda x, k: dispatch.conv(x, k, 2, 0, "cpu"), x, kernel)
        return y, *vjp(y)

    y, *_ = passes(x, kernel)
    jaxpr = str(jax.make_jaxpr(passes)(x, kernel))
    assert y.shape == (2, 1, 1, 5)
    assert jaxpr.count("dot_general") == 3
    assert "conv_general_dilated" not in jaxpr


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("size", "stride", "padding", "image"), TRANSPOSED)
def test_conv_transpose_equals_pytorch(form, size, stride, padding, image):
    x, kernel = random(0, 2, image, image + 1, 6), random(1, size, size, 6, 3)
    *ours, direction = output_and_gradients(
        lambda x, k: dispatch.conv_transpose(x, k, stride, padding, form), x, kernel
    )
    theirs = torch_output_and_gradients(peers.conv_transpose, x, kernel, direction, stride, padding)
    for found, expected in zip(ours, theirs, strict=True):
        close(found, expected)


@pytest.mark.parametrize("form", FORMS)
def test_conv_transpose_equals_flax(form):
    x, kernel = random(0, 2, 5, 5, 6), random(1, 4, 4, 6, 3)
    flax = nn.ConvTranspose(3, (4, 4), (2, 2), padding="SAME", use_bias=False)
    *ours, _ = output_and_gradients(
        lambda x, k: dispatch.conv_transpose(x, k, form=form), x, kernel
    )
    *theirs, _ = output_and_gradients(
        lambda x, k: flax.apply({"params": {"kernel": k}}, x), x, kernel
    )
    for found, expected in zip(ours, theirs, strict=True):
        close(found, expected)


@pytest.mark.parametrize("form", ["cpu", "reference"])  # a GPU's is the CPU's
@pytest.mark.parametrize(
    ("size", "stride", "image"),
    [(3, 2, 7), (3, 2, 8), (2, 2, 5), (3, 1, 6), (2, 3, 9), (12, 5, 19)],
)
def test_max_pool_equals_pytorch_where_pixels_tie(form, size, stride, image):
    # Rounded and rectified, so that most windows hold their maximum several times.
    x = np.maximum(np.round(random(0, 2, image, image + 1, 4)), 0)
    pool = functools.partial(dispatch.max_pool, size=size, stride=stride, form=form)
    direction = random(1, *jax.eval_shape(pool, x).shape)
    y, gradient = jax.jit(lambda x, g: (pool(x), *jax.vjp(pool, x)[1](g)))(x, direction)
    image_torch = peers.to_torch(x, gradient=True)
    y_torch = torch.nn.functional.max_pool2d(image_torch, size, stride)
    (expected,) = torch.autograd.grad(y_torch, image_torch, peers.to_torch(direction))
    close(y, peers.from_torch(y_torch))
    close(gradient, peers.from_torch(expected))


@pytest.mark.parametrize("form", ["cpu", "gpu"])
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
    run = getattr(dispatch, layer)
    exact = run(x, kernel, stride, 1, "reference")

    @jax.jit
    def passes(x, kernel):
        y, vjp = jax.vjp(lambda x, k: run(x, k, stride, 1, form), x, kernel)
        return y, *vjp(y)

    y, *gradients = passes(jnp.asarray(x, jnp.bfloat16), jnp.asarray(kernel, jnp.bfloat16))
    assert {y.dtype, *(gradient.dtype for gradient in gradients)} == {jnp.dtype(jnp.bfloat16)}
    close(y.astype(jnp.float32), exact, tolerance=0.02)


def test_the_cpu_takes_its_form_by_itself():
    x, kernel = random(0, 1, 6, 6, 3), random(1, 4, 4, 3, 2)
    jaxpr = str(jax.make_jaxpr(dispatch.conv_transpose)(x, kernel))
    assert "lhs_dilation=(1, 1)" in jaxpr and "lhs_dilation=(2, 2)" not in jaxpr


def test_batches_split_over_devices_give_the_same_gradients():
    x, kernel = jnp.asarray(random(0, 4, 9, 9, 3)), jnp.asarray(random(1, 3, 3, 3, 4))

    def gradients(x, kernel):
        def total(x, kernel):
            pooled = dispatch.max_pool(dispatch.conv(x, kernel, 2, 1, "cpu"), 3, 2, "cpu")
            return (dispatch.conv_transpose(pooled, jnp.swapaxes(kernel, 2, 3), 2, 1, "cpu")).sum()

        return jax.grad(total, argnums=(0, 1))(x, kernel)

    agree_when_split(gradients, x, kernel)
