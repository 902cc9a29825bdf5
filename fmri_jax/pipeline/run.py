"""One experiment, from its config to its report. The only file that sees every package."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import logging

from fmri_jax import compiled_programs, methods, report
from fmri_jax.data.preparation.folds import Fold
from fmri_jax.data.recording import Recording
from fmri_jax.evaluation import registry
from fmri_jax.evaluation.fold_features import FoldFeatures
from fmri_jax.evaluation.results import Results
from fmri_jax.pipeline import (
    collapse,
    computer,
    control_notes,
    cross_validation,
    diagnostics,
    experiment_config,
    feature_diagnostics,
    integrity,
    method_figures,
    recording_identity,
    roi_activation,
)
from fmri_jax.pipeline.evidence import Labels
from fmri_jax.pipeline.experiment_config import Experiment
from fmri_jax.pipeline.json_files import write_json
from fmri_jax.pipeline.rows import Rows, write_reconstructions
from fmri_jax.pipeline.run_record import RunRecord
from fmri_jax.pipeline.scoring import perceptual_weights, score_run
from fmri_jax.pipeline.shared_folds import SharedFolds
from fmri_jax.pipeline.shared_results import UNSHARED, SharedResults
from fmri_jax.pipeline.workdir import (
    FOLDS_OF,
    claim,
    folds_of,
    is_finished,
    is_outdated,
    provenance,
    take_back_results,
    writing_to,
)
from fmri_jax.training.group import ALONE, Group
from fmri_jax.training.mesh import make_mesh


def run(
    config: Mapping[str, Any],
    workdir: pathlib.Path,
    progress: bool = True,
    command: str = "",
    rescore: bool = False,
    recording: Recording | None = None,
    shared: SharedFolds | None = None,
    group: Group = ALONE,
) -> pathlib.Path:
    """Runs one experiment, or resumes it where it was stopped.

    What only concerns the scores and the page (`title`, `text`, `evaluation`) may differ from an
    earlier start: finished folds are kept, and scored again.

    Args:
        config: a `ConfigDict` or nested dict, as an experiment file returns it.
        workdir: the folder of the run; new, empty, or of this very run.
        progress: whether to draw progress bars.
        command: the command line that runs this experiment again, for the report.
        rescore: whether finished folds are scored again though the config is the same.
        recording: taken instead of the one that the config names.
        shared: what earlier runs of a sweep have loaded and prepared; takes what this one does.
        group: of process 0, where several work on this run; the others call `followers.follow`.

    Returns:
        The path of `report.html`.

    Raises:
        InputError: something given cannot be used, in which case nothing was overwritten; or the
            disk is full, in which case what was finished is kept.
        NotFiniteError: training diverged; the last good checkpoint was kept.
    """
    compiled_programs.keep()
    with writing_to(workdir):
        shared = shared or SharedFolds(limit=0, results=UNSHARED)
        return _run(config, workdir, progress, command, rescore, recording, shared, group)


def _run(
    config: Mapping[str, Any],
    workdir: pathlib.Path,
    progress: bool,
    command: str,
    rescore: bool,
    recording: Recording | None,
    shared: SharedFolds,
    group: Group,
) -> pathlib.Path:
    """From the config to the page, or from what an earlier start has finished."""
    plain = config.to_dict() if hasattr(config, "to_dict") else dict(config)
    options = experiment_config.read(plain)
    page = workdir / "report.html"
    if not os.access(workdir, os.W_OK) and is_finished(workdir, plain) and not rescore:
        if not integrity.damaged(workdir):
            return page  # on a disk that takes no more
    record = RunRecord.read(workdir) if claim(workdir, plain) else RunRecord(workdir)
    finished = page.exists() and not (rescore or is_outdated(workdir, plain))
    if integrity.mend(workdir):
        finished = False
    if finished and recording is None and _files_unchanged(record.about, options):
        return page
    together = bool(group.n_others)
    together &= methods.trains_together(options.method_name, options.method_config)
    mesh = make_mesh(options.n_devices, of_all_processes=together)
    if recording is None:
        with record.measure("load"):
            recording = shared.recording(options)
    identity = recording_identity.identity(options, recording)
    same = recording_identity.go_on_with(workdir, record.about, identity)
    if finished:
        return page
    if told := computer.changed(record.about.get("computer"), computer.describe()):
        logging.warning("%s", told)
    record.about = _about(options, recording, same, plain) | (
        {"command": command} if command else {}
    )
    record.save()
    begin = (lambda number: group.tell({"fit": number})) if together else None
    given = options, recording, shared, record, mesh, progress
    rows, splits = cross_validation.run_folds(*given, begin)
    with record.measure("score"):
        features = feature_diagnostics.read(workdir, len(splits))
        results = _results(options, recording, rows, splits, features, shared.results)
        collapsed = collapse.notes(workdir, rows)
        results = dataclasses.replace(results, notes=(*results.notes, *collapsed))
    take_back_results(workdir)
    record.figures = method_figures.draw(
        options, workdir, [fold.name for fold in splits], recording
    )
    captions, activation = roi_activation.draw(
        options, workdir, [fold.name for fold in splits], recording
    )
    record.figures |= captions
    more = feature_diagnostics.recovered(features) | activation
    write_reconstructions(workdir / "reconstructions.npz", rows, more)
    write_json(workdir / "config.json", plain)
    record.save()
    write_json(workdir / "scores.json", results.to_json())
    page = report.write(workdir)
    integrity.seal(workdir)
    return page


def _results(
    options: Experiment,
    recording: Recording,
    rows: Rows,
    splits: list[Fold],
    folds: list[FoldFeatures],
    shared: SharedResults,
) -> Results:
    evaluation = options.evaluation
    which = "weights", evaluation.perceptual, evaluation.metrics
    weights = shared.once(which, lambda: perceptual_weights(evaluation))
    n_train = np.concatenate([fold.distractors() for fold in splits])
    names, labels = recording.stimulus_names, Labels.of(recording)
    results = score_run(rows, names, n_train, evaluation, weights, labels, shared)
    scored = [registry.metric(name) for name in results.test]
    scored += [registry.EIGHT_NUMBERS[number] for number in results.eight_numbers]
    found = diagnostics.examine(options, recording, splits, rows, scored, shared)
    features, remarks = feature_diagnostics.results(folds, rows, evaluation, weights, labels)
    notes = (*results.notes, *found.notes, *control_notes.of_run(results, rows), *remarks)
    return dataclasses.replace(results, notes=notes, diagnostics=found.numbers, features=features)


def _about(
    options: Experiment,
    recording: Recording,
    identity: Mapping[str, Any],
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """What `run.json` holds of where everything came from."""
    return {
        "title": options.title,
        "text": options.text,
        "seed": options.seed,
        "method": options.method_name,
        FOLDS_OF: folds_of(config),
        **provenance(),
        "data": {
            "name": options.data_name,
            "description": recording.description,
            "simulated": recording.simulated,
            "modality": recording.modality,
            "subject": recording.subject,
            **identity,
            "files": recording_identity.stamps(options),
            "trials": len(recording.fmri),
            "stimuli": len(recording.images),
            "voxels": int(recording.roi(options.preparation.roi).sum()),
            "roi": options.preparation.roi,
            "rois": {name: int(mask.sum()) for name, mask in recording.rois.items()},
        },
    }


def _files_unchanged(about: Mapping[str, Any], options: Experiment) -> bool:
    """Whether a finished run need not read its recording again; absent files do not count."""
    before = about.get("data", {}).get("files", {})
    return all(
        before.get(name, now) == now for name, now in recording_identity.stamps(options).items()
    )
