"""The generators that Shen et al. (2019) released, as parameters of our generator.

Their network in Caffe's terms: three InnerProduct layers `defc7`, `defc6`, `defc5`, a Reshape to
(256, 4, 4), then nine Deconvolution layers. Those called `conv5_1`, `conv4_1`, `conv3_1` have
stride 1, where a transposed convolution is a convolution with the kernel flipped along both axes.
Caffe counts channels before rows and columns, and colours as blue, green, red; we count them last,
and as red, green, blue.

References:
    Shen, Dwivedi, Majima, Horikawa & Kamitani (2019), Front. Comput. Neurosci. 13:21; networks:
    figshare article 7916144, `generator.caffemodel` in `trainedmodel_sub-01.zip` to `sub-03.zip`.
"""

import pathlib
from typing import Any

import jax
import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.networks import Generator
from fmri_jax.networks.generator import GRID
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.caffemodel import load_caffemodel
from fmri_jax.pretrained.rules import Rule

ARTICLE = "https://figshare.com/articles/7916144"


def _rows_first(values: np.ndarray) -> np.ndarray:
    """Units (..., channels * rows * columns) -> (..., rows * columns * channels)."""
    grid = values.reshape(*values.shape[:-1], -1, GRID, GRID)
    return np.moveaxis(grid, -3, -1).reshape(values.shape)


def _last_dense(weight: np.ndarray) -> np.ndarray:
    return _rows_first(rules.inner_product(weight))


def _last_bias(bias: np.ndarray) -> np.ndarray:
    return _rows_first(rules.vector(bias))


def _deconvolution(kernel: np.ndarray) -> np.ndarray:
    """(in, out, h, w) -> (h, w, in, out), flipped along both axes."""
    return kernel[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)


def _to_rgb(kernel: np.ndarray) -> np.ndarray:
    return _deconvolution(kernel)[..., ::-1]


def _bias_to_rgb(bias: np.ndarray) -> np.ndarray:
    return rules.vector(bias)[::-1]


def generator_rules(weight: str = "/0", bias: str = "/1") -> tuple[Rule, ...]:
    """Rules for a generator in Caffe's layout; what follows a layer's name depends on the file."""
    return (
        Rule(rf"defc5{weight}", "fc5/kernel", _last_dense),
        Rule(rf"defc5{bias}", "fc5/bias", _last_bias),
        Rule(rf"de(fc\d){weight}", r"\1/kernel", rules.inner_product),
        Rule(rf"de(fc\d){bias}", r"\1/bias", rules.vector),
        Rule(rf"deconv0{weight}", "deconv0/kernel", _to_rgb),
        Rule(rf"deconv0{bias}", "deconv0/bias", _bias_to_rgb),
        Rule(rf"(deconv\d|conv\d_1){weight}", r"\1/kernel", _deconvolution),
        Rule(rf"(deconv\d|conv\d_1){bias}", r"\1/bias", rules.vector),
    )


def load_generator(path: str | pathlib.Path) -> tuple[Generator, dict[str, Any]]:
    """Reads a released generator.

    Args:
        path: a `generator.caffemodel` of figshare article 7916144.

    Returns:
        The network and its parameters. It takes as many voxels as the file's first layer, in the
        order of the columns `ROI_VC = 1` of the subject's `..._original_VC.h5`, and returns RGB
        images (n, 227, 227, 3) in steps of 1/255 around ImageNet's mean (123, 117, 104).

    Raises:
        InputError: the file is missing, corrupt, or holds another network.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(
            f"{path} is not a file: download a released generator from {ARTICLE}, unzip it, and "
            "give the path of its generator.caffemodel."
        )
    blobs = load_caffemodel(path)
    if "defc7/0" not in blobs or blobs["defc7/0"].ndim < 2:
        raise InputError(
            f"{path} has no layer defc7 with weights (out, in) but {', '.join(list(blobs)[:4])}: "
            f"expected a generator.caffemodel from {ARTICLE}."
        )
    hidden, voxels = blobs["defc7/0"].shape[-2:]
    network = Generator(image_size=227, hidden=hidden)
    arrays = rules.port(blobs, generator_rules(), rules.shapes(network, (voxels,)), path)
    return network, rules.unflatten(jax.device_put(arrays))
