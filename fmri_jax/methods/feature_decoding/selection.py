"""How much decoded pixels weigh, chosen on training stimuli that were left out.

Which weight is best depends on what is shown: smooth images are best left to their decoded pixels,
of photographs with fine structure the layers know more. Training stimuli say which, and nothing has
to be fitted again: the map predicts each of them without itself (`DualRidge.left_out`), and
images are rendered from that with every weight.

The penalties and gains are those of all training stimuli; they are few numbers for many units.
"""

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from fmri_jax.evaluation.metrics import pixel_correlation
from fmri_jax.methods.feature_decoding.encoder import Layers
from fmri_jax.methods.feature_decoding.reconstructor import FeatureReconstructor

WEIGHTS = (32.0, 256.0, 2048.0)
MOST = 16  # training stimuli that are rendered with each weight


def with_pixel_weight(
    fitted: FeatureReconstructor, left_out: Mapping[str, np.ndarray], responses: np.ndarray
) -> FeatureReconstructor:
    """The decoder with the weight whose images correlate best with training images.

    Args:
        fitted: decoder of training stimuli.
        left_out: layer -> (stimuli, ...) decoded out of fold, of layers that have a map of their
            own.
        responses: (stimuli, voxels) to them, for a decoder that compares images by responses.

    Returns:
        The decoder with another `config.pixel_weight`; of weights that do equally well the first.
    """
    n = len(fitted.images)
    rows = np.linspace(0, n - 1, min(MOST, n)).round().astype(int)
    decoded = without_themselves(fitted, rows, left_out)
    true = jnp.asarray(fitted.images[rows], jnp.float32) / 255
    candidates = [
        fitted.replace(config=dataclasses.replace(fitted.config, pixel_weight=weight))  # type: ignore[attr-defined]
        for weight in WEIGHTS
    ]
    measured = jnp.asarray(responses[rows])
    made = [candidate.render(decoded, measured=measured) for candidate in candidates]
    scores = [float(jnp.mean(pixel_correlation(true, images))) for images in made]
    return candidates[int(np.argmax(scores))]


def without_themselves(
    fitted: FeatureReconstructor, rows: np.ndarray, left_out: Mapping[str, np.ndarray]
) -> Layers:
    """Decoded layers of training stimuli, each by a map that was fitted without it.

    Args:
        fitted: decoder of training stimuli.
        rows: (n,) which stimuli.
        left_out: as in `with_pixel_weight`.

    Returns:
        Layer -> (n, ...), dispersion restored; the pixels where they are matched, too.
    """
    found = {layer: jnp.asarray(array[rows]) for layer, array in left_out.items()}
    for name, true in fitted.features.items():
        if name not in left_out:
            mean = fitted.statistics.mean[name]
            found[name] = fitted.map.left_out(name, true - mean, rows) + mean
    return fitted.restored(found)
