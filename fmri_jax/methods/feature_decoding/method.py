"""Feature decoding as a method: from prepared trials to a fitted decoder."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.linear import dual_ridge
from fmri_jax.linear.dual_ridge import DualRidge
from fmri_jax.linear.gains import gains
from fmri_jax.methods import RunContext, averages, pixel_decoders, responses
from fmri_jax.methods.feature_decoding import (
    canvases,
    dispersion,
    own_voxels,
    selection,
)
from fmri_jax.methods.feature_decoding.config import PIXELS, Config, Dispersion
from fmri_jax.methods.feature_decoding.encoder import Encoder
from fmri_jax.methods.feature_decoding.reconstructor import (
    FeatureReconstructor,
    Statistics,
    represent,
)
from fmri_jax.training import needs


@dataclasses.dataclass(frozen=True)
class FeatureDecoding:
    """Deep image reconstruction (Shen et al. 2019); see `Config` for its options."""

    config: Config

    def fit(self, trials: Trials, context: RunContext) -> FeatureReconstructor:
        """Decodes the layers of the training images by ridge; nothing of rendering is learned.

        Raises:
            InputError: the images are too small for a layer.
        """
        config = self.config
        encoder = Encoder.of(config)
        shapes = encoder.shapes(trials.images.shape[1:])
        needs.check(needs_of(config, shapes, trials, context.kept), context, "a fit")
        rows, seen, decomposed = averages.decomposed(trials)
        images = trials.images[seen]
        canvas = canvases.build(config, images)
        own, left_out, pixels = {}, {}, None
        if config.pixels_apart:
            pixels, left_out[PIXELS] = pixel_decoders.fit(config.pixel_decoder, trials)
        features = represent(encoder, images, by_octave=pixels is None)
        shared = self._shared_map(decomposed, features)
        for layer in encoder.layers if config.n_voxels is not None else ():
            own[layer], found = self._own_voxels(layer, trials, seen, features[layer], context)
            if found is not None:
                left_out[layer] = found
        statistics = learn(shared, features, left_out, config.dispersion)
        arrays = {layer: jnp.asarray(array) for layer, array in features.items()}
        encoding = None
        if config.response_weight:
            encoding = responses.fit({name: features[name] for name in encoder.layers}, trials)
        fitted = FeatureReconstructor(
            *(shared, images, arrays, statistics, encoder, canvas, config, own),
            context.progress,
            encoding,
            pixels,
        )
        if config.select == "inner":
            return selection.with_pixel_weight(fitted, left_out, rows)
        return fitted

    def fit_part(self, trials: Trials, context: RunContext, part: str) -> None:
        """Decodes one layer into the run's folder, where `fit` then finds it.

        Raises:
            InputError: as `fit`.
        """
        encoder = Encoder.of(dataclasses.replace(self.config, layers=(part,), pixel_weight=0.0))
        encoder.check(trials.images.shape[1:])
        seen = np.unique(trials.stimulus)
        features = encoder.of_stimuli(trials.images[seen])[part]
        self._own_voxels(part, trials, seen, features, context, kept=True)

    def _own_voxels(
        self,
        layer: str,
        trials: Trials,
        seen: np.ndarray,
        features: np.ndarray,
        context: RunContext,
        kept: bool = False,
    ) -> tuple[own_voxels.Own, np.ndarray | None]:
        """A layer from voxels of each unit's own, and its predictions out of fold, if needed."""
        fold = context.workdir / "features" / context.fold.replace(" ", "_")
        place, inner = (fold / layer, fold / "inner" / layer) if context.kept else (None, None)
        mesh = context.mesh if context.mesh.size > 1 else None
        given = (trials, seen, features, self.config)
        fitted = own_voxels.solve(*given, place, mesh, kept)
        if self.config.dispersion != "out_of_fold" and self.config.select != "inner":
            return fitted, None
        return fitted, own_voxels.left_out(*given, inner, mesh, kept)

    def _shared_map(self, fitted: DualRidge, features: dict[str, np.ndarray]) -> DualRidge:
        """The map from all voxels, with the penalty of each layer and band."""
        if self.config.alpha and self.config.n_voxels is None:
            alpha = jnp.asarray(self.config.alpha, jnp.float32)
            return dataclasses.replace(fitted, alphas=dict.fromkeys(features, alpha))
        return dual_ridge.with_penalties_for(fitted, features)


def needs_of(
    config: Config, shapes: dict[str, tuple[int, ...]], trials: Trials, kept: bool = True
) -> needs.Needs:
    """What a fit takes: features of all training images, twice, and voxels of each unit's own.

    Args:
        config: the options.
        shapes: layer -> shape of its units.
        trials: training trials.
        kept: whether large layers are kept in the run's folder.
    """
    units = {layer: math.prod(shape) for layer, shape in shapes.items()}
    stimuli, voxels = len(np.unique(trials.stimulus)), trials.fmri.shape[1]
    features = 4 * stimuli * sum(units.values())
    memory = disk = 0
    if config.n_voxels is not None:
        memory = 4 * 2 * voxels**2  # responses against each other
        for layer, count in units.items():
            own = count * (6 * min(config.n_voxels, voxels) + 4) if layer != PIXELS else 0
            large = kept and count > own_voxels.LARGEST_IN_MEMORY
            memory, disk = (memory, disk + own) if large else (memory + own, disk)
        if config.dispersion == "out_of_fold" or config.select == "inner":
            memory, disk = memory + features, disk * (1 + own_voxels.N_INNER)
    found = needs.Needs(
        device=features,
        host=features + memory,
        disk=disk,
        cure="decode fewer or deeper layers (config.method.layers), show the network smaller "
        "images (config.method.network_size), or use fewer voxels (config.preparation.roi, "
        "config.method.n_voxels)",
    )
    if not config.response_weight:
        return found
    layers = {name: shape for name, shape in shapes.items() if name != PIXELS}
    return found + responses.needs_of(layers, trials)


def learn(
    fitted: DualRidge,
    features: dict[str, np.ndarray],
    left_out: dict[str, np.ndarray],
    how: Dispersion,
) -> Statistics:
    """Means, gains and spreads of the layers, gains from maps that the stimulus was left out of.

    Args:
        fitted: the map from all voxels.
        features: layer -> (stimuli, ...) true features.
        left_out: the same decoded out of fold, of layers that have another map.
        how: the correction, whose spread is taken.
    """
    means, factors, spreads = {}, {}, {}
    for layer, true in features.items():
        mean = true.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = true - mean
        if layer in left_out:
            decoded = left_out[layer] - mean
        else:
            decoded = np.asarray(fitted.left_out(layer, jnp.asarray(centred)))
        means[layer] = jnp.asarray(mean)
        factors[layer] = jnp.asarray(gains(centred, decoded))
        spreads[layer] = jnp.mean(dispersion.spread(jnp.asarray(true), how))
    return Statistics(means, factors, spreads)
