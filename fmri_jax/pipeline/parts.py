"""Parts of a run's fits, such as the layers of a network, computed apart before the run itself."""

import pathlib
from collections.abc import Mapping
from typing import Any

from fmri_jax import compiled_programs, methods
from fmri_jax.data.preparation.folds import Fold, count_folds, folds
from fmri_jax.data.recording import Recording
from fmri_jax.methods import RunContext
from fmri_jax.pipeline import (
    diagnostics,
    experiment_config,
    recoding,
    recording_identity,
    unlabelled,
)
from fmri_jax.pipeline.experiment_config import Experiment
from fmri_jax.pipeline.workdir import claim, writing_to
from fmri_jax.training.mesh import make_mesh


def missing(config: Mapping[str, Any], workdir: pathlib.Path) -> list[tuple[int, str]]:
    """The parts of all folds that are not finished, and takes the folder for this run.

    Returns:
        Numbers of folds and names of parts.

    Raises:
        InputError: the config, the folder or the recording cannot be used.
    """
    options = experiment_config.read(config)
    names = methods.parts(options.method_name, options.method_config)
    if not names:
        return []
    with writing_to(workdir):
        claim(workdir, config)
        recording = recording_identity.load(options)
        clusters = diagnostics.clusters(options, recording)
        numbers = range(count_folds(recording, options.preparation, clusters))
    unfinished = [n for n in numbers if not (workdir / "folds" / f"{n:03d}.npz").exists()]
    return [(number, name) for number in unfinished for name in names]


def fit(config: Mapping[str, Any], workdir: pathlib.Path, number: int, part: str) -> None:
    """Fits one part of one fold into the folder of the run, whose own fit then finds it.

    Args:
        config: of the run.
        workdir: of the run; nothing but the part's own files is written.
        number: of the fold.
        part: its name, of `methods.parts`.

    Raises:
        InputError: something given cannot be used.
    """
    compiled_programs.keep()
    recording = recording_of(config)
    options, fold = fold_of(config, recording, number)
    context = RunContext(
        workdir=workdir,
        fold=fold.name,
        key=methods.fold_key(options.seed, number),
        mesh=make_mesh(options.n_devices),
        progress=False,
    )
    method: Any = methods.package(options.method_name).build(options.method_config)
    method.fit_part(unlabelled.taught(options, recording, fold, number), context, part)


def recording_of(config: Mapping[str, Any]) -> Recording:
    """The recording of a run.

    Raises:
        InputError: the config or the recording cannot be used.
    """
    return recording_identity.load(experiment_config.read(config))


def fold_of(
    config: Mapping[str, Any], recording: Recording, number: int
) -> tuple[Experiment, Fold]:
    """One fold as the run itself prepares it, and the experiment.

    Args:
        config: of the run.
        recording: of the run.
        number: of the fold.

    Raises:
        InputError: the recording cannot be divided as asked.
    """
    options = experiment_config.read(config)
    clusters = diagnostics.clusters(options, recording)
    n_folds = count_folds(recording, options.preparation, clusters)
    others = frozenset(range(n_folds)) - {number}
    (prepared,) = folds(recording, options.preparation, clusters, skip=others)
    return options, recoding.recoded(options, prepared)
