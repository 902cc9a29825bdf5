"""The networks of deep image reconstruction as Caffe's users published them.

References:
    Caffe's model zoo; Simonyan & Zisserman's gist 3785162f95cd2d5fee77; the collection
    brain-decoding-cookbook (figshare article 21564384), which holds VGG19 for PyTorch.
"""

import functools

import numpy as np

from fmri_jax.download import FIGSHARE
from fmri_jax.networks import VGG19, BVLCAlexNet, CaffeNet
from fmri_jax.networks.dense import UNITS
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.caffemodel import load_caffemodel
from fmri_jax.pretrained.numbered_layers import numbered, vgg_convolutions
from fmri_jax.pretrained.rules import Rule
from fmri_jax.pretrained.sources import Publication, Weights
from fmri_jax.pretrained.unpickle import load_torch

BERKELEY = "http://dl.caffe.berkeleyvision.org"
OXFORD = "http://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe"

# The first row of torchvision's VGG19, which has the same names and shapes as Caffe's for PyTorch.
_TORCHVISION = (-5.3474e-02, -4.9257e-02, -6.7942e-02)


def _not_torchvision(kernel: np.ndarray) -> np.ndarray:
    """conv1_1 of VGG19, unless it is torchvision's."""
    if np.allclose(kernel[0, 0, 0], _TORCHVISION, atol=1e-6):
        raise ValueError("these are torchvision's weights, for other units of the pixels")
    return rules.from_oihw(kernel)


def caffemodel(address: str, sha1: str, dense: bool) -> Publication:
    """A `.caffemodel`: OIHW kernels whose first layer sees BGR.

    Args:
        address: where it is published.
        sha1: its checksum.
        dense: whether fc6, fc7 and fc8 are read, or left out.
    """
    fully_connected = (
        Rule(r"(fc\d)/0", r"\1/kernel", rules.inner_product),
        Rule(r"(fc\d)/1", r"\1/bias", rules.vector),
    )
    return Publication(
        origin=address,
        checksum=sha1,
        algorithm="sha1",
        read=load_caffemodel,
        rules=(
            Rule(r"(conv[\d_]+)/0", r"\1/kernel", rules.from_oihw),
            Rule(r"(conv[\d_]+)/1", r"\1/bias", rules.vector),  # (1, 1, 1, out) before 2014
            *(fully_connected if dense else (Rule(r"fc\d/\d", None),)),
        ),
    )


_CAFFENET = f"{BERKELEY}/bvlc_reference_caffenet.caffemodel"
_CAFFENET_SHA1 = "4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46"
_BVLC_ALEXNET = f"{BERKELEY}/bvlc_alexnet.caffemodel"
_BVLC_ALEXNET_SHA1 = "9116a64c0fbe4459d18f4bb6b56d647b63920377"
_VGG19_SHA1 = "239785e7862442717d831f682bb824055e51e9ba"

_COOKBOOK_VGG19 = Publication(
    origin=f"{FIGSHARE}38225868",
    checksum="49f4d6dbf1024f33149352dfd309dc4d",
    algorithm="md5",
    read=load_torch,
    rules=(
        Rule(r"features\.0\.weight", "conv1_1/kernel", _not_torchvision),
        *numbered(vgg_convolutions(VGG19.convolutions), dense=(0, 3, 6)),
    ),
    file_name="VGG_ILSVRC_19_layers.zip",
    member=r"(.*/)?VGG_ILSVRC_19_layers\.pt",
)

CAFFE_NETWORKS = {
    "caffenet": Weights(
        what="CaffeNet's five convolutions, trained on ImageNet: the published comparator",
        shapes=functools.partial(rules.shapes, CaffeNet(), (227, 227, 3)),
        publications=(caffemodel(_CAFFENET, _CAFFENET_SHA1, dense=False),),
    ),
    "caffenet_dense": Weights(
        what="CaffeNet with its fully connected layers",
        shapes=functools.partial(rules.shapes, CaffeNet(dense=UNITS), (227, 227, 3)),
        publications=(caffemodel(_CAFFENET, _CAFFENET_SHA1, dense=True),),
    ),
    "bvlc_alexnet": Weights(
        what="Caffe's AlexNet with its fully connected layers, trained on ImageNet",
        shapes=functools.partial(rules.shapes, BVLCAlexNet(dense=UNITS), (227, 227, 3)),
        publications=(caffemodel(_BVLC_ALEXNET, _BVLC_ALEXNET_SHA1, dense=True),),
    ),
    "vgg19": Weights(
        what="VGG19 with its fully connected layers, of its authors, trained on ImageNet",
        shapes=functools.partial(rules.shapes, VGG19(dense=UNITS), (224, 224, 3)),
        publications=(
            _COOKBOOK_VGG19,
            caffemodel(f"{OXFORD}/VGG_ILSVRC_19_layers.caffemodel", _VGG19_SHA1, dense=True),
        ),
    ),
}
