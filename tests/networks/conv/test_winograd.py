"""Winograd's form of convolutions and of doublings is the plain layer to its own rounding."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from fmri_jax.networks.conv import dispatch, doubling, winograd
from tests.networks import peers
from tests.networks.conv.layer_checks import (
    agree_when_split,
    close,
    gradients_of_squares,
    output_and_gradients,
    random,
    torch_output_and_gradients,
)


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
        return dispatch.conv(x, kernel, 1, padding, "blocks")

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
    apply = dispatch.conv if size == 3 else dispatch.conv_transpose
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
        return dispatch.conv_transpose(x, kernel, stride, padding, "blocks")

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
