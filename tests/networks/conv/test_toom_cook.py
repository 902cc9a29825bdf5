"""Convolutions with fewer products along rows equal PyTorch's in float64, with the gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from fmri_jax.networks.conv import cpu, dispatch, toom_cook
from tests.networks import peers
from tests.networks.conv.layer_checks import (
    agree_when_split,
    close,
    gradients_of_squares,
    output_and_gradients,
    random,
    torch_output_and_gradients,
)
from tests.peers import peer

torch = peer("torch")


@pytest.fixture
def however_small(monkeypatch):
    monkeypatch.setattr(toom_cook, "FEWEST_PRODUCTS", 0)
    monkeypatch.setattr(cpu, "FEWEST_PIXELS", 0)


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("new", [2, 3, 4])
def test_the_transforms_are_the_correlation_exactly(size, new):
    at_outputs, at_kernel, at_inputs = toom_cook._transforms(new, size)
    inputs, kernel = random(0, new + size - 1).astype(float), random(1, size).astype(float)
    found = at_outputs @ ((at_kernel @ kernel) * (at_inputs @ inputs))
    expected = scipy.signal.correlate(inputs, kernel, "valid")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("size", "height", "width", "padding"),
    [
        (3, 3, 3, 1),  # one tile of three rows
        (3, 3, 5, 0),  # a single row of output
        (3, 13, 6, 2),
        (5, 7, 7, 2),
        (5, 5, 6, 0),
        (5, 10, 7, 4),
    ],
)
def test_fewer_products_are_the_plain_convolution(size, height, width, padding, however_small):
    fewest = toom_cook.FEWEST_CHANNELS[size]
    x = random(0, 2, height, width, fewest + 2)
    kernel = random(1, size, size, fewest + 2, fewest)
    assert toom_cook.pays(x, kernel.shape, 1)
    *ours, direction = output_and_gradients(
        lambda x, k: dispatch.conv(x, k, 1, padding, "cpu"), x, kernel
    )
    theirs = torch_output_and_gradients(
        lambda x, k: torch.nn.functional.conv2d(x, k.permute(3, 2, 0, 1), padding=padding),
        *(array.astype(np.float64) for array in (x, kernel, direction)),
    )
    for found, expected in zip(ours, theirs, strict=True):
        close(found, expected, 8e-6)


@pytest.mark.parametrize(("size", "rows", "products"), [(5, 27, 56), (5, 52, 104), (3, 6, 10)])
def test_products_are_with_kernels_of_one_row_in_both_passes(size, rows, products, however_small):
    """So many rows are convolved: 56 instead of 27 x 5."""
    x, kernel = jnp.zeros((1, rows, 6, 64)), jnp.zeros((size, size, 64, 64))
    y = jax.ShapeDtypeStruct(x.shape, x.dtype)
    new = toom_cook._outputs(rows, size)
    assert -(-rows // new) * (new + size - 1) == products
    shape = (rows, 6)
    for run in (
        lambda x, k: cpu.forward(x, k, 1, size // 2),
        lambda g, k: cpu.input_gradient(g, k, 1, size // 2, shape),
    ):
        jaxpr = jax.make_jaxpr(run)(y, kernel)
        sizes = [
            equation.invars[1].aval.shape[:2]
            for equation in jaxpr.eqns
            if equation.primitive.name == "conv_general_dilated"
        ]
        assert sizes == [(1, size)] * (new + size - 1)


def test_kernel_gradients_are_left_as_they_were(however_small, monkeypatch):
    x, g = jnp.zeros((1, 9, 9, 32)), jnp.zeros((1, 9, 9, 32))

    def gradient(x, g):
        return cpu.kernel_gradient(x, g, 1, 2, 5)

    found = str(jax.make_jaxpr(gradient)(x, g))
    monkeypatch.setattr(toom_cook, "pays", lambda *_: False)
    assert found == str(jax.make_jaxpr(gradient)(x, g))


@pytest.mark.parametrize(("rows", "padding"), [(6, 1), (7, 0), (8, 1)])
def test_doublings_are_transposed_convolutions(rows, padding, however_small):
    x, kernel = random(0, 2, rows, 5, 130), random(1, 4, 4, 130, 32)
    blocks_shape = (2, 2, 130, 128)
    assert toom_cook.pays(x, blocks_shape, 1)
    *ours, direction = output_and_gradients(
        lambda x, k: dispatch.conv_transpose(x, k, 2, padding, "cpu"), x, kernel
    )
    theirs = torch_output_and_gradients(
        peers.conv_transpose,
        *(array.astype(np.float64) for array in (x, kernel, direction)),
        2,
        padding,
    )
    for found, expected in zip(ours, theirs, strict=True):
        close(found, expected, 8e-6)


def test_images_as_low_as_their_kernel_keep_their_input_gradient(however_small):
    def primitives(height):
        g = jnp.zeros((1, height, 4, 64))
        jaxpr = jax.make_jaxpr(lambda g, k: cpu.input_gradient(g, k, 1, 1, (height, 4)))
        return str(jaxpr(g, jnp.zeros((3, 3, 64, 64)))).count("conv_general_dilated")

    assert (primitives(3), primitives(4)) == (1, 6)


def test_few_pixels_keep_their_input_gradient():
    def primitives(batch):
        g = jnp.zeros((batch, 8, 8, 512))
        jaxpr = jax.make_jaxpr(lambda g, k: cpu.input_gradient(g, k, 1, 1, (8, 8)))
        return str(jaxpr(g, jnp.zeros((3, 3, 512, 512)))).count("conv_general_dilated")

    assert (primitives(16), primitives(32)) == (1, 6)


def test_batches_split_over_devices_give_the_same_gradients(however_small):
    x, kernel = jnp.asarray(random(0, 4, 6, 6, 16)), jnp.asarray(random(1, 5, 5, 16, 16))
    assert toom_cook.pays(x, kernel.shape, 1)
    gradients = gradients_of_squares(lambda x, kernel: dispatch.conv(x, kernel, 1, 2, "cpu"))
    agree_when_split(gradients, x, kernel)


def test_few_channels_other_kernels_strides_and_half_precision_are_left_alone(however_small):
    x, shape = np.zeros((2, 6, 6, 16), np.float32), (5, 5, 16, 16)
    assert toom_cook.pays(x, shape, 1)
    assert not toom_cook.pays(x, shape, 2)
    for size, fewest in ((5, 16), (3, 64), (2, 128)):
        assert toom_cook.pays(x, (size, size, fewest, fewest), 1)
        assert not toom_cook.pays(x, (size, size, fewest, fewest - 1), 1)
    assert not toom_cook.pays(x, (4, 4, 128, 128), 1)
    assert not toom_cook.pays(x[:, 2:], shape, 1)
    assert not toom_cook.pays(x.astype(jnp.bfloat16), shape, 1)


def test_layers_with_few_multiplications_are_left_alone():
    """6 x 6 x 25 x 32 x 32 multiplications an image: 80 M are reached at 87 images."""
    x = np.zeros((87, 6, 6, 32), np.float32)
    assert toom_cook.pays(x, (5, 5, 32, 32), 1) and not toom_cook.pays(x[1:], (5, 5, 32, 32), 1)
