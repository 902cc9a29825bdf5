"""CaffeNet against PyTorch's own grouped convolution, ceiling pool and response normalisation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.networks import BVLCAlexNet, CaffeNet
from fmri_jax.networks.caffenet import local_response_norm, max_pool_rounded_up
from tests.networks import peers
from tests.networks.conv.layer_checks import close, random
from tests.networks.layer_table import layer_table
from tests.networks.random_params import random_params
from tests.peers import peer

torch = peer("torch")

POOLED, NORMALISED = (1, 2, 5), (1, 2)
ALL = (
    "conv1 relu1 pool1 norm1 conv2 relu2 pool2 norm2 conv3 relu3 conv4 relu4 conv5 relu5 pool5"
).split()


def in_pytorch(params, x, order=("pool", "norm")):
    """The prototxt's layers: x (n, 3, h, w) RGB in [0, 1] -> name -> activation."""
    layers = {
        "pool": torch.nn.MaxPool2d(3, 2, ceil_mode=True),
        "norm": torch.nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0),
    }
    activations = {}
    x = 255 * x.flip(1) - torch.tensor([104.0, 117.0, 123.0])[:, None, None]
    for i, (stride, padding, groups) in enumerate(
        [(4, 0, 1), (1, 2, 2), (1, 1, 1), (1, 1, 2), (1, 1, 2)], start=1
    ):
        layer = {name: torch.tensor(np.asarray(v)) for name, v in params[f"conv{i}"].items()}
        kernel = layer["kernel"].permute(3, 2, 0, 1)
        x = torch.nn.functional.conv2d(x, kernel, layer["bias"], stride, padding, groups=groups)
        activations[f"conv{i}"] = x
        x = activations[f"relu{i}"] = torch.relu(x)
        for step in order:
            if i in (POOLED if step == "pool" else NORMALISED):
                x = activations[f"{step}{i}"] = layers[step](x)
    return activations | peers.fully_connected(params, x)


def test_activations_and_input_gradients_equal_pytorch():
    """Sides that windows fill, 15 -> 7 -> 3 -> 1, and sides that cut them, 16 -> 8 -> 4 -> 2."""
    params = random_params(CaffeNet(), 67, 72, 3)
    x = np.random.default_rng(7).uniform(size=(2, 67, 72, 3)).astype(np.float32)
    image = peers.to_torch(x, gradient=True)
    theirs = in_pytorch(params, image)
    directions = {name: random(11, *peers.from_torch(y).shape) for name, y in theirs.items()}

    @jax.jit
    def ours_and_gradient(params, x, directions):
        ours, vjp = jax.vjp(lambda x: CaffeNet().apply({"params": params}, x), x)
        return ours, vjp(directions)[0]

    ours, gradient = ours_and_gradient(params, x, directions)
    peers.all_close(ours, theirs)
    total = sum((theirs[name] * peers.to_torch(directions[name])).sum() for name in theirs)
    (expected,) = torch.autograd.grad(total, image)
    close(gradient, peers.from_torch(expected), 1e-4)


def test_caffes_alexnet_with_its_fully_connected_layers_equals_pytorch():
    network = BVLCAlexNet(dense=(6, 5, 4), grid=2)
    params = random_params(network, 99, 99, 3)
    x = np.random.default_rng(7).uniform(size=(2, 99, 99, 3)).astype(np.float32)
    theirs = in_pytorch(params, peers.to_torch(x), order=("norm", "pool"))
    ours = jax.jit(network.apply)({"params": params}, x)
    peers.all_close(ours, theirs)
    assert list(theirs)[-5:] == "fc6 relu6 fc7 relu7 fc8".split()


def output_and_gradient(function, x, direction):
    """As one program: operation by operation each would be compiled by itself."""

    def both(x, direction):
        y, vjp = jax.vjp(function, x)
        return y, vjp(direction)[0]

    return jax.jit(both)(x, direction)


@pytest.mark.parametrize(("height", "width"), [(2, 3), (4, 5), (7, 8), (13, 6)])
def test_pooling_rounds_its_size_up_as_pytorchs_ceil_mode(height, width):
    x = random(0, 2, height, width, 3)
    image = peers.to_torch(x, gradient=True)
    expected = torch.nn.functional.max_pool2d(image, 3, 2, ceil_mode=True)
    direction = random(1, *peers.from_torch(expected).shape)
    y, found = output_and_gradient(max_pool_rounded_up, x, direction)
    close(y, peers.from_torch(expected))
    (gradient,) = torch.autograd.grad(expected, image, peers.to_torch(direction))
    close(found, peers.from_torch(gradient))


@pytest.mark.parametrize(("size", "alpha", "channels"), [(5, 1e-4, 12), (5, 0.5, 4), (3, 2.0, 6)])
def test_response_normalisation_equals_pytorch(size, alpha, channels):
    x = 10 * random(0, 2, 3, 4, channels)
    image = peers.to_torch(x, gradient=True)
    expected = torch.nn.functional.local_response_norm(image, size, alpha, 0.75, 1.0)
    direction = random(1, *x.shape)
    y, found = output_and_gradient(lambda x: local_response_norm(x, size, alpha), x, direction)
    close(y, peers.from_torch(expected))
    (gradient,) = torch.autograd.grad(expected, image, peers.to_torch(direction))
    close(found, peers.from_torch(gradient))


def test_sizes_and_parameters_are_the_published_ones():
    """The shapes that Caffe prints for bvlc_reference_caffenet, and its kernels' sizes."""
    example = jax.ShapeDtypeStruct((1, 227, 227, 3), jnp.float32)
    found, variables = jax.eval_shape(
        lambda x: CaffeNet().init_with_output(jax.random.key(0), x), example
    )
    shapes = {name: value.shape[1:] for name, value in found.items() if "conv" not in name}
    assert shapes == {
        "relu1": (55, 55, 96),
        "pool1": (27, 27, 96),
        "norm1": (27, 27, 96),
        "relu2": (27, 27, 256),
        "pool2": (13, 13, 256),
        "norm2": (13, 13, 256),
        "relu3": (13, 13, 384),
        "relu4": (13, 13, 384),
        "relu5": (13, 13, 256),
        "pool5": (6, 6, 256),
    }
    kernels = {name: layer["kernel"].shape for name, layer in variables["params"].items()}
    assert kernels == {
        "conv1": (11, 11, 3, 96),
        "conv2": (5, 5, 48, 256),
        "conv3": (3, 3, 256, 384),
        "conv4": (3, 3, 192, 384),
        "conv5": (3, 3, 192, 256),
    }
    table = layer_table(CaffeNet(), (227, 227, 3))
    assert sum(layer.parameters for layer in table) == 2_334_080


@pytest.mark.parametrize(
    ("size", "missing"), [(64, set()), (32, {"pool5"}), (11, {*ALL} - {"conv1", "relu1"})]
)
def test_small_images_leave_the_activations_that_fit(size, missing):
    def names(size):
        example = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
        network = CaffeNet()
        return set(
            jax.eval_shape(lambda x: network.init_with_output(jax.random.key(0), x)[0], example)
        )

    assert names(size) == {*ALL} - missing


@pytest.mark.parametrize("shape", [(10, 32, 3), (32, 32, 1)])
def test_what_does_not_fit_is_rejected(shape):
    example = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    with pytest.raises(InputError, match="expected RGB images of at least 11 x 11 pixels"):
        jax.eval_shape(lambda x: CaffeNet().init(jax.random.key(0), x), example)
