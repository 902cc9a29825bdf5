"""Fits a method fold by fold and keeps what each fold reconstructed, so that nothing is done twice.

A fold is one split into training and test trials; a recording with its own split has one fold. The
rows of a finished fold lie in `folds/<number>.npz`: a killed run resumes with the next one.
"""

import dataclasses
import functools
import pathlib
import time
from collections.abc import Callable

import jax
from absl import logging

from fmri_jax import methods
from fmri_jax.data.preparation.folds import Fold, Trials, count_folds
from fmri_jax.data.recording import Recording
from fmri_jax.evaluation.baselines import BASELINES, FoldContext
from fmri_jax.files import set_aside
from fmri_jax.methods import Method, Reconstructor, RunContext
from fmri_jax.pipeline import (
    decoders,
    diagnostics,
    experiment_config,
    feature_diagnostics,
    finite,
    fold_costs,
    fold_images,
    foresight,
    recoding,
    rows,
    unlabelled,
)
from fmri_jax.pipeline.experiment_config import Experiment
from fmri_jax.pipeline.rows import Rows
from fmri_jax.pipeline.run_record import RunRecord
from fmri_jax.pipeline.shared_folds import SharedFolds
from fmri_jax.pipeline.training_sample import training_sample
from fmri_jax.report.text.text_format import count
from fmri_jax.training import needs

TRAINING_SAMPLE = 50  # training images of all folds that are reconstructed beside the test images


@dataclasses.dataclass(frozen=True)
class Steps:
    """What is done of each fold beside fitting and reconstructing; all of it may be left out.

    Attributes:
        teach: the trials that the method learns from; None: the training trials.
        begin: called with the number of a fold before the method is fitted to it.
        keep: writes the fitted decoder into the run's folder.
        diagnose: writes what the fitted model decodes of features beside the fold's rows.
        controlled: whether controls that the fitted model offers are made, too.
    """

    teach: Callable[[Fold, int], Trials] | None = None
    begin: Callable[[int], None] | None = None
    keep: Callable[[Fold, Reconstructor], object] | None = None
    diagnose: feature_diagnostics.Diagnose | None = None
    controlled: bool = True


NOTHING_BESIDE = Steps()


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
    steps = Steps(
        teach=functools.partial(unlabelled.taught, options, recording),
        begin=begin,
        keep=functools.partial(decoders.keep, options, recording, record.workdir),
        diagnose=feature_diagnostics.of_method(options, recording),
        controlled=options.evaluation.controls,
    )
    parts, done = [], []
    began, before = time.perf_counter(), foresight.n_bytes(record.workdir)
    for number in range(n_folds):
        with record.measure("prepare"):
            fold = recoding.recoded(options, next(prepared))
        if number == 0:
            experiment_config.check_images(options.evaluation, fold, n_folds)
        context = RunContext(
            workdir=record.workdir,
            fold=fold.name,
            key=methods.fold_key(options.seed, number),
            mesh=mesh,
            progress=progress,
        )
        left = n_folds - number
        if progress and number == 0 and n_folds > 1:
            needs.say(fold_costs.of_run(options, fold, n_folds, n_train))
        parts.append(run_fold(fold, number, n_train, method, context, record, steps, left))
        done.append(fold.without_responses())
        del fold, context
        record.save()
        if progress and number == 0 and n_folds > 1:
            kept = foresight.n_bytes(record.workdir) - before
            took = time.perf_counter() - began
            needs.say(foresight.remaining(n_folds, took, kept))
    return rows.concatenate(parts), done


def run_fold(
    fold: Fold,
    number: int,
    n_train: int,
    method: Method,
    context: RunContext,
    record: RunRecord,
    steps: Steps = NOTHING_BESIDE,
    left: int = 1,
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
        steps: what is done beside.
        left: how many folds are to be done, this one among them: there must be room for their
            images before the first fit.

    Returns:
        The fold's rows.
    """
    sample = fold.train.once(("sample", n_train), lambda: training_sample(fold, number, n_train))
    tested = {**fold.tests, "train": sample}
    finished = _finished(context.workdir, number, fold.name)
    if finished is not None:
        return fold_images.completed(finished, tested, FoldContext(fold, number))
    said = dataclasses.replace(context, progress=context.progress and number == 0)
    what = f"keeping the images of {count(left, 'fold')}"
    needs.check(fold_images.needed(tested, left), said, what)
    reconstructor = _fitted(fold, number, method, context, record, steps)
    controls = fold_images.controls(reconstructor, fold, number, steps.controlled)
    baselines = FoldContext(fold, number, fold_images.reconstruct(reconstructor), controls)
    with record.measure("baselines"):
        predict = fold_images.prepared(baselines, tested)
        chosen = {name: b.summary(baselines) for name, b in BASELINES.items() if b.summary}
        record.baselines[fold.name] = chosen
    with record.measure("reconstruct"):
        pictured = fold_images.pictured_by(reconstructor)
        parts = [
            fold_images.predicted(split, trials, baselines, predict, pictured)
            for split, trials in tested.items()
        ]
    if steps.diagnose:
        with record.measure("diagnose"):
            steps.diagnose(fold, number, reconstructor, context)
    made = rows.concatenate(parts)
    # Last: a fold that has its rows has everything.
    rows.write(_path(context.workdir, number), made)
    return made


def _fitted(
    fold: Fold, number: int, method: Method, context: RunContext, record: RunRecord, steps: Steps
) -> Reconstructor:
    """The method fitted to a fold, checked and kept."""
    if steps.begin:
        steps.begin(number)
    with record.measure("fit"):
        taught = steps.teach(fold, number) if steps.teach else fold.train
        reconstructor = method.fit(taught, context)
    finite.check_fit(reconstructor, fold.name)
    if steps.keep:
        with record.measure("keep decoder"):
            steps.keep(fold, reconstructor)
    if hasattr(reconstructor, "summary"):
        record.learned[fold.name] = reconstructor.summary()
    return reconstructor


def _path(workdir: pathlib.Path, number: int) -> pathlib.Path:
    return workdir / "folds" / f"{number:03d}.npz"


def _finished(workdir: pathlib.Path, number: int, fold: str) -> Rows | None:
    """The rows of a fold whose files are all as they were written, or None."""
    path = _path(workdir, number)
    intact = feature_diagnostics.is_intact(workdir, number) and decoders.is_intact(workdir, fold)
    if path.exists() and not intact:
        set_aside(path)
    return rows.read(path, fold)
