"""Fits a method fold by fold and keeps what each fold reconstructed, so that nothing is done twice.

A fold is one split into training and test trials; a recording with its own split has one fold. The
rows of a finished fold lie in `folds/<number>.npz`: a killed run resumes with the next one.
"""

import dataclasses
import functools
import math
import pathlib
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from fmri_jax import methods
from fmri_jax.data.images import centre_crop
from fmri_jax.data.preparation.folds import Fold, Trials, count_folds
from fmri_jax.data.recording import Recording
from fmri_jax.evaluation.baselines import BASELINES, FoldContext, Predict
from fmri_jax.evaluation.pair import vs_train
from fmri_jax.files import set_aside
from fmri_jax.methods import Method, Reconstructor, RunContext
from fmri_jax.pipeline import (
    bottleneck,
    decoders,
    diagnostics,
    experiment_config,
    feature_diagnostics,
    finite,
    foresight,
    rows,
    unlabelled,
)
from fmri_jax.pipeline.experiment_config import Experiment
from fmri_jax.pipeline.rows import METHOD, Rows
from fmri_jax.pipeline.run_record import RunRecord
from fmri_jax.pipeline.shared_folds import SharedFolds
from fmri_jax.training import needs

# A method's images of trials, and what is shown beside them: label -> images.
Pictured = tuple[np.ndarray, dict[str, np.ndarray]]

TRAINING_SAMPLE = 50  # training images of all folds that are reconstructed beside the test images


