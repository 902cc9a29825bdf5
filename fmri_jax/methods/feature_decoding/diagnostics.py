"""Which layers are decoded, from which regions, and whether true features give the image back."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.evaluation import fold_features
from fmri_jax.evaluation.feature_scores import training_statistics
from fmri_jax.evaluation.fold_features import FoldFeatures, LayerScores
from fmri_jax.evaluation.repeats import average_by_stimulus
from fmri_jax.evaluation.training_span import project_features
from fmri_jax.linear import dual_ridge
from fmri_jax.methods import RunContext
from fmri_jax.methods.feature_decoding.config import PIXELS

if TYPE_CHECKING:
    from fmri_jax.data.preparation.folds import Fold, Trials
    from fmri_jax.linear.dual_ridge import DualRidge
    from fmri_jax.methods.feature_decoding.reconstructor import FeatureReconstructor

Features = Mapping[str, np.ndarray]  # layer -> (n, ...)
Maps = Sequence[tuple[np.ndarray, "DualRidge"]]  # voxels and map of each region


def diagnose(
    reconstructor: "FeatureReconstructor",
    fold: "Fold",
    rois: Mapping[str, np.ndarray],
    context: RunContext,
) -> FoldFeatures:
    """Scores decoded layers on every test set of a fold, from all voxels and from each region.

    Regions, and all voxels beside them, are decoded by plain ridge, one penalty per layer, without
    any correction of dispersion; the layers' Gram matrices are computed once for all.

    Args:
        reconstructor: fitted on the fold.
        fold: its trials.
        rois: region -> (voxels of the fold,) bool.
        context: of the fold.

    Returns:
        Scores of what the method decodes, of the best prediction in the span of the training
        features, and of each region; and images rendered from true features of test images.
    """
    del context
    rows, _ = average_by_stimulus(fold.train.fmri, fold.train.stimulus)
    features = reconstructor.training_layers()
    grams = {layer: dual_ridge.gram(array) for layer, array in features.items()}
    maps = [
        (voxels, dual_ridge.with_penalties(dual_ridge.decompose(rows[:, voxels]), grams))
        for voxels in rois.values()
    ]
    statistics = {layer: training_statistics(array) for layer, array in features.items()}
    true = {split: _true(reconstructor, trials) for split, trials in fold.tests.items()}
    spans = _spans(features, true)
    sets = {
        split: _scored(reconstructor, trials, true[split], spans[split], features, statistics, maps)
        for split, trials in fold.tests.items()
    }
    stimulus = {split: trials.stimulus for split, trials in fold.tests.items()}
    return FoldFeatures(tuple(rois), sets, stimulus, *_recovered(reconstructor, fold.main_test()))


def _scored(
    reconstructor: "FeatureReconstructor",
    trials: "Trials",
    true: Features,
    spans: Features,
    features: Features,
    statistics: Mapping[str, tuple[np.ndarray, np.ndarray]],
    maps: Maps,
) -> dict[str, LayerScores]:
    """Layer -> scores of what each source decodes of one test set."""
    found = {}
    decoded = reconstructor.decode(jnp.asarray(trials.fmri))
    for layer, (mean, deviation) in statistics.items():
        fmri, own = trials.fmri, features[layer]
        sources = _sources(decoded[layer], spans[layer], fmri, maps, own, layer, mean)
        found[layer] = fold_features.score_layer(
            true[layer], sources, mean, deviation, trials.stimulus
        )
    return found


def _spans(features: Features, true: Mapping[str, Features]) -> dict[str, dict[str, np.ndarray]]:
    """Test set -> layer -> (n, ...) projections of true features, of all sets at once.

    Of standardised units, as published, those that are rarely active would outweigh the others.
    """
    ends = np.cumsum([len(next(iter(layers.values()))) for layers in true.values()])[:-1]
    found: dict[str, dict[str, np.ndarray]] = {split: {} for split in true}
    for layer, array in features.items():
        together = np.concatenate([layers[layer] for layers in true.values()])
        for split, part in zip(
            true, np.split(project_features(array, together), ends), strict=True
        ):
            found[split][layer] = part
    return found


def _sources(
    decoded: Any,
    span: np.ndarray,
    fmri: np.ndarray,
    maps: Maps,
    features: np.ndarray,
    layer: str,
    mean: np.ndarray,
) -> Iterator[np.ndarray]:
    """Decoded features (n, ...) of one layer, source by source; those of regions as they come."""
    yield np.asarray(decoded)
    yield span
    flat = features.reshape(len(features), -1)
    centre = mean.ravel().astype(np.float32)
    for voxels, fitted in maps:
        weights = np.asarray(fitted.weights(jnp.asarray(fmri[:, voxels]), layer))
        # mean + w (F - mean), without a copy of F
        rest = 1 - weights.sum(axis=1, keepdims=True)
        yield (weights @ flat + rest * centre).reshape(len(fmri), *features.shape[1:])


def _true(reconstructor: "FeatureReconstructor", trials: "Trials") -> Features:
    """Layer -> (n, ...) features of the image that each trial showed, each image encoded once."""
    shown, row = np.unique(trials.stimulus, return_inverse=True)
    found = reconstructor.encoder.of_stimuli(trials.images[shown])
    return {layer: array[row] for layer, array in found.items()}


def _recovered(
    reconstructor: "FeatureReconstructor", trials: "Trials"
) -> tuple[np.ndarray, np.ndarray]:
    """What the renderer makes of true features of one block of test images, and of which images.

    Without the pixels, where these are matched, too: from them rendering starts, and would end.
    """
    config = reconstructor.config
    block, shown = min(config.block, len(trials.fmri)), np.unique(trials.stimulus)
    shown = shown[np.linspace(0, len(shown) - 1, min(block, len(shown))).round().astype(int)]
    true = reconstructor.encoder.of_stimuli(trials.images[shown])
    true = {layer: array for layer, array in true.items() if layer != PIXELS}
    retrieval = config.renderer == "retrieval"
    stage = reconstructor.retrieve if retrieval else reconstructor.render
    return np.asarray(stage(jax.tree.map(jnp.asarray, true)), np.float32), shown
