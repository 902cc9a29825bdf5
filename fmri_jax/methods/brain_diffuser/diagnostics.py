"""How well latents and embeddings are decoded, and what the priors make of true ones."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.evaluation.fold_features import FoldFeatures
from fmri_jax.methods import decoded_features
from fmri_jax.methods.brain_diffuser import conditions, method

if TYPE_CHECKING:
    from fmri_jax.data.preparation.folds import Fold, Trials
    from fmri_jax.methods.brain_diffuser.reconstructor import BrainDiffuserReconstructor

Targets = Mapping[str, Any]  # block or condition -> (n, ...)


def diagnose(
    fitted: "BrainDiffuserReconstructor", fold: "Fold", rois: Mapping[str, np.ndarray]
) -> FoldFeatures:
    """Scores decoded latents and embeddings on every test set; see `decoded_features.score`.

    Args:
        fitted: on the fold.
        fold: its trials.
        rois: region -> (voxels of the fold,) bool.

    Returns:
        Of each of `spaces` the scores, and test images made of their true latents and embeddings,
        which is the most that the priors allow.
    """
    maps = [found for found in (fitted.latents, fitted.conditions) if found is not None]
    worded = all(conditions.words(t, np.unique(t.stimulus)) for t in fold.tests.values())

    def scored(targets: Targets) -> dict[str, np.ndarray]:
        return spaces({name: t for name, t in targets.items() if name != "text" or worded})

    def decode(fmri: np.ndarray) -> dict[str, np.ndarray]:
        rows = jnp.asarray(fmri)
        return scored({name: t for found in maps for name, t in found.decode(rows).items()})

    def encode(trials: "Trials", shown: np.ndarray) -> dict[str, np.ndarray]:
        latents, embeddings = true_targets(fitted, trials, shown)
        return scored({**(latents or {}), **(embeddings or {})})

    training = scored({name: t for found in maps for name, t in found.targets.items()})

    return decoded_features.score(
        fold, rois, training, decode, encode, _recovered(fitted, fold.main_test())
    )


def spaces(targets: Targets) -> dict[str, np.ndarray]:
    """What is scored: all latents as one vector, those of each resolution, each embedding.

    Args:
        targets: of blocks (n, h, w, channels), coarse to fine, and of conditions (n, tokens,
            width).

    Returns:
        Name -> (n, units).
    """
    flat = {name: np.asarray(array).reshape(len(array), -1) for name, array in targets.items()}
    by_side: dict[int, list[np.ndarray]] = {}
    for name, array in targets.items():
        if np.ndim(array) == 4:
            by_side.setdefault(np.shape(array)[1], []).append(flat[name])
    found = {}
    if by_side:
        found["latents"] = np.concatenate([part for parts in by_side.values() for part in parts], 1)
    if len(by_side) > 1:
        for side, parts in by_side.items():
            found[f"latents of {side} px"] = np.concatenate(parts, axis=1)
    embeddings = {name for name, array in targets.items() if np.ndim(array) != 4}
    return found | {f"{name} embedding": flat[name] for name in targets if name in embeddings}


def true_targets(
    fitted: "BrainDiffuserReconstructor", trials: "Trials", shown: np.ndarray
) -> tuple[dict[str, np.ndarray] | None, dict[str, np.ndarray] | None]:
    """Latents and embeddings of images of trials, as they are decoded; None of a stage left out.

    Without the text of images that have neither captions nor names that say what they show.
    """
    latents, found = method.targets(fitted.config, fitted.first, fitted.second, trials, shown)
    if found is None or fitted.conditions is None:
        return latents, None
    return latents, {name: found[name] for name in fitted.conditions.targets if name in found}


def _recovered(
    fitted: "BrainDiffuserReconstructor", trials: "Trials"
) -> tuple[np.ndarray, np.ndarray]:
    """What both stages make of true latents and embeddings of some images, and of which."""
    shown = decoded_features.some_stimuli(trials)
    latents, embeddings = true_targets(fitted, trials, shown)
    blocks = None if latents is None else tuple(latents.values())
    key = jax.random.key(fitted.config.seed)
    return fitted.sample_of(blocks, embeddings, key), shown
