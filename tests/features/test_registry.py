"""The registry's entries: layers, least sizes, and preprocessing as torchvision does it."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax import networks
from fmri_jax.errors import InputError
from fmri_jax.features.registry import NETWORKS, find_network
from fmri_jax.pretrained.catalogue import CATALOGUE
from tests.peers import peer

torch = peer("torch")

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
# Name -> side, interpolation, and torchvision's normalisation, or the mean that is subtracted from
# Caffe's 0..255, blue first.
PUBLISHED = {
    "alexnet": (224, "bilinear", IMAGENET),
    "caffenet": (227, "bilinear", [104.0, 117.0, 123.0]),
    "bvlc_alexnet": (227, "bilinear", [104.0, 117.0, 123.0]),
    "vgg16": (224, "bilinear", IMAGENET),
    "vgg19": (224, "bilinear", [103.939, 116.779, 123.68]),
    "inception_v3": (299, "bilinear", ([0.5] * 3, [0.5] * 3)),
    "clip_vit_l14": (224, "bicubic", CLIP),
    "efficientnet_b1": (240, "bilinear", IMAGENET),
    "efficientnet_lite0": (224, "bilinear", ([127 / 255] * 3, [128 / 255] * 3)),
    "swav_resnet50": (224, "bilinear", IMAGENET),
}


class _Reached(Exception):
    """Raised in place of the first convolution; holds what it is given."""


def first_input(name, images):
    """What the network's first convolution sees; nothing after it is computed."""

    def stop(call, args, kwargs, context):
        if context.method_name == "__call__" and type(context.module).__name__ in FIRST:
            raise _Reached(args[0])
        return call(*args, **kwargs)

    network = NETWORKS[name]
    with nn.intercept_methods(stop), pytest.raises(_Reached) as reached:
        network.module().init(jax.random.key(0), network.preprocessing(images))
    return np.asarray(reached.value.args[0])


FIRST = ("Conv", "ConvNorm")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("shape", [(260, 300, 3), (90, 70, 1)])
def test_the_first_convolution_sees_what_torchvisions_transforms_give(
    name, shape, torchvision_models
):
    from torchvision.transforms.v2 import functional

    images = np.random.default_rng(0).random((1, *shape)).astype(np.float32)
    size, interpolation, normalisation = PUBLISHED[name]
    x = torch.tensor(images).permute(0, 3, 1, 2).expand(-1, 3, -1, -1)
    x = functional.resize(
        x, [size, size], functional.InterpolationMode(interpolation), antialias=True
    )
    if len(normalisation) == 2:
        x = functional.normalize(x, *normalisation)
    else:
        x = 255 * x.flip(1) - torch.tensor(normalisation)[:, None, None]
    expected = x.permute(0, 2, 3, 1).numpy()
    found = first_input(name, jnp.asarray(images))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def names_at(network, height, width):
    """The layers that images of this size have, in the network's order; nothing is computed."""
    names, module = [], network.module(dense=bool(network.dense))

    def run(x):
        found = module.init_with_output(jax.random.key(0), x)[0]
        names.extend(found)

    jax.eval_shape(run, jax.ShapeDtypeStruct((1, height, width, 3), jnp.float32))
    return tuple(names)


LAYERED = ["alexnet", "caffenet", "bvlc_alexnet", "vgg16", "vgg19"]


@pytest.mark.parametrize("name", [*LAYERED, "efficientnet_lite0"])
def test_layers_are_those_of_the_network_at_its_own_size(name):
    network = NETWORKS[name]
    size = network.preprocessing.size
    assert names_at(network, size, size) == network.layers


def test_every_entry_has_its_module_and_its_weights():
    for name, network in NETWORKS.items():
        assert name in CATALOGUE and hasattr(networks, network.module_name)
        assert not network.dense or network.dense_weights in CATALOGUE


@pytest.mark.parametrize("name", LAYERED)
def test_the_last_convolution_sees_something_from_the_least_size(name):
    network = NETWORKS[name]
    last = [layer for layer in network.layers if layer.startswith("conv")][-1]
    assert last in names_at(network, network.least, network.least + 9)
    assert last not in names_at(network, network.least - 1, network.least + 9)


def test_a_layer_that_is_not_there_is_named_with_those_that_are():
    network = NETWORKS["alexnet"]
    with pytest.raises(InputError, match="AlexNet has no layer 'relu9': choose among conv1, relu1"):
        network.check(("relu1", "relu9"))
    with pytest.raises(InputError, match="'pool5' at this image size: .* or give larger images"):
        network.check(("pool5",), among=("relu1",))


def test_an_unknown_network_is_named_with_the_closest():
    with pytest.raises(InputError, match="'vgg91' is not a known feature network: .* 'vgg19'"):
        find_network("vgg91")
    assert find_network("vgg19") is NETWORKS["vgg19"]
