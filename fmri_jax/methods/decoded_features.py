"""Scores of what a method decodes before it makes an image of it: layers, latents, embeddings.

Every test set of a fold, from all voxels as the method decodes, and from each region by plain
ridge; beside the best prediction in the span of the training features.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from fmri_jax.evaluation import fold_features
from fmri_jax.evaluation.feature_scores import training_statistics
from fmri_jax.evaluation.fold_features import FoldFeatures, LayerScores
from fmri_jax.evaluation.training_span import project_features
from fmri_jax.linear import dual_ridge
from fmri_jax.methods import averages

if TYPE_CHECKING:
    from fmri_jax.data.preparation.folds import Fold, Trials
    from fmri_jax.linear.dual_ridge import DualRidge

RECOVERED = 16  # test images at most that a run makes of their true features
Features = Mapping[str, np.ndarray]  # layer -> (n, ...)
Maps = Sequence[tuple[np.ndarray, "DualRidge"]]  # voxels and map of each region


def score(
    fold: "Fold",
    rois: Mapping[str, np.ndarray],
    training: Features,
    decode: Callable[[np.ndarray], Features],
    encode: Callable[["Trials", np.ndarray], Features],
    recovered: tuple[np.ndarray, np.ndarray],
) -> FoldFeatures:
    """Scores decoded features on every test set of a fold, from all voxels and from each region.

    Regions, and all voxels beside them, are decoded by plain ridge, one penalty per layer, without
    any correction of dispersion; the layers' Gram matrices are computed once for all.

    Args:
        fold: its trials.
        rois: region -> (voxels of the fold,) bool.
        training: layer -> (stimuli, ...) true features of the training images, in rising order;
            those of photographs that nobody viewed, behind them, do not count here.
        decode: responses (n, voxels) -> layer -> (n, ...) what the method decodes.
        encode: trials, and images of them by number (m,) -> layer -> (m, ...) true features.
        recovered: (m, h, w, c) images made of true features of test images; of which images (m,).

    Returns:
        Scores of what the method decodes, of the best prediction in the span of the training
        features, and of each region; and the recovered images.
    """
    rows, shown, decomposed = averages.decomposed(fold.train)
    training = {layer: array[: len(shown)] for layer, array in training.items()}
    grams = {layer: dual_ridge.gram(array) for layer, array in training.items()}
    maps = []
    for voxels in rois.values():
        own = decomposed if voxels.all() else dual_ridge.decompose(_of_region(rows, voxels))
        maps.append((voxels, dual_ridge.with_penalties(own, grams)))
    statistics = {layer: training_statistics(array) for layer, array in training.items()}
    true = {split: _true(encode, trials) for split, trials in fold.tests.items()}
    spans = _spans(training, true)
    sets = {
        split: _scored(decode, trials, true[split], spans[split], training, statistics, maps)
        for split, trials in fold.tests.items()
    }
    stimulus = {split: trials.stimulus for split, trials in fold.tests.items()}
    return FoldFeatures(tuple(rois), sets, stimulus, *recovered)


def some_stimuli(trials: "Trials", most: int = RECOVERED) -> np.ndarray:
    """At most `most` of the images shown in trials, evenly over their numbers."""
    shown = np.unique(trials.stimulus)
    return shown[np.linspace(0, len(shown) - 1, min(most, len(shown))).round().astype(int)]


def _scored(
    decode: Callable[[np.ndarray], Features],
    trials: "Trials",
    true: Features,
    spans: Features,
    training: Features,
    statistics: Mapping[str, tuple[np.ndarray, np.ndarray]],
    maps: Maps,
) -> dict[str, LayerScores]:
    """Layer -> scores of what each source decodes of one test set."""
    found = {}
    decoded = decode(trials.fmri)
    for layer, (mean, deviation) in statistics.items():
        fmri, own = trials.fmri, training[layer]
        sources = _sources(decoded[layer], spans[layer], fmri, maps, own, layer, mean)
        found[layer] = fold_features.score_layer(
            true[layer], sources, mean, deviation, trials.stimulus
        )
    return found


def _spans(training: Features, true: Mapping[str, Features]) -> dict[str, dict[str, np.ndarray]]:
    """Test set -> layer -> (n, ...) projections of true features, of all sets at once.

    Of standardised units, as published, those that are rarely active would outweigh the others.
    """
    ends = np.cumsum([len(next(iter(layers.values()))) for layers in true.values()])[:-1]
    found: dict[str, dict[str, np.ndarray]] = {split: {} for split in true}
    for layer, array in training.items():
        together = np.concatenate([layers[layer] for layers in true.values()])
        for split, part in zip(
            true, np.split(project_features(array, together), ends), strict=True
        ):
            found[split][layer] = part
    return found


def _sources(
    decoded: np.ndarray,
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
        weights = np.asarray(fitted.weights(jnp.asarray(_of_region(fmri, voxels)), layer))
        # mean + w (F - mean), without a copy of F
        rest = 1 - weights.sum(axis=1, keepdims=True)
        yield (weights @ flat + rest * centre).reshape(len(fmri), *features.shape[1:])


def _of_region(fmri: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """Responses (n, voxels) of a region, with zeros up to a power of two: few programs for many.

    A voxel that is always 0 changes no prediction of ridge.
    """
    count = int(voxels.sum())
    if count == len(voxels):
        return fmri
    return np.pad(fmri[:, voxels], ((0, 0), (0, (1 << (count - 1).bit_length()) - count)))


def _true(encode: Callable[["Trials", np.ndarray], Features], trials: "Trials") -> Features:
    """Layer -> (n, ...) features of the image that each trial showed, each image encoded once."""
    shown, row = np.unique(trials.stimulus, return_inverse=True)
    found = encode(trials, shown)
    return {layer: array[row] for layer, array in found.items()}
