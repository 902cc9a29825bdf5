"""Features of photographs, and their latents or neighbours, on which generators are trained."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from fmri_jax import pretrained
from fmri_jax.networks.biggan_config import BigGANConfig
from fmri_jax.priors.autoencoder.examples import kept_latents, named_autoencoder
from fmri_jax.priors.examples import Examples, Source, kept_features
from fmri_jax.priors.ic_gan.linear_start import begin
from fmri_jax.priors.ic_gan.neighbours import nearest
from fmri_jax.priors.ic_gan.prior import raw_features, unit_length
from fmri_jax.priors.training import mirrored, one_side

NEIGHBOURS = 50  # of an instance, as Casanova et al. (2021) have it for ImageNet


def make(source: Source) -> Examples:
    """Computes features and what else a generator needs, or reads what was kept.

    Raises:
        InputError: an autoencoder is missing or of other sizes, or a network's weights are.
    """
    found = {name: _both_sides(source, name, part) for name, part in _parts(source).items()}
    mean, std = found["training"].mean((0, 1)), found["training"].std((0, 1)) + np.float32(1e-6)
    if isinstance(source.config.generator, BigGANConfig):
        # Spectral normalisation bounds what a layer gives by the length of what it takes.
        std *= np.float32(len(std) ** 0.5)
    finish = functools.partial(_finished, mean=mean, std=std)
    training, held_out = (((rows - mean) / std).astype(np.float16) for rows in found.values())
    if isinstance(source.config.generator, BigGANConfig):
        examples = {
            "photographs": source.data.training,
            "features": training[:, 0],
            "neighbours": nearest(found["training"][:, 0], NEIGHBOURS),
        }
        tested = {
            "images": source.data.held_out.astype(np.float32) / 255,
            "features": held_out[:, 0].astype(np.float32),
        }
        return Examples(examples, tested, mirrored, finish)
    return _of_latents(source, training, held_out, finish)


def _of_latents(
    source: Source, training: np.ndarray, held_out: np.ndarray, finish: Callable[[Any], Any]
) -> Examples:
    """Those of a generator of latents, given the features of images and of their mirror images."""
    autoencoder = named_autoencoder(source.autoencoder, source.config)
    latents, shown = (
        kept_latents(source, name, photographs, autoencoder)
        for name, photographs in _parts(source).items()
    )
    examples = {"latents": latents, "features": training}
    tested = {"latents": shown[:, 0], "features": held_out[:, 0]}
    tested = {name: array.astype(np.float32) for name, array in tested.items()}

    def with_autoencoder(params: Any) -> Any:
        return {**finish(params), "autoencoder": autoencoder.params}

    def start(params: Any) -> Any:
        return begin(params, source.config.generator, latents, training)

    fixed = None
    if source.objective.get("lpips_weight"):
        fixed = {
            "autoencoder": autoencoder.params,
            "alexnet": pretrained.load("alexnet"),
            "lpips_heads": pretrained.load("lpips_alexnet"),
        }
    return Examples(examples, tested, one_side_of_each, with_autoencoder, start, fixed)


def one_side_of_each(rows: Any, key: jax.Array) -> Any:
    """Of each photograph, it or its mirror image, in float32."""
    return jax.tree.map(lambda array: array.astype(np.float32), one_side(rows, key))


def _parts(source: Source) -> dict[str, np.ndarray]:
    return {"training": source.data.training, "held_out": source.data.held_out}


def _both_sides(source: Source, part: str, photographs: np.ndarray) -> np.ndarray:
    """(n, 2, features) of photographs and their mirror images, at unit length.

    A generator of pixels is told those of the photographs alone: (n, 1, features).
    """
    mirrors = [] if isinstance(source.config.generator, BigGANConfig) else [photographs[:, :, ::-1]]
    sides = [_features(source, images, part) for images in (photographs, *mirrors)]
    return np.stack([unit_length(rows) for rows in sides], axis=1)


def _features(source: Source, photographs: np.ndarray, name: str) -> np.ndarray:
    """(n, features) as the network gives them."""
    config = source.config
    network = (config.network, config.layer, config.preprocessing)
    compute = functools.partial(raw_features, config)
    found = kept_features(source, name, photographs, network, compute)
    return found.reshape(len(found), -1).astype(np.float32)


def _finished(params: Any, mean: np.ndarray, std: np.ndarray) -> Any:
    """Parameters that take features as they are, of some that took them in units of their spread.

    Every network takes them through dense layers of the name "features", which absorb the change:
    they are linear.
    """

    def absorbed(name: str, part: Any) -> Any:
        if name == "features":
            kernel = np.asarray(part["kernel"]) / std[:, None]
            return {"kernel": kernel, "bias": np.asarray(part["bias"]) - mean @ kernel}
        if not isinstance(part, dict):
            return part
        return {inner: absorbed(inner, value) for inner, value in part.items()}

    return absorbed("", params)
