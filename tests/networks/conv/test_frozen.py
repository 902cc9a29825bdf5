"""Turned kernels change how an input gradient is computed, and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.networks import VGG16, AlexNet, CaffeNet
from fmri_jax.networks.conv import dispatch, toom_cook
from fmri_jax.networks.conv.frozen import turned, with_turned_kernels
from tests.networks.conv.layer_checks import close, random


@pytest.mark.parametrize(
    ("pixels", "channels", "size", "padding"),
    [(3, 64, 3, 1), (14, 64, 3, 1), (7, 16, 5, 2), (6, 3, 4, 0), (5, 2, 1, 0)],
)
def test_output_and_gradients_are_those_of_the_layer(pixels, channels, size, padding):
    x, kernel = random(0, 4, pixels, pixels, channels), random(1, size, size, channels, 70)

    def output_and_gradients(*turned_kernel):
        y, pull = jax.vjp(
            lambda x, k: dispatch.conv(x, k, 1, padding, "blocks", *turned_kernel), x, kernel
        )
        return y, *pull(random(2, *y.shape))

    found, expected = output_and_gradients(turned(kernel)), output_and_gradients()
    for ours, theirs in zip(found, expected, strict=True):
        close(ours, theirs)


def test_on_the_smallest_images_the_input_gradient_takes_toom_and_cooks_form(monkeypatch):
    """The plain gradient leaves images as low as the kernel to XLA (see `blocks`)."""
    monkeypatch.setattr(toom_cook, "FEWEST_PRODUCTS", 0)
    x, kernel = random(0, 4, 3, 3, 64), random(1, 3, 3, 64, 70)
    met = []
    convolve = toom_cook.convolve
    monkeypatch.setattr(
        toom_cook, "convolve", lambda x, k, padding: met.append(k.shape) or convolve(x, k, padding)
    )

    def image_gradient(*turned_kernel):
        y, pull = jax.vjp(lambda x: dispatch.conv(x, kernel, 1, 1, "blocks", *turned_kernel), x)
        return pull(random(2, *y.shape))[0]

    found = image_gradient(turned(kernel))
    assert met == [kernel.shape, (3, 3, 70, 64)]
    close(found, image_gradient(), 1e-5)


def test_a_strided_layer_does_not_use_them():
    x, kernel = random(0, 1, 9, 9, 3), random(1, 4, 4, 3, 2)

    def program(*turned_kernel):
        return str(
            jax.make_jaxpr(lambda x, k: dispatch.conv(x, k, 2, 1, "blocks", *turned_kernel))(
                x, kernel
            )
        )

    assert program(jnp.zeros((4, 4, 2, 3))) == program()


@pytest.mark.parametrize(("network", "pixels"), [(AlexNet(), 64), (CaffeNet(), 67), (VGG16(), 32)])
def test_networks_give_the_same_activations_and_image_gradient(network, pixels):
    """CaffeNet's layers have groups of channels."""
    x = np.random.default_rng(0).uniform(size=(2, pixels, pixels, 3)).astype(np.float32)
    shapes = jax.eval_shape(network.init, jax.random.key(0), x)["params"]
    leaves, tree = jax.tree.flatten(shapes)
    scaled = [
        random(i, *leaf.shape) / np.sqrt(np.prod(leaf.shape[:-1]) / 2)
        for i, leaf in enumerate(leaves)
    ]
    params = jax.tree.unflatten(tree, [jnp.asarray(leaf, jnp.float32) for leaf in scaled])

    def last_activation(params, x):
        return list(network.apply({"params": params}, x).values())[-1]

    @jax.jit
    def output_and_gradient(params):
        y, pull = jax.vjp(lambda x: last_activation(params, x), x)
        return y, pull(jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape))[0]

    prepared = with_turned_kernels(params)
    assert prepared.keys() == params.keys()
    for found, expected in zip(
        output_and_gradient(prepared), output_and_gradient(params), strict=True
    ):
        close(found, expected, 1e-4)
    used = jax.make_jaxpr(jax.grad(lambda x: last_activation(prepared, x).sum()))(x)
    assert str(used) != str(jax.make_jaxpr(jax.grad(lambda x: last_activation(params, x).sum()))(x))


def test_on_a_gpu_parameters_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    params = {"conv1": {"kernel": jnp.ones((3, 3, 2, 4)), "bias": jnp.zeros(4)}}
    assert with_turned_kernels(params) is params
