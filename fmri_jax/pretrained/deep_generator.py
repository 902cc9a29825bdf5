"""Weights of the deep generators of Dosovitskiy & Brox (2016), and the range of their inputs.

The authors' archive for Caffe, and the brain-decoding-cookbook's for PyTorch, which holds the same
arrays in the same layout (see `released_generator`, whose network was made after these).
"""

import pathlib
from typing import Any

import numpy as np

from fmri_jax.download import FIGSHARE
from fmri_jax.errors import InputError
from fmri_jax.networks import DeepGenerator
from fmri_jax.networks.dense import UNITS
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.caffemodel import load_caffemodel
from fmri_jax.pretrained.released_generator import generator_rules
from fmri_jax.pretrained.rules import Rule, Shapes
from fmri_jax.pretrained.sources import Publication, Weights
from fmri_jax.pretrained.unpickle import load_torch

FREIBURG = "https://lmb.informatik.uni-freiburg.de/resources/binaries"
RANGES = "https://github.com/Evolving-AI-Lab/synthesizing/tree/master/act_range/3x"

_TORCH_RULES = (
    *generator_rules(r"\.weight", r"\.bias"),
    Rule(r"(defc|deconv)\.\d+\..*", None),  # the same layers once more, by their place
)


def _shapes() -> Shapes:
    return rules.shapes(DeepGenerator(), (UNITS[0],))


def _weights(number: int) -> Weights:
    """The generator from CaffeNet's fc6 or fc7, after the ReLU."""
    return Weights(
        what=f"generator of images from CaffeNet's relu{number} (Dosovitskiy & Brox 2016)",
        shapes=_shapes,
        publications=(
            Publication(
                origin=f"{FIGSHARE}38361230",
                checksum="bf9d4de43782cb019de733ed7cf84926",
                algorithm="md5",
                read=load_torch,
                rules=_TORCH_RULES,
                file_name="bvlc_reference_caffenet_generator_ILSVRC2012_Training.zip",
                member=rf"(.*/)?generator_relu{number}\.pt",
            ),
            Publication(
                origin=f"{FREIBURG}/arxiv2016_alexnet_inversion_with_gans/release_deepsim_v0.zip",
                checksum="",
                read=load_caffemodel,
                rules=generator_rules(),
                member=rf"(.*/)?fc{number}/generator\.caffemodel",
            ),
        ),
    )


DEEP_GENERATORS = {f"generator_relu{number}": _weights(number) for number in (6, 7)}


def load_upper_bounds(path: str | pathlib.Path, units: int = UNITS[0]) -> np.ndarray:
    """Upper bounds of a generator's inputs, such as the published `act_range/3x/fc7.txt`.

    Args:
        path: numbers separated by blanks or line ends.
        units: how many are expected.

    Returns:
        (units,) float32; the lower bound is 0, as these features left a ReLU.

    Raises:
        InputError: the file is missing or holds something else.
    """
    path = pathlib.Path(path)
    try:
        bounds = np.array(path.read_text(encoding="utf-8").split(), np.float32)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as numbers ({error}): expected an act_range/3x file, as in "
            f"{RANGES}."
        ) from error
    if bounds.shape != (units,) or not (np.isfinite(bounds) & (bounds >= 0)).all():
        raise InputError(
            f"{path} holds {bounds.size} numbers from {bounds.min(initial=np.inf):g} to "
            f"{bounds.max(initial=-np.inf):g}: expected {units} that are not negative."
        )
    return bounds


def estimated_upper_bounds(features: Any) -> np.ndarray:
    """The same from features of training images, where the published file is not at hand.

    Nguyen et al. (2016) bound each unit by its mean and three standard deviations over images,
    rounded; so is this, but for the rounding. Three times the largest value would be far looser:
    the published bounds of relu7 average 3.4.

    Args:
        features: (images, units), after the ReLU, of CaffeNet at 227 px.

    Returns:
        (units,) float32.

    Raises:
        InputError: there are fewer than two images.
    """
    features = np.asarray(features)
    if features.ndim != 2 or len(features) < 2:
        raise InputError(
            f"features have shape {features.shape}: expected (images, units) of at least two."
        )
    bounds = features.mean(axis=0) + 3 * features.std(axis=0)
    return bounds.astype(np.float32)
