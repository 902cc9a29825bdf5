"""Noiseless responses of voxels in V1-V4 to images: Gabor energy, luminance and colour.

References:
    Engel, Zhang & Wandell (1997). Colour tuning in human visual cortex measured with functional
        magnetic resonance imaging. Nature 388:68-71.
    Kamitani & Tong (2005). Decoding the visual and subjective contents of the human brain. Nature
        Neuroscience 8:679-685. (A voxel's orientation preference is weak.)
    Brewer, Liu, Wade & Wandell (2005). Visual field maps and stimulus selectivity in human ventral
        occipital cortex. Nature Neuroscience 8:1102-1109. (Colour in hV4.)
    Kay, Winawer, Mezer & Wandell (2013). Compressive spatial summation in human visual cortex.
        Journal of Neurophysiology 110:481-494.
    Broderick, Simoncelli & Winawer (2022). Mapping spatial frequency preferences across human
        primary visual cortex. Journal of Vision 22(4):3. (Periods grow with eccentricity.)
"""

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import einsum
from fmri_jax.datasets.simulated import areas, steerable_pyramid
from fmri_jax.datasets.simulated.areas import ReceptiveFields

BATCH = 128  # images a step: bounds memory


def early_responses(
    images: np.ndarray,
    area_of: np.ndarray,
    fields: ReceptiveFields,
    rng: np.random.Generator,
    reference: slice = slice(None),
) -> np.ndarray:
    """Responses of voxels in V1-V4.

    Within its receptive field a voxel sums Gabor energy over bands by its (broad) tuning and
    compresses the sum by its area's exponent; to that it adds signed contrasts of luminance and of
    two opponent colours. Each of the four parts is standardised before they are added.

    Args:
        images: (n, h, w, 3) uint8.
        area_of: (voxels,) str, names of early areas.
        fields: their receptive fields.
        rng: draws the voxels' tuning.
        reference: the images (of training) whose mean and deviation standardise.

    Returns:
        (n, voxels) float32.
    """
    table = [areas.TABLE[name] for name in area_of]
    exponent, period, luminance, colour = (
        np.asarray([getattr(area, key) for area in table])
        for key in ("exponent", "period", "luminance", "colour")
    )
    tuning = _band_tuning(fields, period, rng)
    energy, signed = _pooled(images, tuning, fields.weights(steerable_pyramid.CELLS))
    sign = rng.normal(size=(3, len(table)))
    mixture = np.abs(rng.normal(1.0, 0.3, len(table))) * standardised(energy**exponent, reference)
    for channel, weight in enumerate((luminance, colour, colour)):
        mixture += weight * sign[channel] * standardised(signed[:, channel], reference)
    return mixture.astype(np.float32)


def _band_tuning(
    fields: ReceptiveFields, period: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(levels, orientations, voxels) float32: a bell over octaves, times a weak orientation cosine.

    Amplitudes of natural images fall as 1 / frequency (Field 1987, JOSA A 4:2379-2394); a factor
    frequency puts the levels on one scale.
    """
    n = len(period)
    # Broderick et al. (2022) find a preferred period near 0.35 deg + 0.12 eccentricity in V1.
    preferred = period * (0.35 + 0.12 * fields.eccentricity) * rng.lognormal(0.0, 0.3, n)
    frequency = np.asarray(steerable_pyramid.FREQUENCIES)[:, None]
    bell = frequency * np.exp(-0.5 * np.log2(frequency * preferred) ** 2)
    angle = np.asarray(steerable_pyramid.ORIENTATIONS)[:, None] - rng.uniform(0, np.pi, n)
    cosine = 1 + rng.uniform(0, 0.5, n) * np.cos(2 * angle)
    return (bell[:, None] * cosine).astype(np.float32)


def _pooled(
    images: np.ndarray, tuning: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Tuned energy (n, voxels) and signed contrasts (n, 3, voxels) in each receptive field."""
    levels = []
    for level, tuned in enumerate(tuning):
        pixels = steerable_pyramid.PIXELS >> level
        coarse = (weights @ steerable_pyramid.interpolation(pixels // 2)).T if level else weights.T
        levels.append((*steerable_pyramid.gabor_factors(pixels), coarse, tuned))
    constants = jax.device_put((levels, weights.T))
    energies, contrasts = [], []
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH]
        # Every batch has one shape, so that there is one compilation.
        padded = np.zeros((BATCH, *images.shape[1:]), np.uint8)
        padded[: len(part)] = part
        energy, contrast = _pool_batch(padded, *constants)
        energies.append(np.asarray(energy)[: len(part)])
        contrasts.append(np.asarray(contrast)[: len(part)])
    return np.concatenate(energies), np.concatenate(contrasts)


@jax.jit
def _pool_batch(
    images: jax.Array, levels: list[tuple[jax.Array, ...]], weights: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """One batch of `_pooled`; a level is (across, down, receptive fields on its grid, tuning)."""
    seen = steerable_pyramid.as_seen(images)
    signed = steerable_pyramid.signed_contrasts(seen)
    contrast = _sum_cells(signed, weights)
    luminance = 2 * seen.mean(-1) - 1
    total = jnp.zeros((len(images), weights.shape[1]))
    for across, down, fields, tuned in levels:
        energy = _sum_cells(steerable_pyramid.gabor_energy(luminance, across, down), fields)
        total += (energy * tuned).sum(1)
        luminance = steerable_pyramid.halved(luminance)
    return total, contrast


def _sum_cells(channels: jax.Array, weights: jax.Array) -> jax.Array:
    """Weighs (n, channels, cells, cells) by (cells * cells, voxels): (n, channels, voxels)."""
    flat = channels.reshape(*channels.shape[:2], -1)
    return einsum("ncp,pv->ncv", flat, weights)


def standardised(responses: np.ndarray, reference: slice = slice(None)) -> np.ndarray:
    """Each column with mean 0 and deviation 1 over the `reference` rows; constant columns are 0."""
    mean, deviation = responses[reference].mean(0), responses[reference].std(0)
    constant = deviation <= 1e-6 * (np.abs(mean) + 1e-6)
    return np.where(constant, 0.0, (responses - mean) / np.where(constant, 1.0, deviation))
