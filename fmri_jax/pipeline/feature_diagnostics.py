"""Decoded features of a run: scored fold by fold by the method's package, then over all folds."""

import functools
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
from absl import logging

from fmri_jax import methods
from fmri_jax.archives import CorruptError
from fmri_jax.data.preparation.folds import Fold
from fmri_jax.data.recording import Recording
from fmri_jax.evaluation import fold_features
from fmri_jax.evaluation.feature_results import FeatureResults, summarise
from fmri_jax.evaluation.fold_features import FoldFeatures
from fmri_jax.evaluation.notes import Note
from fmri_jax.evaluation.perceptual import PerceptualWeights
from fmri_jax.evaluation.scores import EvaluationConfig, score_images
from fmri_jax.evaluation.scores import summarise as summarise_images
from fmri_jax.files import set_aside
from fmri_jax.methods import Reconstructor, RunContext
from fmri_jax.pipeline import evidence
from fmri_jax.pipeline.evidence import UNNAMED, Labels
from fmri_jax.pipeline.experiment_config import Experiment
from fmri_jax.pipeline.rows import Rows

MOST_REGIONS = 24  # the largest ones: a matrix of more is no longer read

Diagnose = Callable[[Fold, int, Reconstructor, RunContext], None]


def of_method(options: Experiment, recording: Recording) -> Diagnose | None:
    """What scores a fold's decoded features and keeps them; None where the method has none."""
    package = methods.package(options.method_name)
    if not hasattr(package, "diagnose"):
        return None
    of_regions = options.evaluation.feature_regions
    return functools.partial(
        _keep, package.diagnose, options.preparation.roi, recording, of_regions
    )


def _keep(
    diagnose: Callable[..., FoldFeatures],
    expression: str,
    recording: Recording,
    of_regions: bool,
    fold: Fold,
    number: int,
    reconstructor: Reconstructor,
    context: RunContext,
) -> None:
    named = regions(recording, fold, expression, of_regions)
    found = diagnose(reconstructor, fold, named, context)
    fold_features.write(_path(context.workdir, number), found)


def regions(
    recording: Recording, fold: Fold, expression: str, each: bool = True
) -> dict[str, np.ndarray]:
    """The chosen voxels under the ROI expression that chose them, then `each` region's among them.

    Regions without a chosen voxel are left out, and those that are the very voxels that were
    chosen.

    Returns:
        Name -> (voxels of the fold,) bool.
    """
    chosen = np.ones(fold.train.fmri.shape[1], bool)
    if fold.recoding is not None:  # no number belongs to a region
        return {f"{fold.recoding.KIND} of {len(chosen)}": chosen}
    inside = {name: mask[fold.voxels] for name, mask in recording.rois.items()}
    parts = {name: mask for name, mask in inside.items() if mask.any() and not mask.all()}
    largest = sorted(parts, key=lambda name: -int(parts[name].sum()))[:MOST_REGIONS]
    name = expression.strip() or "all"
    if not each:
        return {name: chosen}
    return {name: chosen, **{n: mask for n, mask in parts.items() if n in largest and n != name}}


def read(workdir: pathlib.Path, n_folds: int) -> list[FoldFeatures]:
    """The decoded features of all folds; none where a fold has not kept them.

    Runs of methods that decode none have none, nor have those of earlier versions.
    """
    paths = [_path(workdir, number) for number in range(n_folds)]
    return [fold_features.read(path) for path in paths] if all(p.exists() for p in paths) else []


def is_intact(workdir: pathlib.Path, number: int) -> bool:
    """Whether what a fold decoded can be read, or is not there; a corrupt file is set aside."""
    path = _path(workdir, number)
    try:
        if path.exists():
            fold_features.read(path)
    except CorruptError as error:
        place = set_aside(path)
        logging.warning(
            "%s is corrupt (%s): set aside as %s; the fold is computed again.",
            path,
            error,
            place.name,
        )
        return False
    return True


def results(
    folds: Sequence[FoldFeatures],
    rows: Rows,
    config: EvaluationConfig,
    weights: PerceptualWeights | None,
    labels: Labels = UNNAMED,
) -> tuple[FeatureResults | None, list[Note]]:
    """Scores over all folds, those of recovered images among them, and what a reader must know."""
    if not folds:
        return None, []
    unit_of = _unit_of(rows, labels)
    found = summarise(folds, config.n_bootstrap > 0, unit_of)
    images, stimulus = recovered(folds).values()
    if not len(images) or images.shape[1:] != rows.targets.shape[1:]:
        return found, []
    test = rows.main_test_set()
    first = [np.flatnonzero(test.stimulus == shown)[0] for shown in stimulus]
    per_image = score_images(test.targets[first], images, None, weights, config)
    units = np.asarray([unit_of[shown] for shown in stimulus.tolist()])
    found.recovery.update(summarise_images(per_image, units, config.n_bootstrap > 0))
    if "pixel_correlation" not in found.recovery:
        return found, []
    value = found.recovery["pixel_correlation"].value
    text = (
        "Recovery check: made of their true features (layers without pixels, latents, embeddings), "
        f"test images keep a pixel correlation of {value:.3f}: what is missing there the way from "
        "features to images has lost, not the recording."
    )
    return found, [Note("recovery_check", "info", text, {"pixel_correlation": value})]


def _unit_of(rows: Rows, labels: Labels) -> dict[int, int]:
    """Stimulus -> its unit, of all test sets; units of two sets have different numbers."""
    found: dict[int, int] = {}
    for split in rows.test_sets():
        part = rows.take(rows.split == split)
        first = max(found.values(), default=-1) + 1
        numbers = (first + evidence.units(part, labels)).tolist()
        for stimulus, unit in zip(part.stimulus.tolist(), numbers, strict=True):
            found.setdefault(stimulus, unit)
    return found


def recovered(folds: Sequence[FoldFeatures]) -> dict[str, np.ndarray]:
    """Images rendered from true features, and of which images, as `reconstructions.npz` has them.

    Empty where no fold has any.
    """
    if not folds:
        return {}
    return {
        name: np.concatenate([getattr(fold, name) for fold in folds])
        for name in ("recovered", "recovered_stimulus")
    }


def _path(workdir: pathlib.Path, number: int) -> pathlib.Path:
    return workdir / "folds" / f"{number:03d}.features.npz"