def run_folds(
    options: Experiment,
    recording: Recording,
    shared: SharedFolds,
    record: RunRecord,
    mesh: jax.sharding.Mesh,
    progress: bool,
    begin: Callable[[int], None] | None = None,
) -> tuple[Rows, list[Fold]]:
    """Fits and reconstructs every fold; the record keeps what each took and learned.

    `begin` is called with the number of a fold before it is fitted, and not if it was before.

    Returns:
        The rows of all folds, and the folds without their responses.
    """
    with record.measure("prepare"):
        clusters = diagnostics.clusters(options, recording)
        n_folds = count_folds(recording, options.preparation, clusters)
    if progress:
        for sentence in foresight.foreseen(options, recording, n_folds):
            logging.warning("%s", sentence)
    method = methods.package(options.method_name).build(options.method_config)
    n_train = -(-TRAINING_SAMPLE // n_folds)
    # One fold's trials at a time: those of all are as many copies of the recording.
    prepared = shared.folds(options, recording, clusters)
    keep = functools.partial(decoders.keep, options, recording, record.workdir)
    diagnose = feature_diagnostics.of_method(options, recording)
    teach = functools.partial(unlabelled.taught, options, recording)
    parts, done = [], []
    began, before = time.perf_counter(), foresight.n_bytes(record.workdir)
    for number in range(n_folds):
        with record.measure("prepare"):
            fold = bottleneck.narrowed(options, next(prepared))
        if number == 0:
            experiment_config.check_images(options.evaluation, fold, n_folds)
        context = RunContext(
            workdir=record.workdir,
            fold=fold.name,
            key=methods.fold_key(options.seed, number),
            mesh=mesh,
            progress=progress,
        )
        controlled = options.evaluation.controls
        parts.append(
            run_fold(
                fold,
                number,
                n_train,
                method,
                context,
                record,
                keep,
                diagnose,
                controlled,
                begin,
                teach,
            )
        )
        done.append(fold.without_responses())
        del fold, context
        record.save()
        if progress and number == 0 and n_folds > 1:
            left = foresight.n_bytes(record.workdir) - before
            took = time.perf_counter() - began
            needs.say(foresight.remaining(n_folds, took, left))
    return rows.concatenate(parts), done


def run_fold(
    fold: Fold,
    number: int,
    n_train: int,
    method: Method,
    context: RunContext,
    record: RunRecord,
    keep: Callable[[Fold, Reconstructor], object] | None = None,
    diagnose: feature_diagnostics.Diagnose | None = None,
    controlled: bool = True,
    begin: Callable[[int], None] | None = None,
    teach: Callable[[Fold, int], Trials] | None = None,
) -> Rows:
    """Fits the method on one fold and reconstructs its test trials, or reads what was kept.

    Args:
        fold: training and test trials.
        number: of the fold, names its file.
        n_train: how many training trials are reconstructed beside the test trials.
        method: what is fitted.
        context: of this fold.
        record: takes the time of each phase, and what the fitted model says of itself where it has
            a method `summary`.
        keep: writes the fitted decoder into the run's folder; None keeps none.
        diagnose: writes what the fitted model decodes of features beside the fold's rows.
        controlled: whether controls that the fitted model offers are made, too.
        begin: called with the number before the method is fitted.
        teach: the trials that the method learns from; None: the training trials.

    Returns:
        The fold's rows.
    """
    sample = fold.train.once(("sample", n_train), lambda: _sample(fold, number, n_train))
    tested = {**fold.tests, "train": sample}
    finished = _finished(context.workdir, number, fold.name)
    if finished is not None:
        return _completed(finished, tested, FoldContext(fold, number))
    needs.check(_needs(tested), context, "what a fold keeps of its images")
    if begin:
        begin(number)
    with record.measure("fit"):
        reconstructor = method.fit(teach(fold, number) if teach else fold.train, context)
    finite.check_fit(reconstructor, fold.name)
    if keep:
        with record.measure("keep decoder"):
            keep(fold, reconstructor)
    if hasattr(reconstructor, "summary"):
        record.learned[fold.name] = reconstructor.summary()

    baselines = FoldContext(
        fold,
        number,
        _reconstruct(reconstructor),
        _controls(reconstructor, fold, number, controlled),
    )
    with record.measure("baselines"):
        predict = _prepared(baselines, tested)
        chosen = {name: b.summary(baselines) for name, b in BASELINES.items() if b.summary}
        record.baselines[fold.name] = chosen
    with record.measure("reconstruct"):
        parts = [
            _predicted(split, trials, baselines, predict, _pictured(reconstructor))
            for split, trials in tested.items()
        ]
    if diagnose:
        with record.measure("diagnose"):
            diagnose(fold, number, reconstructor, context)
    made = rows.concatenate(parts)
    rows.write(
        _path(context.workdir, number), made
    )  # last: a fold that has its rows has everything
    return made


def _needs(tested: Mapping[str, Trials]) -> needs.Needs:
    """The rows of a fold: targets, reconstructions and as many images of each baseline."""
    kinds = 2 + len(BASELINES)
    n_bytes = 4 * kinds * sum(len(of.fmri) * of.images[0].size for of in tested.values())
    cure = "use smaller images (config.preparation.image_size)"
    return needs.Needs(host=n_bytes, disk=n_bytes, cure=cure)


def _reconstruct(reconstructor: Reconstructor) -> Callable[[Any], np.ndarray]:
    """Responses (n, voxels) -> images (n, h, w, c) float32 on the host."""
    return lambda fmri: np.asarray(reconstructor.reconstruct(jnp.asarray(fmri)), np.float32)


def _pictured(reconstructor: Reconstructor) -> Callable[[Trials], Pictured]:
    """Trials -> their images, and what the model shows beside them where it shows anything."""
    beside = getattr(reconstructor, "reconstruct_beside", None)

    def pictured(trials: Trials) -> Pictured:
        if beside is None:
            return _reconstruct(reconstructor)(trials.fmri), {}
        images, others = beside(jnp.asarray(trials.fmri))
        return np.asarray(images, np.float32), others

    return pictured


def _controls(reconstructor: Any, fold: Fold, number: int, asked: bool) -> Mapping[str, Any]:
    """Controls that a fitted model offers, where they are asked for."""
    offered = hasattr(reconstructor, "controls") and asked
    return reconstructor.controls(fold, number) if offered else {}


def _path(workdir: pathlib.Path, number: int) -> pathlib.Path:
    return workdir / "folds" / f"{number:03d}.npz"


def _finished(workdir: pathlib.Path, number: int, fold: str) -> Rows | None:
    """The rows of a fold whose files are all as they were written, or None."""
    path = _path(workdir, number)
    intact = feature_diagnostics.is_intact(workdir, number) and decoders.is_intact(workdir, fold)
    if path.exists() and not intact:
        set_aside(path)
    return rows.read(path, fold)


def _prepared(
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


def _predicted(
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


def _completed(found: Rows, tested: Mapping[str, Trials], context: FoldContext) -> Rows:
    """Adds the baselines that an earlier version did not make, where its rows are the same."""
    predict = _prepared(context, tested, known=found.predictions)
    stimulus = np.concatenate([trials.stimulus for trials in tested.values()])
    if not predict or not np.array_equal(stimulus, found.stimulus):
        return found
    shape = found.targets.shape[1:]
    added = rows.concatenate(
        [
            _predicted(split, trials, context, predict, shape=shape)
            for split, trials in tested.items()
        ]
    )
    return dataclasses.replace(
        found,
        predictions=found.predictions | added.predictions,
        vs_train=found.vs_train | added.vs_train,
    )


def _sample(fold: Fold, number: int, n: int) -> Trials:
    """One trial of each of `n` training stimuli, spread evenly over them.

    Of several folds each takes other stimuli, whichever folds were done before: together they show
    nearly as many as they have rows.
    """
    train = fold.train
    seen, first = np.unique(train.stimulus, return_index=True)
    if fold.is_only:
        return train.take(first[np.linspace(0, len(first) - 1, min(n, len(first))).astype(int)])
    tested = [trials.stimulus for trials in fold.tests.values()]
    everyone = np.unique(np.concatenate([seen, *tested]))  # in all folds, but for validation ones
    due = np.roll(everyone[_spread(len(everyone))], -number * n)
    # What this fold leaves out is replaced by stimuli that are furthest from their turn.
    due = np.concatenate([due[:n], np.roll(due[n:], -(len(due[n:]) // 2))])
    chosen = np.sort(due[np.isin(due, seen)][:n])
    return train.take(first[np.searchsorted(seen, chosen)])


def _spread(n: int) -> np.ndarray:
    """(n,) an order of `range(n)` of which every stretch is spread evenly: golden-ratio steps."""
    step = max(1, round(0.618 * n))
    while math.gcd(step, n) != 1:  # or the steps would come back before they have met all
        step += 1
    return np.arange(n) * step % n
