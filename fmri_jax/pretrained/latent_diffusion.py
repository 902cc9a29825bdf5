"""Published weights of latent diffusion: UNets, autoencoders, and folders of `diffusers`."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.networks.autoencoder_kl import KL_F8, AutoencoderKL, AutoencoderKLConfig
from fmri_jax.networks.unet import SD_1, VERSATILE, UNet, UNetConfig
from fmri_jax.pretrained import autoencoder_rules, rules, unet_rules
from fmri_jax.pretrained.rules import Rule, Shapes
from fmri_jax.pretrained.sources import Publication, Weights
from fmri_jax.pretrained.tensors import load_safetensors
from fmri_jax.pretrained.unpickle import load_torch

FILES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")


def unet_shapes(config: UNetConfig) -> Shapes:
    """Parameter name -> shape; nothing is computed."""
    import jax
    import jax.numpy as jnp

    def given(*shape: int) -> Any:
        return jax.ShapeDtypeStruct(shape, jnp.float32)

    side = 2 ** (len(config.channels) - 1)
    tokens = max(1, config.places)
    contexts = tuple(given(1, tokens, width) for width in config.contexts)
    latents = given(1, side, side, config.latent_channels)
    mixture = (1 / max(len(contexts), 1),) * len(contexts)
    return rules.traced_shapes(UNet(config), latents, given(1), contexts, mixture)


def autoencoder_shapes(config: AutoencoderKLConfig) -> Shapes:
    """Parameter name -> shape; nothing is computed."""
    side = config.reduction
    return rules.shapes(AutoencoderKL(config), (side, side, config.colours))


def load_unet(folder: str | pathlib.Path, config: UNetConfig) -> dict[str, Any]:
    """Parameters of a `UNet` from a folder of `diffusers`, such as Stable Diffusion's `unet`.

    Args:
        folder: holds `diffusion_pytorch_model.safetensors` or `.bin`.
        config: sizes that the file must have.

    Returns:
        Float32 parameters.

    Raises:
        InputError: there is no such file, or it is not of this network.
    """
    path = weights_file(folder)
    return _ported(
        read_tensors(path), unet_rules.diffusers_rules(config), unet_shapes(config), path
    )


def load_versatile_unet(folder: str | pathlib.Path, config: UNetConfig) -> dict[str, Any]:
    """The same of Versatile Diffusion for images from both contexts.

    Args:
        folder: a `diffusers` folder with `image_unet` and `text_unet` in it, of which the text
            flow gives the second context's transformers alone.
        config: with two contexts.

    Returns:
        Float32 parameters.

    Raises:
        InputError: a file is missing, or not of this network.
    """
    one = dataclasses.replace(config, contexts=config.contexts[:1])
    flows = (
        ("image_unet", unet_rules.diffusers_rules(one)),
        ("text_unet", unet_rules.text_flow_rules(config)),
    )
    everything: dict[str, np.ndarray] = {}
    found: list[Rule] = []
    for name, of_flow in flows:
        path = weights_file(pathlib.Path(folder) / name)
        everything |= {f"{name}.{key}": array for key, array in read_tensors(path).items()}
        found += [Rule(rf"{name}\.{r.pattern}", r.name, r.transform) for r in of_flow]
    return _ported(everything, found, unet_shapes(config), folder)


def load_autoencoder(folder: str | pathlib.Path, config: AutoencoderKLConfig) -> dict[str, Any]:
    """Parameters of an `AutoencoderKL` from a folder of `diffusers`, such as `vae`.

    Args:
        folder: holds `diffusion_pytorch_model.safetensors` or `.bin`.
        config: sizes that the file must have.

    Returns:
        Float32 parameters.

    Raises:
        InputError: there is no such file, or it is not of this network.
    """
    path = weights_file(folder)
    found = autoencoder_rules.diffusers_rules(config)
    return _ported(read_tensors(path), found, autoencoder_shapes(config), path)


def weights_file(folder: str | pathlib.Path) -> pathlib.Path:
    """The file of weights in a folder of `diffusers`.

    Raises:
        InputError: the folder holds none.
    """
    folder = pathlib.Path(folder)
    for name in FILES:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder} holds no weights: expected {' or '.join(FILES)} in it.")


def read_tensors(path: pathlib.Path) -> Mapping[str, np.ndarray]:
    """The arrays of a `.safetensors` or pickled file."""
    return load_safetensors(path) if path.suffix == ".safetensors" else load_torch(path)


def _ported(
    source: Mapping[str, np.ndarray], found: Any, shapes: Shapes, origin: object
) -> dict[str, Any]:
    return rules.unflatten(rules.port(source, found, shapes, origin))


_SD_1 = "https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/main/"
_VERSATILE = "https://huggingface.co/shi-labs/versatile-diffusion/resolve/main/pretrained_pth/"


def _of_diffusers(part: str, found: tuple[Rule, ...]) -> Publication:
    return Publication(
        origin=f"{_SD_1}{part}/{FILES[0]}",
        checksum="",
        read=load_safetensors,
        rules=found,
        file_name=f"stable-diffusion-v1-5-{part}.safetensors",
    )


def _original(file: str, found: tuple[Rule, ...]) -> Publication:
    read = load_safetensors if file.endswith(".safetensors") else load_torch
    return Publication(origin=file, checksum="", read=read, rules=found)


LATENT_DIFFUSION: dict[str, Weights] = {
    "sd1_unet": Weights(
        what="UNet of Stable Diffusion 1.5: latents from texts",
        shapes=functools.partial(unet_shapes, SD_1),
        publications=(
            _of_diffusers("unet", unet_rules.diffusers_rules(SD_1)),
            _original(f"{_SD_1}v1-5-pruned-emaonly.safetensors", unet_rules.original_rules(SD_1)),
        ),
    ),
    "sd1_autoencoder": Weights(
        what="autoencoder of Stable Diffusion 1.x and Versatile Diffusion (kl-f8)",
        shapes=functools.partial(autoencoder_shapes, KL_F8),
        publications=(
            _original(f"{_VERSATILE}kl-f8.pth", autoencoder_rules.original_rules()),
            _of_diffusers("vae", autoencoder_rules.diffusers_rules(KL_F8)),
            _original(
                f"{_SD_1}v1-5-pruned-emaonly.safetensors",
                autoencoder_rules.original_rules("first_stage_model."),
            ),
        ),
    ),
    "versatile_diffusion_unet": Weights(
        what="UNet of Versatile Diffusion: latents from an image's and a text's embeddings",
        shapes=functools.partial(unet_shapes, VERSATILE),
        publications=(
            _original(
                f"{_VERSATILE}vd-four-flow-v1-0-fp16-deprecated.pth",
                unet_rules.original_rules(VERSATILE),
            ),
            _original(
                f"{_VERSATILE}vd-four-flow-v1-0-fp16.pth", unet_rules.original_rules(VERSATILE)
            ),
        ),
    ),
}
