"""Photographs for an autoencoder, whose latents are brought to unit variance when it is trained."""

import dataclasses
from typing import Any

import numpy as np

from fmri_jax.priors import examples
from fmri_jax.priors.autoencoder.prior import AutoencoderPrior
from fmri_jax.priors.examples import Examples, Source

MOST = 2000  # photographs that the latents' mean and spread are computed of


def make(source: Source) -> Examples:
    """Photographs as for other priors; see `standardised`."""
    some = source.data.training[:MOST]

    def finish(params: Any) -> Any:
        return standardised(AutoencoderPrior(source.config, params), some).params

    return dataclasses.replace(examples.make(source), finish=finish)


def standardised(prior: AutoencoderPrior, photographs: np.ndarray) -> AutoencoderPrior:
    """The same autoencoder with latents of mean 0 and variance 1 in each channel.

    The maps that stand next to the latents are rescaled, so that reconstructions stay as they are
    and a diffusion model needs no statistics of its own.

    Args:
        prior: the autoencoder.
        photographs: (n, size, size, 3) that the statistics are of.
    """
    latents = prior.encode(photographs)
    mean, std = latents.mean(axis=(0, 1, 2)), latents.std(axis=(0, 1, 2))
    encoder, decoder = dict(prior.params["encoder"]), dict(prior.params["decoder"])
    moments, taken = encoder["moments"], decoder["latents"]
    ones, shift = np.ones_like(std), np.concatenate([-mean / std, -2 * np.log(std)])
    scale = np.concatenate([1 / std, ones])  # of means and of log-variances
    encoder["moments"] = {
        "kernel": moments["kernel"] * scale,
        "bias": moments["bias"] * scale + shift,
    }
    decoder["latents"] = {
        "kernel": std[:, None] * taken["kernel"],
        "bias": taken["bias"] + mean @ taken["kernel"],
    }
    return dataclasses.replace(prior, params={"encoder": encoder, "decoder": decoder})
