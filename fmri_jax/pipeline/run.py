"""One experiment, from its config to its report. The only file that sees every room."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from fmri_jax import methods, pretrained, report
from fmri_jax.data.preparation.folds import Fold, count_folds, folds
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.evaluation import perceptual, registry
from fmri_jax.evaluation.results import Results
from fmri_jax.files import cache_folder, replacing
from fmri_jax.pipeline import (
    cross_validation,
    decoders,
    diagnostics,
    experiment_config,
    recording_identity,
)
from fmri_jax.pipeline.cross_validation import Rows
from fmri_jax.pipeline.experiment_config import Experiment
from fmri_jax.pipeline.scoring import score_run
from fmri_jax.pipeline.workdir import (
    Phases,
    claim,
    is_outdated,
    is_scored,
    provenance,
    read_json,
    take_back_results,
    write_json,
    writing_to,
)
from fmri_jax.training.mesh import make_mesh

TRAINING_SAMPLE = 50  # training images that are reconstructed beside the test images


def run(
    config: Mapping[str, Any],
    workdir: pathlib.Path,
    progress: bool = True,
    command: str = "",
    rescore: bool = False,
    recording: Recording | None = None,
) -> pathlib.Path:
    """Runs one experiment, or goes on with it where it was stopped.

    What only concerns the scores and the page (`title`, `text`, `evaluation`) may differ from an
    earlier start: finished folds are kept, and scored again.

    Args:
        config: a `ConfigDict` or nested dict, as an experiment file returns it.
        workdir: the folder of the run; new, empty, or of this very run.
        progress: whether to draw progress bars.
        command: the command line that runs this experiment again, for the report.
        rescore: whether finished folds are scored again though the config is the same.
        recording: taken instead of the one that the config names.

    Returns:
        The path of `report.html`.

    Raises:
        InputError: something given cannot be used, in which case nothing was overwritten; or the
            disk is full, in which case what was finished is kept.
        NotFiniteError: training diverged; the last good checkpoint was kept.
    """
    use_compilation_cache()
    with writing_to(workdir):
        return _run(config, workdir, progress, command, rescore, recording)


def _run(
    config: Mapping[str, Any],
    workdir: pathlib.Path,
    progress: bool,
    command: str,
    rescore: bool,
    recording: Recording | None,
) -> pathlib.Path:
    """From the config to the page, or from what an earlier start has finished."""
    plain = config.to_dict() if hasattr(config, "to_dict") else dict(config)
    options = experiment_config.read(plain)
    page = workdir / "report.html"
    begun = claim(workdir, plain)
    earlier = _earlier(workdir) if begun else {}
    finished = page.exists() and not (rescore or is_outdated(workdir, plain))
    if finished and recording is None and _files_unchanged(earlier, options):
        return page
    mesh = make_mesh(options.n_devices)
    # The time that earlier scores took says nothing of those that replace them.
    phases = Phases([phase for phase in earlier.get("phases", []) if phase["name"] != "score"])
    if recording is None:
        with phases.measure("load"):
            recording = recording_identity.load(options)
    same = recording_identity.go_on_with(
        workdir, earlier, recording_identity.identity(options, recording)
    )
    about = _about(options, recording, same) | ({"command": command} if command else {})
    if finished:
        return page

    learned = dict(earlier.get("learned", {}))

    def keep() -> None:
        if is_scored(workdir):
            return  # run.json stays that of the scores which are there
        found = {"learned": learned} if learned else {}
        write_json(workdir / "run.json", {**about, **found, "phases": phases.done})

    keep()
    rows, splits = _all_folds(options, recording, workdir, mesh, phases, learned, keep, progress)
    with phases.measure("score"):
        scores = _scores(options, recording, rows, splits)
    take_back_results(workdir)
    _write_reconstructions(workdir, rows)
    write_json(workdir / "config.json", plain)
    keep()
    write_json(workdir / "scores.json", scores.to_json())
    return report.write(workdir)


def use_compilation_cache() -> None:
    """Keeps compiled programs in the user's cache folder, so that only a first run compiles.

    Without a folder that can be written each run compiles.
    """
    if not jax.config.values["jax_compilation_cache_dir"]:
        try:
            folder = cache_folder() / "xla"
            folder.mkdir(parents=True, exist_ok=True)
        except (InputError, OSError):
            return
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def _all_folds(
    options: Experiment,
    recording: Recording,
    workdir: pathlib.Path,
    mesh: jax.sharding.Mesh,
    phases: Phases,
    learned: dict[str, Any],
    keep: Callable[[], None],
    progress: bool,
) -> tuple[Rows, list[Fold]]:
    """Fits and reconstructs every fold; `keep` writes down what each took and learned.

    Returns:
        The rows of all folds, and the folds without their responses.
    """
    with phases.measure("prepare"):
        clusters = diagnostics.clusters(options, recording)
        n_folds = count_folds(recording, options.preparation, clusters)
    method = methods.package(options.method_name).build(options.method_config)
    n_train = -(-TRAINING_SAMPLE // n_folds)
    # One fold's trials at a time: those of all are as many copies of the recording.
    prepared = folds(recording, options.preparation, clusters)
    keep_decoder = functools.partial(decoders.keep, options, recording, workdir)
    parts, done = [], []
    for number in range(n_folds):
        with phases.measure("prepare"):
            fold = next(prepared)
        if number == 0:
            experiment_config.check_images(options.evaluation, fold, n_folds)
        context = methods.RunContext(
            workdir=workdir,
            fold=fold.name,
            key=methods.fold_key(options.seed, number),
            mesh=mesh,
            progress=progress,
        )
        parts.append(
            cross_validation.run_fold(
                fold, number, n_train, method, context, phases, learned, keep_decoder
            )
        )
        done.append(fold.without_responses())
        del fold, context
        keep()
    return cross_validation.concatenate(parts), done


def _scores(options: Experiment, recording: Recording, rows: Rows, splits: list[Fold]) -> Results:
    weights = None
    if options.evaluation.perceptual:
        weights = perceptual.PerceptualWeights(
            pretrained.load("alexnet"), pretrained.load("lpips_alexnet")
        )
    n_train = np.concatenate([fold.distractors() for fold in splits])
    scores = score_run(rows, recording.stimulus_names, n_train, options.evaluation, weights)
    scored = [registry.metric(name) for name in scores.test]
    scored += [registry.EIGHT_NUMBERS[number] for number in scores.eight_numbers]
    found = diagnostics.examine(options, recording, splits, rows, scored)
    return dataclasses.replace(
        scores, notes=(*scores.notes, *found.notes), diagnostics=found.numbers
    )


def _about(
    options: Experiment, recording: Recording, identity: Mapping[str, Any]
) -> dict[str, Any]:
    """What `run.json` says: where everything came from."""
    return {
        "title": options.title,
        "text": options.text,
        "seed": options.seed,
        "method": options.method_name,
        **provenance(),
        "data": {
            "name": options.data_name,
            "description": recording.description,
            "simulated": recording.simulated,
            **identity,
            "files": recording_identity.stamps(options),
            "trials": len(recording.fmri),
            "stimuli": len(recording.images),
            "voxels": int(recording.roi(options.preparation.roi).sum()),
            "roi": options.preparation.roi,
            "rois": {name: int(mask.sum()) for name, mask in recording.rois.items()},
        },
    }


def _earlier(workdir: pathlib.Path) -> dict[str, Any]:
    """What a run that was stopped or finished has written into `run.json`."""
    path = workdir / "run.json"
    if not path.exists():
        return {}
    try:
        content = read_json(path)
        parts = {"data": dict, "phases": list, "learned": dict}
        if not isinstance(content, dict) or any(
            not isinstance(content.get(name, kind()), kind) for name, kind in parts.items()
        ):
            raise ValueError("it is not what a run writes")
    except (OSError, ValueError) as error:  # ValueError: neither JSON nor text, too
        raise InputError(
            f"{path} cannot be read ({error}): expected what this run has written of itself; "
            "delete it, and report.html where there is one, and the run goes on from its finished "
            "folds."
        ) from error
    return content


def _files_unchanged(earlier: Mapping[str, Any], options: Experiment) -> bool:
    """Whether a finished run need not read its recording again; absent files tell nothing."""
    before = earlier.get("data", {}).get("files", {})
    return all(
        before.get(name, now) == now for name, now in recording_identity.stamps(options).items()
    )


def _write_reconstructions(workdir: pathlib.Path, rows: Rows) -> None:
    path = workdir / "reconstructions.npz"
    with replacing(path) as unfinished, unfinished.open("wb") as stream:
        np.savez_compressed(
            stream,
            targets=rows.targets,
            reconstructions=rows.reconstructions,
            baseline_ridge=rows.ridge,
            stimulus=rows.stimulus,
            split=rows.split,
            fold=rows.fold,
        )
