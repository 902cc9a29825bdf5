"""Photographs for an autoencoder, whose latents are brought to unit variance when it is trained."""

import dataclasses
from typing import Any

import numpy as np

from fmri_jax.errors import InputError
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
    moments = encoder["moments"]
    shift = np.concatenate([-mean / std, -2 * np.log(std)])
    scale = np.concatenate([1 / std, np.ones_like(std)])  # of means and of log-variances
    encoder["moments"] = {
        "kernel": moments["kernel"] * scale,
        "bias": moments["bias"] * scale + shift,
    }
    if "shortcut" in encoder:  # adds to the means
        encoder["shortcut"] = {name: x / std for name, x in encoder["shortcut"].items()}
    for name in ("latents", "shortcut"):
        if name in decoder:
            taken = decoder[name]
            decoder[name] = {
                "kernel": std[:, None] * taken["kernel"],
                "bias": taken["bias"] + mean @ taken["kernel"],
            }
    return dataclasses.replace(prior, params={"encoder": encoder, "decoder": decoder})


def named_autoencoder(name: str | None, config: Any) -> AutoencoderPrior:
    """The autoencoder that a prior of latents is trained on.

    Args:
        name: of a prior, or its folder.
        config: of the prior of latents, with `autoencoder` and `image_size`.

    Raises:
        InputError: none is named, or it is of other sizes.
    """
    from fmri_jax.priors.registry import load

    if name is None:
        raise InputError(
            "this prior needs an autoencoder: train one (fmri-jax prior train small_autoencoder "
            "--images ...) and name its folder with --autoencoder, or the package's own: "
            "--autoencoder small_latent_diffusion."
        )
    prior = load(name)
    found = prior if isinstance(prior, AutoencoderPrior) else getattr(prior, "autoencoder", None)
    expected = config.autoencoder, config.image_size
    if found is None or (found.config.autoencoder, found.config.image_size) != expected:
        raise InputError(
            f"--autoencoder {name} is no autoencoder of the sizes of this prior: "
            "train one with `fmri-jax prior train small_autoencoder`."
        )
    return found


def kept_latents(
    source: Source, part: str, photographs: np.ndarray, autoencoder: AutoencoderPrior
) -> np.ndarray:
    """Latents of photographs and of their mirror images, (n, 2, h, w, channels) float16.

    Args:
        source: holds the folder.
        part: "training" or "held_out".
        photographs: (n, size, size, 3) uint8.
        autoencoder: whose latents they are.
    """

    def both(rows: slice) -> np.ndarray:
        pair = (photographs[rows], photographs[rows, :, ::-1])
        return np.stack([autoencoder.encode(images) for images in pair], axis=1)

    label = f"{part}_latents_{autoencoder.fingerprint[:16]}_{examples.whose(photographs)}"
    n = len(photographs)
    return examples.kept(source.folder / "examples", label, n, both, source.progress)
