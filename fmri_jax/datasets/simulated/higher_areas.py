"""Noiseless responses of voxels in LOC, FFA and PPA: deep features, or categories alone.

References:
    Kay, Winawer, Mezer & Wandell (2013). Compressive spatial summation in human visual cortex.
        Journal of Neurophysiology 110:481-494.
    Guclu & van Gerven (2015). Deep neural networks reveal a gradient in the complexity of neural
        representations across the ventral stream. Journal of Neuroscience 35:10005-10014.
"""

import numpy as np

from fmri_jax.data.images import resize
from fmri_jax.datasets.simulated import areas
from fmri_jax.datasets.simulated.areas import ReceptiveFields
from fmri_jax.datasets.simulated.early_areas import standardised
from fmri_jax.errors import InputError

LAYERS = ("relu4", "relu5")
MIXED_CHANNELS = 24  # deep channels that one voxel mixes
THUMBNAIL = 8  # px, side of the thumbnails by which categories are told apart
MOST_CELLS = 7  # side of the grid to which deep features are reduced


def higher_responses(
    features: dict[str, np.ndarray],
    area_of: np.ndarray,
    fields: ReceptiveFields,
    rng: np.random.Generator,
    reference: slice = slice(None),
) -> np.ndarray:
    """Responses of voxels in LOC, FFA and PPA.

    A voxel takes one deep layer, weighs that layer's positions by its receptive field and mixes a
    few random channels with random signs. Later areas take more of the deeper layer (Guclu & van
    Gerven 2015).

    Args:
        features: 'relu4' and 'relu5' of the images, each (n, height, width, channels).
        area_of: (voxels,) str, names of higher areas.
        fields: their receptive fields.
        rng: draws the voxels' layers and mixtures.
        reference: the images (of training) whose mean and deviation standardise.

    Returns:
        (n, voxels) float32.
    """
    fourth = rng.random(len(area_of)) < [areas.TABLE[name].relu4 for name in area_of]
    responses = np.empty((len(features[LAYERS[0]]), len(area_of)), np.float32)
    for layer, chosen in zip(LAYERS, (fourth, ~fourth), strict=True):
        voxels = np.flatnonzero(chosen)
        # The root compresses as cortex does (Kay et al. 2013); else rare, strong units rule.
        units = _reduced(np.sqrt(features[layer]))
        n, cells, _, channels = units.shape
        seen = units[reference]
        deviation = seen.std((0, 1, 2))
        # A unit that training images hardly move must not rule where other images do move it.
        deviation = np.maximum(deviation, 0.25 * deviation.mean() + 1e-6)
        units = ((units - seen.mean((0, 1, 2))) / deviation).reshape(n, -1)
        space = fields[voxels].weights(cells)
        space /= space.sum(1, keepdims=True)  # a coarse grid samples a narrow field unevenly
        mixture = np.zeros((len(voxels), channels), np.float32)
        for row in mixture:
            mixed = rng.choice(channels, min(MIXED_CHANNELS, channels), replace=False)
            row[mixed] = rng.normal(size=len(mixed))
        joint = (space[:, :, None] * mixture[:, None, :]).reshape(len(voxels), units.shape[1])
        responses[:, voxels] = units @ joint.T
    return responses


def _reduced(units: np.ndarray) -> np.ndarray:
    """Deep features (n, side, side, channels) averaged over blocks to at most MOST_CELLS a side."""
    n, side, _, channels = units.shape
    block = -(-side // MOST_CELLS)
    cells = side // block
    kept = units[:, : cells * block, : cells * block]
    return kept.reshape(n, cells, block, cells, block, channels).mean((2, 4))


def checked_features(features: dict[str, np.ndarray], n_images: int) -> dict[str, np.ndarray]:
    """Refuses deep features that are missing, misshapen or not finite.

    Raises:
        InputError: names the layer, what was found and what was expected.
    """
    checked = {}
    for layer in LAYERS:
        if layer not in features:
            raise InputError(
                f"features gave {', '.join(sorted(features)) or 'nothing'}: expected 'relu4' and "
                "'relu5', AlexNet's activations for the images."
            )
        array = np.asarray(features[layer], np.float32)
        square = array.ndim == 4 and array.shape[1] == array.shape[2]
        if not square or len(array) != n_images:
            raise InputError(
                f"features gave {layer} of shape {array.shape}: expected ({n_images}, side, side, "
                "channels), one row an image."
            )
        if not (np.isfinite(array).all() and (array >= 0).all()):
            raise InputError(
                f"features gave {layer} with negative or non-finite values: expected activations "
                "after the ReLU."
            )
        checked[layer] = array
    return checked


def category_responses(
    images: np.ndarray, n_training: int, n_categories: int, n_voxels: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Responses that tell only which cluster an image belongs to.

    Images are clustered by how they look from afar (k-means on the training images' thumbnails,
    each standardised, so that clusters hold images that correlate), and each cluster gets one
    random pattern.

    Args:
        images: (n, h, w, 3) uint8, the training images first.
        n_training: how many of them are for training.
        n_categories: number of clusters.
        n_voxels: number of voxels.
        rng: draws the patterns.

    Returns:
        Responses (n, n_voxels) float32 and the cluster of each image (n,) int.
    """
    from sklearn.cluster import KMeans  # slow to import, and rarely needed

    thumbnails = standardised(resize(images, THUMBNAIL).reshape(len(images), -1).T / 255).T
    seed = int(rng.integers(2**31))
    means = KMeans(n_categories, n_init=4, random_state=seed).fit(thumbnails[:n_training])
    category = means.predict(thumbnails)
    patterns = rng.normal(size=(n_categories, n_voxels)).astype(np.float32)
    return patterns[category], category
