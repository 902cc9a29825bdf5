"""Feature decoding as a method: from prepared trials to a fitted decoder."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import matmul
from fmri_jax.data.preparation.folds import Trials
from fmri_jax.evaluation.repeats import average_by_stimulus
from fmri_jax.methods import RunContext
from fmri_jax.methods.feature_decoding import dispersion, layer_map
from fmri_jax.methods.feature_decoding.config import Config
from fmri_jax.methods.feature_decoding.encoder import Encoder
from fmri_jax.methods.feature_decoding.layer_map import LayerMap
from fmri_jax.methods.feature_decoding.reconstructor import (
    FeatureReconstructor,
    Statistics,
    represent,
)


@dataclasses.dataclass(frozen=True)
class FeatureDecoding:
    """Deep image reconstruction (Shen et al. 2019); see `Config` for its options."""

    config: Config

    def fit(self, trials: Trials, context: RunContext) -> FeatureReconstructor:
        """Decodes the layers of the training images by ridge; nothing of rendering is learned.

        Raises:
            InputError: the images are too small for a layer.
        """
        encoder = Encoder.of(self.config)
        encoder.check(trials.images.shape[1:])
        rows, seen = average_by_stimulus(trials.fmri, trials.stimulus)
        images = trials.images[seen]
        features = represent(encoder, images)
        grams = {layer: layer_map.gram(array) for layer, array in features.items()}
        fitted = layer_map.with_penalties(layer_map.decompose(rows), grams)
        statistics = learn(fitted, features)
        arrays = {layer: jnp.asarray(array) for layer, array in features.items()}
        return FeatureReconstructor(fitted, images, arrays, statistics, encoder, self.config)


def learn(fitted: LayerMap, features: dict[str, np.ndarray]) -> Statistics:
    """Means, gains and spreads of the layers, gains from maps that the stimulus was left out of."""
    means, gains, spreads = {}, {}, {}
    for layer, true in features.items():
        mean = true.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = true - mean
        flat = jnp.asarray(centred.reshape(len(true), -1))
        decoded = np.asarray(matmul(fitted.left_out_weights(layer), flat)).reshape(true.shape)
        gain = dispersion.gains(centred, decoded)
        means[layer], gains[layer] = jnp.asarray(mean), jnp.asarray(gain)
        spreads[layer] = jnp.mean(dispersion.spread(jnp.asarray(true), ddof=1))
    return Statistics(means, gains, spreads)
