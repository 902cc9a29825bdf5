"""A single run whose fits are computed in parts: by several processes, or as a SLURM array."""

import pathlib
import shlex
from typing import Any

from fmri_jax import methods
from fmri_jax.errors import InputError
from fmri_jax.pipeline import experiment_config, parts
from fmri_jax.pipeline.sweep import Execute, Task


def has_parts(config: dict[str, Any]) -> bool:
    """Whether the fit of a run can be computed in parts.

    Raises:
        InputError: the config cannot be used.
    """
    options = experiment_config.read(config)
    return bool(methods.parts(options.method_name, options.method_config))


def fit_parts(
    config: dict[str, Any], workdir: pathlib.Path, execute: Execute, asked_for: str
) -> None:
    """Computes what is missing of every fold's fit; the run then has the rest to do.

    Parts that an earlier start has finished, block by block, are not computed again.

    Args:
        config: the run's.
        workdir: the run's folder.
        execute: where the parts are computed.
        asked_for: the flag that asked for it, for the message.

    Raises:
        InputError: the fit has no parts, or some could not be computed: the same command computes
            these alone.
    """
    if not has_parts(config):
        raise InputError(
            f"{shlex.quote(asked_for)} was given, but this is a single run whose fit has no parts: "
            "expected an experiment with variants (config.sweep), or feature_decoding with voxels "
            "of each unit's own (config.method.n_voxels); leave the flag out, and start a single "
            "run on a cluster with sbatch."
        )
    todo = [
        Task(f"fold {number}, {name}", config, workdir, part=(number, name))
        for number, name in parts.missing(config, workdir)
    ]
    problems = [problem for problem in (execute(todo) if todo else []) if problem]
    if problems:
        raise InputError(
            f"{len(problems)} of {len(todo)} parts were not computed, the first because "
            f"{problems[0]} The same command computes what is missing."
        )
