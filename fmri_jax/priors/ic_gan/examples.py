"""Features of photographs, and their latents or neighbours, on which generators are trained."""

import functools
from typing import Any

import numpy as np

from fmri_jax.networks.biggan_config import BigGANConfig
from fmri_jax.priors.autoencoder.examples import kept_latents, named_autoencoder
from fmri_jax.priors.diffusion.objective import prepared
from fmri_jax.priors.examples import Examples, Source, kept_features
from fmri_jax.priors.ic_gan.neighbours import nearest
from fmri_jax.priors.ic_gan.prior import raw_features, unit_length
from fmri_jax.priors.training import mirrored

NEIGHBOURS = 50  # of an instance, as Casanova et al. (2021) have it for ImageNet


def make(source: Source) -> Examples:
    """Computes features and what else a generator needs, or reads what was kept.

    Raises:
        InputError: an autoencoder is missing or of other sizes, or a network's weights are.
    """
    training, held_out = (
        unit_length(_features(source, part, name))
        for part, name in ((source.data.training, "training"), (source.data.held_out, "held_out"))
    )
    mean, std = training.mean(axis=0), training.std(axis=0) + np.float32(1e-6)
    if isinstance(source.config.generator, BigGANConfig):
        # Spectral normalisation bounds what a layer gives by the length of what it takes.
        std *= np.float32(len(std) ** 0.5)
    finish = functools.partial(_finished, mean=mean, std=std)
    scaled = [((rows - mean) / std).astype(np.float16) for rows in (training, held_out)]
    if isinstance(source.config.generator, BigGANConfig):
        examples = {
            "photographs": source.data.training,
            "features": scaled[0],
            "neighbours": nearest(training, NEIGHBOURS),
        }
        tested = {
            "images": source.data.held_out.astype(np.float32) / 255,
            "features": scaled[1].astype(np.float32),
        }
        return Examples(examples, tested, mirrored, finish)
    autoencoder = named_autoencoder(source.autoencoder, source.config)
    latents = [
        kept_latents(source, name, part, autoencoder)
        for part, name in ((source.data.training, "training"), (source.data.held_out, "held_out"))
    ]
    examples = {"latents": latents[0], "features": scaled[0]}
    tested = {"latents": latents[1][:, 0], "features": scaled[1]}
    tested = {name: array.astype(np.float32) for name, array in tested.items()}

    def with_autoencoder(params: Any) -> Any:
        return {**finish(params), "autoencoder": autoencoder.params}

    return Examples(examples, tested, prepared, with_autoencoder)


def _features(source: Source, photographs: np.ndarray, name: str) -> np.ndarray:
    """(n, features) as the network gives them."""
    config = source.config
    network = (config.network, config.layer, config.preprocessing)
    compute = functools.partial(raw_features, config)
    found = kept_features(source, name, photographs, network, compute)
    return found.reshape(len(found), -1).astype(np.float32)


def _finished(params: Any, mean: np.ndarray, std: np.ndarray) -> Any:
    """Parameters that take features as they are, of some that took them in units of their spread.

    Every network takes them through a dense layer of the name "features", which absorbs the
    change: it is linear.
    """

    def absorbed(network: Any) -> Any:
        layer = network["features"]
        kernel = np.asarray(layer["kernel"]) / std[:, None]
        return {
            **network,
            "features": {"kernel": kernel, "bias": np.asarray(layer["bias"]) - mean @ kernel},
        }

    return {
        part: absorbed(network) if "features" in network else network
        for part, network in params.items()
    }
