"""How well a prior does on photographs that it has not seen.

Reconstructions are scored one by one, samples as a set: `evaluation.frechet` and
`evaluation.precision_recall` on features of EfficientNet-Lite0, beside as many real photographs.
"""

import functools
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np

from fmri_jax.arrays import as_images, in_blocks
from fmri_jax.evaluation import metrics
from fmri_jax.evaluation.frechet import frechet_distance
from fmri_jax.evaluation.precision_recall import precision_recall
from fmri_jax.features.extractor import Features
from fmri_jax.priors.photographs import Photographs
from fmri_jax.priors.training import Objective

TEMPERATURES = (1.0, 0.8, 0.6)
LEAST_FOR_SETS = 50  # photographs; distances of smaller sets say nothing
STEPS = 25  # of a diffusion model
BLOCK = 16  # images of the objective at a time
_LEAST_ERROR = 1e-10  # of an equal image: 100 dB


def of_prior(prior: Any, data: Photographs, key: jax.Array) -> dict[str, Any]:
    """All scores of a prior but for its loss.

    Args:
        prior: such as `vdvae.prior.VDVAEPrior`.
        data: the photographs.
        key: of the samples.

    Returns:
        As `of_reconstructions`, with "photographs", their number, and "sets", as `of_samples`,
        where EfficientNet-Lite0's weights are at hand and the photographs are enough.
    """
    n = len(data.held_out)
    found: dict[str, Any] = {"photographs": n, **of_reconstructions(prior, data.held_out)}
    if hasattr(prior, "truncation"):
        from fmri_jax.priors.ic_gan.variance import instance_shares

        found |= instance_shares(prior, data.held_out, jax.random.fold_in(key, 2))
    network = features() if len(data.training) >= n >= LEAST_FOR_SETS else None
    if network is not None:
        drawn = samples(prior, data.held_out, key)
        found["sets"] = of_samples(drawn, data.held_out, data.training[:n], network)
    return found


def psnr(targets: Any, reconstructions: Any) -> np.ndarray:
    """Peak signal-to-noise ratio, 10 log10(1 / mean squared error), (n,) dB, at most 100."""
    errors = np.mean((np.asarray(targets) - np.asarray(reconstructions)) ** 2, axis=(1, 2, 3))
    return -10 * np.log10(np.maximum(errors, _LEAST_ERROR))


def resolutions(prior: Any) -> dict[int, int]:
    """Height of latents -> how many blocks, from the first, have latents of at most that height.

    Empty for a prior whose latents are one array.
    """
    shapes = getattr(prior, "latent_shapes", ())
    return {shape[0]: count for count, shape in enumerate(shapes, start=1)}


