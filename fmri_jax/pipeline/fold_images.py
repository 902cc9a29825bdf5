"""What a method and its baselines make of the trials of a fold, as rows."""

import dataclasses
import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from fmri_jax.data.images import centre_crop
from fmri_jax.data.preparation.folds import Fold, Trials
from fmri_jax.evaluation.baselines import BASELINES, FoldContext, Predict
from fmri_jax.evaluation.pair import vs_train
from fmri_jax.methods import Reconstructor
from fmri_jax.pipeline import finite, rows
from fmri_jax.pipeline.rows import METHOD, Rows
from fmri_jax.training import needs

# A method's images of trials, and what is shown beside them: label -> images.
Pictured = tuple[np.ndarray, dict[str, np.ndarray]]


def needed(tested: Mapping[str, Trials], folds: int = 1) -> needs.Needs:
    """The rows of folds: targets, reconstructions and as many images of each baseline.

    Args:
        tested: trials of a fold by their set.
        folds: how many such folds are to be kept on disk; one is held in memory.
    """
    kinds = 2 + len(BASELINES)
    n_bytes = 4 * kinds * sum(len(of.fmri) * of.images[0].size for of in tested.values())
    cure = "use smaller images (config.preparation.image_size)"
    return needs.Needs(host=n_bytes, disk=folds * n_bytes, cure=cure)


def reconstruct(reconstructor: Reconstructor) -> Callable[[Any], np.ndarray]:
    """Responses (n, voxels) -> images (n, h, w, c) float32 on the host."""
    return lambda fmri: np.asarray(reconstructor.reconstruct(jnp.asarray(fmri)), np.float32)


def pictured_by(reconstructor: Reconstructor) -> Callable[[Trials], Pictured]:
    """Trials -> their images, and what the model shows beside them where it shows anything."""
    beside = getattr(reconstructor, "reconstruct_beside", None)

    def pictured(trials: Trials) -> Pictured:
        if beside is None:
            return reconstruct(reconstructor)(trials.fmri), {}
        images, others = beside(jnp.asarray(trials.fmri))
        return np.asarray(images, np.float32), others

    return pictured


def controls(reconstructor: Any, fold: Fold, number: int, asked: bool) -> Mapping[str, Any]:
    """Controls that a fitted model offers, where they are asked for."""
    offered = hasattr(reconstructor, "controls") and asked
    return reconstructor.controls(fold, number) if offered else {}


def prepared(
    context: FoldContext, tested: Mapping[str, Trials], known: Collection[str] = ()
) -> dict[str, Predict]:
    """Baselines that can be made of a fold and are not `known`, fitted to its training trials.

    Those that do not ask the method are the same for all methods that are fitted to the fold: what
    they make of the trials in `tested` is kept with these.
    """
    predict = {}
    for name, baseline in BASELINES.items():
        if name in known or not baseline.prepare or not baseline.applies(context):
            continue
        if baseline.needs_method:
            predict[name] = baseline.prepare(context)
            continue
        predict[name] = _kept(name, baseline.prepare, FoldContext(context.fold, context.number))
        for trials in tested.values():
            predict[name](trials)
    return predict


def _kept(name: str, prepare: Callable[[FoldContext], Predict], context: FoldContext) -> Predict:
    """A baseline that is fitted and applied once for all methods of the fold."""
    fitted = functools.cache(lambda: prepare(context))
    return lambda trials: trials.once(("baseline", name), lambda: fitted()(trials))


def predicted(
    split: str,
    trials: Trials,
    context: FoldContext,
    predict: Mapping[str, Predict],
    pictured: Callable[[Trials], Pictured] | None = None,
    shape: tuple[int, ...] = (),
) -> Rows:
    """What the method and its baselines make of one set of trials.

    A method that learns from random crops reconstructs the middle of an image: there all are
    compared, at its `shape` (height, width, channels). Where an image takes as long as the method
    itself, controls are made of the main test set alone, and shuffled fMRI of no training images:
    elsewhere they are NaN.
    """
    n, beside = len(trials.fmri), dict[str, np.ndarray]()
    of_training, main = split == "train", trials is context.fold.main_test()
    skipped = [
        name
        for name in predict
        if (BASELINES[name].control and not main) or (BASELINES[name].needs_method and of_training)
    ]
    images = {name: of(trials) for name, of in predict.items() if name not in skipped}
    if pictured:
        images[METHOD], beside = pictured(trials)
        finite.check_images(images[METHOD], split, context.fold.name)
    height, width = (shape or images[METHOD].shape[1:])[:2]
    crop = functools.partial(centre_crop, height=height, width=width)
    targets, seen = crop(trials.targets()), crop(context.training_images())
    cropped = {name: crop(stack) for name, stack in images.items()}
    ranked = {n: _vs_train(n, trials, targets, stack, seen) for n, stack in cropped.items()}
    cropped |= dict.fromkeys(skipped, np.full(targets.shape, np.nan, np.float32))
    ranked |= dict.fromkeys(skipped, np.full((n, 2), np.nan))
    return Rows(
        targets=targets,
        predictions=cropped,
        vs_train=ranked,
        stimulus=trials.stimulus,
        split=np.full(n, split),
        fold=np.full(n, context.fold.name),
        beside={label: crop(stack) for label, stack in beside.items()},
    )


def _vs_train(
    name: str, trials: Trials, targets: np.ndarray, images: np.ndarray, seen: np.ndarray
) -> np.ndarray:
    """How often the target is identified among the fold's training images `seen`.

    Kept with the trials, as the images are, for a baseline that does not ask the method.
    """
    if name == METHOD or BASELINES[name].needs_method:
        return vs_train(targets, images, seen)
    return trials.once(("vs_train", name, images.shape), lambda: vs_train(targets, images, seen))


def completed(found: Rows, tested: Mapping[str, Trials], context: FoldContext) -> Rows:
    """Adds the baselines that an earlier version did not make, where its rows are the same."""
    predict = prepared(context, tested, known=found.predictions)
    stimulus = np.concatenate([trials.stimulus for trials in tested.values()])
    if not predict or not np.array_equal(stimulus, found.stimulus):
        return found
    shape = found.targets.shape[1:]
    added = rows.concatenate(
        [
            predicted(split, trials, context, predict, shape=shape)
            for split, trials in tested.items()
        ]
    )
    return dataclasses.replace(
        found,
        predictions=found.predictions | added.predictions,
        vs_train=found.vs_train | added.vs_train,
    )
