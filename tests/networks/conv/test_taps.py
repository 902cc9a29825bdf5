"""Convolutions of images smaller than their kernel equal PyTorch's, with the gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.networks.alexnet import AlexNet
from fmri_jax.networks.conv import dispatch, taps
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


@pytest.mark.parametrize(
    ("size", "height", "width", "padding"),
    [
        (3, 1, 1, 1),
        (3, 2, 2, 2),
        (3, 2, 1, 1),
        (5, 4, 4, 2),
        (5, 1, 1, 3),
        (2, 1, 1, 1),
    ],
)
def test_a_product_a_tap_is_the_convolution(size, height, width, padding):
    x, kernel = random(0, 2, height, width, 66), random(1, size, size, 66, 64)
    assert taps.pays(x, kernel.shape, 1, padding)
    *ours, direction = output_and_gradients(
        lambda x, k: dispatch.conv(x, k, 1, padding, "cpu"), x, kernel
    )
    theirs = torch_output_and_gradients(
        lambda x, k: torch.nn.functional.conv2d(x, k.permute(3, 2, 0, 1), padding=padding),
        *(array.astype(np.float64) for array in (x, kernel, direction)),
    )
    for found, expected in zip(ours, theirs, strict=True):
        close(found, expected, 3e-6)


def test_batches_split_over_devices_give_the_same_gradients():
    x, kernel = jnp.asarray(random(0, 4, 2, 2, 64)), jnp.asarray(random(1, 3, 3, 64, 64))
    assert taps.pays(x, kernel.shape, 1, 1)
    gradients = gradients_of_squares(lambda x, kernel: dispatch.conv(x, kernel, 1, 1, "cpu"))
    agree_when_split(gradients, x, kernel)


def test_larger_images_few_channels_strides_and_half_precision_are_left_alone():
    x, shape = np.zeros((2, 2, 2, 64), np.float32), (3, 3, 64, 64)
    assert taps.pays(x, shape, 1, 1)
    assert not taps.pays(np.zeros((2, 2, 3, 64), np.float32), shape, 1, 1)
    assert not taps.pays(x, (3, 3, 64, 63), 1, 1)
    assert not taps.pays(x, (1, 1, 64, 64), 1, 0)
    assert not taps.pays(x, shape, 2, 1)
    assert not taps.pays(x.astype(jnp.bfloat16), shape, 1, 1)
    assert not taps.pays(x, shape, 1, 0)  # the kernel does not fit


def test_the_last_convolutions_of_a_small_comparator_take_this_form():
    """At 48 px conv3 to conv5 see 2 x 2 pixels: three passes of conv1 and of conv2 remain."""
    network, images = AlexNet(), jnp.zeros((2, 48, 48, 3))
    params = jax.eval_shape(network.init, jax.random.key(0), images)

    def gradient(params, images):
        return jax.grad(lambda x: network.apply(params, x)["relu5"].sum())(images)

    jaxpr = str(jax.make_jaxpr(gradient)(params, images))
    assert jaxpr.count("conv_general_dilated") == 3 * 2