def reconstructions(prior: Any, images: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """What a prior makes of images whose first blocks of latents are known, others its mean.

    Args:
        prior: such as `vdvae.prior.VDVAEPrior`.
        images: (n, size, size, 3), uint8 or in [0, 1].

    Yields:
        Number of blocks, and (n, size, size, 3) in [0, 1]: with all of them, then with those up to
        each lower resolution; 1 and what it makes of all latents where they are one array.
    """
    latents, counts = prior.encode(images), sorted(resolutions(prior).values(), reverse=True)
    if not counts:
        yield 1, prior.decode(latents)
    for k in counts:
        yield k, prior.decode(latents[:k])


def samples(
    prior: Any, photographs: np.ndarray, key: jax.Array
) -> Iterator[tuple[str, np.ndarray]]:
    """Draws as many images from a prior as there are photographs.

    Args:
        prior: such as `vdvae.prior.VDVAEPrior`; one with `conditions` is told those of the
            photographs, and then nothing.
        photographs: (n, size, size, 3).
        key: of the draws.

    Yields:
        What sets these samples apart, and (n, size, size, 3) in [0, 1].
    """
    if hasattr(prior, "truncation"):  # of noise beside features
        told = prior.embed(photographs)
        for truncation in sorted({1.0, prior.truncation}, reverse=True):
            name = f"under the photographs' features, truncation {truncation}"
            yield name, prior.sample(told, key, truncation)
        return
    if getattr(prior, "conditions", None):
        told = prior.embed(photographs)
        drawn = prior.sample(told, key, n_steps=STEPS, guidance=1.0)  # a set as wide as photographs
        yield "under the photographs' conditions", drawn
        yield "under no conditions", prior.sample(told, key, n_steps=STEPS, guidance=0.0)
        return
    for temperature in TEMPERATURES:
        yield f"temperature {temperature}", prior.sample(len(photographs), key, temperature)


def of_reconstructions(prior: Any, images: np.ndarray) -> dict[str, Any]:
    """Means over images of PSNR (dB) and SSIM (Wang et al. 2004; Gaussian window).

    Args:
        prior: as for `reconstructions`.
        images: (n, size, size, 3), uint8 or in [0, 1].

    Returns:
        "psnr" and "ssim" with all blocks, and "first_blocks": number -> the same with fewer.
    """
    targets = as_images(images, "images")
    (_, every), *fewer = (
        (k, {"psnr": float(psnr(targets, made).mean()), "ssim": _mean_ssim(targets, made)})
        for k, made in reconstructions(prior, images)
    )
    return {**every, "first_blocks": {str(k): found for k, found in fewer}}


def _mean_ssim(targets: np.ndarray, made: np.ndarray) -> float:
    rows = in_blocks(metrics.ssim, (targets, made), min(64, len(made)))
    return float(np.mean(rows))


def held_out_loss(objective: Objective, params: Any, examples: Any, key: jax.Array) -> float:
    """The mean loss of what was not trained on, with a draw of noise for each block.

    Args:
        objective: of the training: of a VAE, bits per colour of a pixel.
        params: of its networks.
        examples: photographs (n, size, size, 3) uint8, or nested dicts of arrays of n rows, as the
            objective takes them.
        key: of the noise.
    """
    n, total = len(jax.tree.leaves(examples)[0]), 0.0
    for i, start in enumerate(range(0, n, BLOCK)):
        rows = jax.tree.map(lambda array: array[start : start + BLOCK], examples)  # noqa: B023
        block = as_images(rows, "images") if isinstance(rows, np.ndarray) else rows
        loss = _loss(objective, params, block, jax.random.fold_in(key, i))
        total += min(BLOCK, n - start) * float(loss)
    return total / n


@functools.partial(jax.jit, static_argnums=0)
def _loss(objective: Objective, params: Any, batch: Any, key: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        return objective(params, batch, key)[0]


def of_samples(
    drawn: Iterable[tuple[str, np.ndarray]],
    held_out: np.ndarray,
    others: np.ndarray,
    features: Features,
) -> dict[str, dict[str, float]]:
    """How far samples, as a set, are from photographs that were held out.

    Args:
        drawn: as `samples` yields them.
        held_out: (n, size, size, 3).
        others: (n, size, size, 3), other photographs: what no prior does better than.
        features: whose first layer is compared.

    Returns:
        "samples, temperature 1.0" and so on, and "other photographs" -> "frechet", "precision" and
        "recall".
    """

    def rows(images: np.ndarray) -> np.ndarray:
        (found,) = features(images).values()
        return found.reshape(len(images), -1)

    real = rows(held_out)
    sets = ((f"samples, {name}", images) for name, images in drawn)
    found = {}
    for name, images in (*sets, ("other photographs", others)):
        these = rows(images)
        share = precision_recall(real, these)
        found[name] = {"frechet": frechet_distance(real, these), **share._asdict()}
    return found


def features() -> Features | None:
    """EfficientNet-Lite0's last pooled activation; None where its weights are not at hand."""
    from fmri_jax import pretrained
    from fmri_jax.errors import InputError
    from fmri_jax.evaluation.network_identification import LEAST
    from fmri_jax.features.preprocessing import Preprocessing
    from fmri_jax.features.registry import find_network

    name = "efficientnet_lite0"
    try:
        params = pretrained.load(name, download=False)
    except InputError:
        return None
    preprocessing = Preprocessing(keep_aspect=True, least=LEAST[name])
    return Features(find_network(name), params, ("pooled",), preprocessing)
