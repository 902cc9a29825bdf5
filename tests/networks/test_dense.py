"""VGG19 and AlexNet with fully connected layers, from PyTorch's own modules and files."""

import jax
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.networks import VGG16, VGG19, AlexNet, BVLCAlexNet, CaffeNet
from fmri_jax.networks.dense import UNITS
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.catalogue import CATALOGUE
from tests.networks import peers
from tests.networks.layer_table import layer_table
from tests.peers import peer

torch = peer("torch")

NETWORKS = {"alexnet_dense": AlexNet, "vgg19": VGG19}
# Convolutions (channels, kernel, stride, padding) of each block, which a max-pool ends.
VGG = [[(channels, 3, 1, 1)] * 4 for channels in (64, 128, 256, 512, 512)]
BLOCKS = {
    "alexnet_dense": [
        [(64, 11, 4, 2)],
        [(192, 5, 1, 2)],
        [(384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1)],
    ],
    "vgg19": [block[:n] for block, n in zip(VGG, (2, 2, 4, 4, 4), strict=True)],
}
SMALL = {"dense": (6, 5, 4), "grid": 2}
SIDES = {"alexnet_dense": 95, "vgg19": 64}  # leave 2 x 2 pixels in pool5


def in_torchvisions_layout(name):
    """The network as torchvision, and the cookbook for Caffe's weights, has it; names of modules.

    Every array is random, at He's scale; the last layers are small.
    """
    torch.manual_seed(0)
    alexnet, features, names, given = name == "alexnet_dense", [], [], 3
    for block, convolutions in enumerate(BLOCKS[name], start=1):
        for i, (channels, *how) in enumerate(convolutions, start=1):
            number = block + i - 1 if alexnet else f"{block}_{i}"
            features += [torch.nn.Conv2d(given, channels, *how), torch.nn.ReLU()]
            names += [f"conv{number}", f"relu{number}"]
            given = channels
        features.append(torch.nn.MaxPool2d(3 if alexnet else 2, 2))
        names.append(f"pool{number if alexnet else block}")
    six, seven, eight = SMALL["dense"]
    shapes = [(given * 4, six), (six, seven), (seven, eight)]
    fc6, fc7, fc8 = (torch.nn.Linear(*shape) for shape in shapes)
    relu, dropout = torch.nn.ReLU(), torch.nn.Dropout()
    dense = {"fc6": fc6, "fc7": fc7, "fc8": fc8, "relu6": relu, "relu7": relu, "-": dropout}
    order = "- fc6 relu6 - fc7 relu7 fc8" if alexnet else "fc6 relu6 - fc7 relu7 - fc8"
    names += order.split()
    model = torch.nn.Module()
    model.features = torch.nn.Sequential(*features)
    model.classifier = torch.nn.Sequential(*(dense[layer] for layer in order.split()))
    for array in model.parameters():
        torch.nn.init.normal_(array, std=np.sqrt(2 / max(1, array[0].numel())))
    return model.eval(), names


def activations(model, names, x):
    found, names = {}, iter(names)
    with torch.no_grad():
        for part in (model.features, model.classifier):
            for module in part:
                x = module(x)
                if (name := next(names)) != "-":
                    found[name] = x
            x = x.flatten(1)
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_equals_pytorchs_from_its_state_dict(name):
    model, names = in_torchvisions_layout(name)
    network, side = NETWORKS[name](**SMALL), SIDES[name]
    shapes = rules.shapes(network, (side, side, 3))
    state = {key: value.numpy() for key, value in model.state_dict().items()}
    ported = rules.port(state, CATALOGUE[name].publications[0].rules, shapes, name)
    x = np.random.default_rng(0).uniform(size=(2, side, side, 3)).astype(np.float32)
    given = peers.to_torch(x)
    if name == "vgg19":  # blue, green, red in 0..255
        given = 255 * given.flip(1) - torch.tensor([103.939, 116.779, 123.68])[:, None, None]
    else:
        mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
        given = (given - mean[:, None, None]) / deviation[:, None, None]
    ours = jax.jit(network.apply)({"params": rules.unflatten(ported)}, x)
    peers.all_close(ours, activations(model, names, given), 5e-5)


def test_vgg19_is_the_same_from_caffes_blobs():
    """Of the generation before 2014, whose shapes have four numbers."""
    model, names = in_torchvisions_layout("vgg19")
    shapes = rules.shapes(VGG19(**SMALL), (64, 64, 3))
    torchs, caffes = CATALOGUE["vgg19"].publications
    state = {key: value.numpy() for key, value in model.state_dict().items()}
    layers = [name for name in names if name.startswith(("conv", "fc"))]
    blobs = {}
    for layer, (weight, bias) in zip(
        layers, zip(*[iter(state.values())] * 2, strict=True), strict=True
    ):
        blobs[f"{layer}/0"] = weight if weight.ndim == 4 else weight[None, None]
        blobs[f"{layer}/1"] = bias[None, None, None]
    found = rules.port(blobs, caffes.rules, shapes, "caffe")
    expected = rules.port(state, torchs.rules, shapes, "torch")
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_torchvisions_vgg19_is_rejected():
    """The same names and shapes, but trained on other units of the pixels."""
    kernel = np.zeros((64, 3, 3, 3), np.float32)
    kernel[0, 0, 0] = -5.3474e-02, -4.9257e-02, -6.7942e-02  # as PyTorch prints it
    shapes = rules.shapes(VGG19(), (32, 32, 3))
    state = {"features.0.weight": kernel}
    with pytest.raises(InputError, match="torchvision's weights, for other units of the pixels"):
        rules.port(state, CATALOGUE["vgg19"].publications[0].rules, shapes, "vgg19-dcbb9e9d.pth")


def test_sizes_and_parameters_of_vgg19_are_the_published_ones():
    table = layer_table(VGG19(dense=UNITS), (224, 224, 3))
    assert len(table) == 19
    assert sum(np.prod(layer.output) for layer in table) == 14_861_288  # all before the ReLU
    assert sum(layer.parameters for layer in table) == 143_667_240
    by_name = {layer.name: layer.output for layer in table}
    assert by_name["conv5_4"] == (14, 14, 512) and by_name["fc6"] == (4096,)


@pytest.mark.parametrize(
    ("network", "side", "parameters"),
    [
        (AlexNet, 224, 61_100_840),
        (VGG16, 224, 138_357_544),
        (CaffeNet, 227, 60_965_224),
        (BVLCAlexNet, 227, 60_965_224),
    ],
)
def test_parameters_of_the_others_are_the_published_ones(network, side, parameters):
    table = layer_table(network(dense=UNITS), (side, side, 3))
    assert sum(layer.parameters for layer in table) == parameters
    assert [layer.output for layer in table[-3:]] == [(4096,), (4096,), (1000,)]


def test_fully_connected_layers_need_their_own_image_size():
    found = jax.eval_shape(
        lambda x: VGG19(dense=UNITS).init_with_output(jax.random.key(0), x)[0],
        jax.ShapeDtypeStruct((1, 64, 64, 3), np.float32),
    )
    assert "pool5" in found and not any(name.startswith("fc") for name in found)
