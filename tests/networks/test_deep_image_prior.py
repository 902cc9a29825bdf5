"""The U-Net of a deep image prior against PyTorch's functions, on random parameters."""

import jax
import numpy as np
import pytest

from fmri_jax.networks import DeepImagePrior
from tests.networks import peers
from tests.networks.conv.layer_checks import close, random
from tests.networks.layer_table import layer_table
from tests.networks.random_params import random_params
from tests.peers import peer

torch = peer("torch")
functional = torch.nn.functional


def in_pytorch(params, x, levels, slope):
    """x (n, c, h, w): batch normalisation of each image by itself, as of batches of one."""

    def array(layer, name):
        return torch.tensor(np.asarray(params[layer][name]))

    def convolved(x, layer):
        x = functional.pad(x, (1, 1, 1, 1), mode="reflect")
        return functional.conv2d(
            x, array(layer, "kernel").permute(3, 2, 0, 1), array(layer, "bias")
        )

    def normalised(x, layer):
        arrays = array(layer, "scale"), array(layer, "bias")
        each = [functional.batch_norm(one[None], None, None, *arrays, training=True) for one in x]
        return torch.cat(each)

    kept = []
    for level in range(levels):
        x = functional.max_pool2d(x, 2) if level else x
        for i in (1, 2):
            x = normalised(convolved(x, f"down{level}_{i}"), f"norm{level}_{i}")
            x = functional.leaky_relu(x, slope)
        kept.append(x)
    for level in reversed(range(levels - 1)):
        x = functional.interpolate(x, kept[level].shape[2:], mode="bilinear")
        x = torch.cat([convolved(x, f"up{level}_0"), kept[level]], 1)
        for i in (1, 2):
            x = functional.leaky_relu(convolved(x, f"up{level}_{i}"), slope)
    kernel = array("final", "kernel").permute(3, 2, 0, 1)
    return torch.sigmoid(functional.conv2d(x, kernel, array("final", "bias")))


@pytest.mark.parametrize(
    ("shape", "levels", "slope"), [((16, 24, 3), 3, 0.0), ((13, 11, 2), 3, 0.2), ((7, 30, 3), 2, 0)]
)
def test_images_equal_pytorchs(shape, levels, slope):
    """Sides that halve evenly, odd ones, and an image too low for the last level."""
    network = DeepImagePrior(channels=(4, 6, 5), slope=slope)
    params = random_params(network, *shape)
    x = random(5, 2, *shape)
    ours = jax.jit(network.apply)({"params": params}, x)
    assert ours.shape == (2, *shape[:2], 3)
    close(ours, peers.from_torch(in_pytorch(params, peers.to_torch(x), levels, slope)))


def test_the_published_network():
    table = layer_table(DeepImagePrior(), (224, 224, 3))
    by_name = {layer.name: layer.output for layer in table}
    assert by_name["down4_2"] == (14, 14, 256) and by_name["up0_2"] == (224, 224, 16)
    assert by_name["final"] == (224, 224, 3)


def test_a_network_for_each_image_learns_it():
    """One program for all images: parameters are mapped over, noise is shared."""
    network, z = DeepImagePrior(channels=(4, 6)), random(0, 1, 8, 8, 3)
    targets = np.random.default_rng(1).uniform(size=(2, 1, 8, 8, 3)).astype(np.float32)
    one = random_params(network, 8, 8, 3)
    params = jax.tree.map(lambda array: np.stack([array, 0.9 * array]), one)

    @jax.jit
    @jax.value_and_grad
    def loss_and_gradient(params):
        made = jax.vmap(lambda p: network.apply({"params": p}, z))(params)
        return ((made - targets) ** 2).mean()

    losses = []
    for _ in range(4):
        loss, gradients = loss_and_gradient(params)
        params = jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients)
        losses.append(float(loss))
    assert losses == sorted(losses, reverse=True) and np.isfinite(losses).all()
