"""What fitting an encoding model takes of memory, known before."""

from collections.abc import Mapping

import numpy as np

from fmri_jax.training.needs import Needs

CURE = "use fewer voxels (config.preparation.roi)"


def of_banded_ridge(
    features: Mapping[str, int], voxels: int, stimulus: np.ndarray, rank: int
) -> Needs:
    """What `fitted.fit` takes at least with banded ridge.

    On the device the larger of its search and its result; on the host what the noise is learned
    from, which is copied in float64, twice and by factor analysis twice more.

    Args:
        features: layer -> how many numbers its pooled maps have.
        voxels: that are predicted.
        stimulus: (trials,) number of the image that each trial showed.
        rank: factors of the noise.
    """
    repeats = np.unique(stimulus, return_counts=True)[1]
    n, residuals = len(repeats), max(len(repeats), int(repeats[repeats > 1].sum()))
    rows = n * sum(features.values())
    # Responses and what they are without their mean; of the best candidate so far and of the next
    # one, weights and predictions.
    search = len(features) * n**2 + 6 * n * voxels
    result = 2 * n * voxels  # of the best candidate
    for own in features.values():  # weights of features or of stimuli: see `banded`
        result += (own if own * voxels <= n * (own + voxels) else n) * voxels
    # Scaled trials, averages, predictions and their errors; residuals in float32 and float64.
    copies = 1 + 2 * (4 if rank else 2)
    host = rows + (len(stimulus) + 3 * n + copies * residuals) * voxels
    return Needs(device=4 * (rows + max(search, result)), host=4 * host, cure=CURE)
