"""The generators that Shen et al. (2019) released, ready to reconstruct.

    reconstructor = load_released("trainedmodel_sub-01/generator.caffemodel")
    images = reconstructor.reconstruct(fmri)

`examples/released_generator.py` goes from the published recording to pictures and scores.
"""

import pathlib

import jax.numpy as jnp

from fmri_jax.methods.gan.pixels import PixelScale
from fmri_jax.methods.gan.reconstructor import GANReconstructor
from fmri_jax.networks.caffenet import MEAN_BGR
from fmri_jax.pretrained.released_generator import load_generator


def load_released(path: str | pathlib.Path) -> GANReconstructor:
    """Reads a released generator.

    It was trained on responses of the visual cortex (`ROI_VC = 1`), z-scored by training mean and
    standard deviation; test responses are averages of 24 trials, z-scored in the same way and
    multiplied by 4.9, which `fmri_jax.data.preparation.folds` does by default. Training images were
    resized to 248 px and cropped to 227 at random: compare with the central 227 px.

    The authors stretch each picture between its darkest and its brightest value; here values keep
    their meaning and are cut at black and white.

    Args:
        path: a `generator.caffemodel` of figshare article 7916144.

    Returns:
        fMRI (n, voxels) -> RGB images (n, 227, 227, 3) in [0, 1].

    Raises:
        InputError: the file is missing, corrupt, or holds another network.
    """
    network, params = load_generator(path)
    scale = PixelScale(mean=jnp.asarray(MEAN_BGR[::-1]) / 255, deviation=jnp.full(3, 1 / 255))
    return GANReconstructor(params, scale, network)
