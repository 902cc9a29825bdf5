"""Which layers are decoded, from which regions, and whether true features give the image back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.evaluation.fold_features import FoldFeatures
from fmri_jax.methods import RunContext, decoded_features
from fmri_jax.methods.feature_decoding.config import PIXELS

if TYPE_CHECKING:
    from fmri_jax.data.preparation.folds import Fold, Trials
    from fmri_jax.methods.feature_decoding.reconstructor import FeatureReconstructor


def diagnose(
    reconstructor: "FeatureReconstructor",
    fold: "Fold",
    rois: Mapping[str, np.ndarray],
    context: RunContext,
) -> FoldFeatures:
    """Scores decoded layers on every test set of a fold, from all voxels and from each region.

    Args:
        reconstructor: fitted on the fold.
        fold: its trials.
        rois: region -> (voxels of the fold,) bool.
        context: of the fold.

    Returns:
        As `decoded_features.score`, with images rendered from true features of test images.
    """
    del context
    return decoded_features.score(
        fold,
        rois,
        reconstructor.training_layers(),
        lambda fmri: jax.tree.map(np.asarray, reconstructor.decode(jnp.asarray(fmri))),
        lambda trials, shown: reconstructor.encoder.of_stimuli(trials.images[shown]),
        _recovered(reconstructor, fold.main_test()),
    )


def _recovered(
    reconstructor: "FeatureReconstructor", trials: "Trials"
) -> tuple[np.ndarray, np.ndarray]:
    """What the renderer makes of true features of some images, and of which.

    Without the pixels, where these are matched, too: from them rendering starts, and would end.
    """
    config = reconstructor.config
    most = min(config.block, decoded_features.RECOVERED)
    shown = decoded_features.some_stimuli(trials, most)
    true = reconstructor.encoder.of_stimuli(trials.images[shown])
    true = {layer: array for layer, array in true.items() if layer != PIXELS}
    retrieval = config.renderer == "retrieval"
    stage = reconstructor.retrieve if retrieval else reconstructor.render
    return np.asarray(stage(jax.tree.map(jnp.asarray, true)), np.float32), shown
