"""The refining network: PyTorch's numbers, and any size of image."""

import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.networks.refiner import Refiner
from tests.networks.conv.layer_checks import random
from tests.networks.peers import conv, from_torch, to_torch, torch
from tests.networks.random_params import random_params

NETWORK = Refiner(width=1 / 8)


@pytest.mark.parametrize("shape", [(16, 24, 3), (10, 10, 1)])
def test_it_equals_pytorch(shape):
    params = random_params(NETWORK, *shape)
    images = random(99, 2, *shape)
    ours = NETWORK.apply({"params": params}, jnp.asarray(images))
    theirs = from_torch(_peer(params, to_torch(images)))
    assert ours.shape == images.shape
    np.testing.assert_allclose(ours, theirs, atol=2e-5 * np.abs(theirs).max())
    assert np.abs(theirs - images).max() > 0.1


def _peer(params, image):
    functional = torch.nn.functional
    height, width = image.shape[2:]
    image = functional.pad(image, (0, -width % 8, 0, -height % 8), mode="replicate")

    def layer(x, name, stride=1, padding=1):
        kernel, bias = (torch.tensor(np.asarray(params[name][n])) for n in ("kernel", "bias"))
        return conv(x, kernel, stride, padding) + bias[:, None, None]

    def active(x, name, stride=1):
        return functional.leaky_relu(layer(x, name, stride), 0.2)

    half = active(image, "down0", 2)
    quarter = active(active(half, "down1", 2), "keep1")
    eighth = active(active(quarter, "down2", 2), "keep2")
    double = torch.nn.Upsample(scale_factor=2, mode="nearest")
    x = active(torch.cat([double(eighth), quarter], 1), "up2")
    x = active(torch.cat([double(x), half], 1), "up1")
    x = active(double(x), "up0")
    return (image + layer(torch.cat([x, image], 1), "last"))[:, :, :height, :width]
