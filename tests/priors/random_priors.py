"""Small priors with random weights, kept as trained ones are."""

import dataclasses
import pathlib

import numpy as np

from fmri_jax.features.preprocessing import Preprocessing
from fmri_jax.networks.autoencoder_kl import AutoencoderKLConfig
from fmri_jax.networks.biggan_config import BigGANConfig
from fmri_jax.networks.latent_generator import LatentGeneratorConfig
from fmri_jax.networks.unet import UNetConfig
from fmri_jax.networks.vdvae import VDVAEConfig
from fmri_jax.pretrained.rules import unflatten
from fmri_jax.pretrained.vdvae import vdvae_shapes
from fmri_jax.priors import files
from fmri_jax.priors.diffusion.conditions import Condition
from fmri_jax.priors.diffusion.prior import LatentDiffusionConfig
from fmri_jax.priors.ic_gan.config import ICGANConfig
from fmri_jax.priors.ic_gan.prior import shapes as ic_gan_shapes
from tests.networks.conv.layer_checks import random

VDVAE = VDVAEConfig(
    encoder="4x1,4d4,1x1",
    decoder="1x1,4m1,4x1",
    width=16,
    widths=((4, 8),),
    latent_channels=2,
    mixtures=1,
    patch=2,
)
IMAGE = Condition("image", "efficientnet_lite0", "pooled", (1, 1280), projected=2, image_size=64)
TEXT = Condition("text", "minilm", "embedding", (1, 384), projected=1)
DIFFUSION = LatentDiffusionConfig(
    autoencoder=AutoencoderKLConfig(
        channels=(8, 8), blocks=1, attention=False, latent_channels=2, groups=4
    ),
    unet=UNetConfig(
        latent_channels=2,
        channels=(8, 16),
        attention=(False, True),
        blocks=1,
        middle="none",
        heads=2,
        contexts=(8,),
        groups=4,
    ),
    conditions=(IMAGE, TEXT),
    image_size=8,
    scale=1.3,
)
# Instances' features are those of a single convolution, which is compiled fast.
IC_GAN = ICGANConfig(
    BigGANConfig(32, 1, (), noise=9, features=576, feature_units=6),
    "alexnet",
    "pool1",
    Preprocessing(32),
    image_size=32,
)
LATENT_IC_GAN = ICGANConfig(
    LatentGeneratorConfig((8, 8, 2), 576, feature_units=6, noise=5, width=8, blocks=1),
    "alexnet",
    "pool1",
    Preprocessing(32),
    AutoencoderKLConfig(
        channels=(8,), blocks=1, attention=False, latent_channels=2, groups=4, patch=2
    ),
    image_size=16,
)


def random_arrays(shapes, seed: int = 0) -> dict[str, np.ndarray]:
    """None is 0 or 1; kernels at the scale at which activations keep theirs."""
    found = {}
    for i, (name, shape) in enumerate(shapes.items(), start=seed):
        drawn = random(i, *shape)
        size = np.prod(shape[:-1]) if len(shape) > 1 else 4
        found[name] = np.float32(drawn / size**0.5)
        if name.endswith(("scale", "std", "gain", "variance")):
            found[name] = np.abs(found[name]) + np.float32(0.5)
    return unflatten(found)


def kept_vdvae(folder: pathlib.Path, seed: int = 0) -> pathlib.Path:
    params = random_arrays(vdvae_shapes(VDVAE), seed)
    files.save(folder, "vdvae", dataclasses.asdict(VDVAE), params, {})
    return folder


def kept_diffusion(folder: pathlib.Path) -> pathlib.Path:
    params = random_arrays(DIFFUSION.shapes())
    files.save(folder, "latent_diffusion", dataclasses.asdict(DIFFUSION), params, {})
    return folder


def kept_ic_gan(folder: pathlib.Path, config: ICGANConfig = IC_GAN, seed: int = 0) -> pathlib.Path:
    params = random_arrays(ic_gan_shapes(config), seed)
    files.save(folder, "ic_gan", dataclasses.asdict(config), params, {})
    return folder
