"""One experiment, from its config to its report. The only file that sees every room."""

import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from fmri_jax import crossvalidation, experiment, methods, pretrained, recording, report, trust
from fmri_jax.crossvalidation import Rows
from fmri_jax.data.preparation import Fold, folds
from fmri_jax.data.session import Session
from fmri_jax.evaluation import perceptual
from fmri_jax.experiment import Experiment
from fmri_jax.scoring import score_run
from fmri_jax.training.mesh import make_mesh
from fmri_jax.workdir import Phases, claim, provenance, read_json, replacing, write_json

TRAINING_SAMPLE = 50  # training images that are reconstructed beside the test images


def run(
    config: Mapping[str, Any], workdir: pathlib.Path, progress: bool = True, command: str = ""
) -> pathlib.Path:
    """Runs one experiment, or goes on with it where it was stopped.

    Args:
        config: a `ConfigDict` or nested dict, as an experiment file returns it.
        workdir: the folder of the run; new, empty, or of this very run.
        progress: whether to draw progress bars.
        command: the command line that runs this experiment again, for the report.

    Returns:
        The path of `report.html`.

    Raises:
        InputError: something given cannot be used; nothing was overwritten.
        NotFiniteError: training diverged; the last good checkpoint was kept.
    """
    use_compilation_cache()
    plain = config.to_dict() if hasattr(config, "to_dict") else dict(config)
    options = experiment.read(plain)
    page = workdir / "report.html"
    if claim(workdir, plain) and page.exists():
        return page
    mesh = make_mesh(options.n_devices)
    phases = Phases(_earlier_phases(workdir))
    with phases.measure("load"):
        session = recording.load(options)
    about = {**_about(options, session), **({"command": command} if command else {})}
    write_json(workdir / "run.json", {**about, "phases": phases.done})
    rows, splits = _all_folds(options, session, workdir, mesh, phases, progress)
    with phases.measure("score"):
        scores = _scores(options, session, rows, splits)
    _write_reconstructions(workdir, rows)
    write_json(workdir / "scores.json", scores)
    write_json(workdir / "run.json", {**about, "phases": phases.done})
    return report.write(workdir)


def use_compilation_cache() -> None:
    """Keeps compiled programs in the user's cache folder, so that only a first run compiles."""
    if not jax.config.values["jax_compilation_cache_dir"]:
        jax.config.update("jax_compilation_cache_dir", str(recording.cache_folder() / "xla"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def _all_folds(
    options: Experiment,
    session: Session,
    workdir: pathlib.Path,
    mesh: jax.sharding.Mesh,
    phases: Phases,
    progress: bool,
) -> tuple[Rows, list[Fold]]:
    """Fits and reconstructs every fold."""
    with phases.measure("prepare"):
        splits = list(folds(session, options.preparation, trust.clusters(options, session)))
    method = methods.package(options.method_name).build(options.method_config)
    n_train = -(-TRAINING_SAMPLE // len(splits))
    parts = []
    for number, fold in enumerate(splits):
        context = methods.RunContext(
            workdir=workdir,
            fold=fold.name,
            key=crossvalidation.fold_key(options.seed, number),
            mesh=mesh,
            progress=progress,
        )
        parts.append(crossvalidation.run_fold(fold, number, n_train, method, context, phases))
    return crossvalidation.concatenate(parts), splits


def _scores(
    options: Experiment, session: Session, rows: Rows, splits: list[Fold]
) -> dict[str, Any]:
    weights = None
    if options.evaluation.perceptual:
        weights = perceptual.PerceptualWeights(
            pretrained.load("alexnet"), pretrained.load("lpips_alexnet")
        )
    n_train = len(np.unique(splits[0].train.stimulus))
    scores = score_run(rows, session.stimulus_names, n_train, options.evaluation, weights)
    found = trust.examine(options, session, splits, rows)
    return {**scores, "trust": found.numbers, "notes": [*scores.get("notes", []), *found.notes]}


def _about(options: Experiment, session: Session) -> dict[str, Any]:
    """What `run.json` says: where everything came from."""
    return {
        "title": options.title,
        "text": options.text,
        "seed": options.seed,
        "method": options.method_name,
        **provenance(),
        "data": {
            "name": options.data_name,
            "description": session.description,
            "simulated": session.simulated,
            "fingerprint": session.fingerprint(),
            "trials": len(session.fmri),
            "stimuli": len(session.images),
            "voxels": int(session.roi(options.preparation.roi).sum()),
            "roi": options.preparation.roi,
            "rois": {name: int(mask.sum()) for name, mask in session.rois.items()},
        },
    }


def _earlier_phases(workdir: pathlib.Path) -> list[dict[str, Any]]:
    """The times of a run that was stopped, which this one adds to."""
    path = workdir / "run.json"
    return read_json(path)["phases"] if path.exists() else []


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
