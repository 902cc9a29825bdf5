"""`fmri-jax run EXPERIMENT` and `python launch.py --config=EXPERIMENT`: one experiment or sweep.

A run that was stopped resumes where it was. Where only its title, text or evaluation have changed,
what it has reconstructed is scored again and nothing is trained.

An experiment file that names variants (config.sweep) is run variant by variant: one after another,
`--jobs` at a time in processes of their own, or as a SLURM array (`--slurm`). With these flags a
single run that decodes layers from voxels of each unit's own fits its layers there, and continues
in this process.

A single run can have several processes, on one or many hosts, each started with the same command:
a GAN is trained on the devices of all, layers with voxels of each unit's own are divided among
them. srun, mpirun and Kubernetes tell each process which one it is (`--distributed`); elsewhere
`--coordinator`, `--n_processes` and `--process_id` do. Process 0 writes the run's files.
"""

import functools
import os
import pathlib
import shlex
import sys
from typing import Any

from absl import flags, logging
from ml_collections import ConfigDict, config_flags

from fmri_jax import apart_process, stopping
from fmri_jax.commands import cluster_flags, signals
from fmri_jax.errors import InputError
from fmri_jax.files import place
from fmri_jax.pipeline import experiment_files

USAGE = """\
usage: {usage} [--config.SECTION.NAME=VALUE ...] [options]

{about}
The experiment is a .py file or one of these names, with an argument of its after a colon
(gan_vc:tiny): {names}.

{options}"""
STOPPED = "stopped; this resumes where it was: {command}"
SUBMITTED = "stopped waiting; when the submitted runs have ended, the same command compares them"


def main(arguments: list[str]) -> int:
    """Runs `fmri-jax run ...`; returns the exit code."""
    command = shlex.join(["fmri-jax", "run", *_again(arguments)])
    if arguments and not arguments[0].startswith("-"):
        arguments = [f"--config={arguments[0]}", *arguments[1:]]
    return _launch(arguments, command, "fmri-jax run EXPERIMENT")


def main_of_launcher(arguments: list[str]) -> int:
    """Runs `python launch.py --config=...`; returns the exit code."""
    command = shlex.join(["python", "launch.py", *_again(arguments)])
    try:
        return _launch(arguments, command, "python launch.py --config=EXPERIMENT")
    except InputError as error:
        print(f"fmri_jax: {error}", file=sys.stderr)
        return 2


def _launch(arguments: list[str], command: str, usage: str) -> int:
    """Runs the experiment that `--config` names and prints the path of its report.

    Args:
        arguments: flags, among them `--config=EXPERIMENT`.
        command: how to run it again, for the report.
        usage: how the command is called, for its help.

    Returns:
        The exit code.

    Raises:
        InputError: the flags, the experiment or its recording cannot be used.
    """
    signals.answer(STOPPED.format(command=command))
    values = _flags()
    if "" not in sys.path:
        sys.path.append(os.getcwd())  # `from experiments import ...` works as with launch.py
    experiment, rest = _take_config(arguments)
    if any(word in ("-h", "--help", "-help", "--helpfull") for word in arguments):
        print(_help(values, usage, experiment))
        return 0
    if not experiment:
        raise InputError(
            f"no experiment was named ({usage}): name a .py file, or one of "
            f"{', '.join(experiment_files.names())}."
        )
    original = experiment_files.load(experiment)
    as_written = original.to_dict()
    config, overridden = _parse(values, original, rest)
    if values.slurm:
        signals.answer(SUBMITTED)
    try:
        page = _run(experiment, config, as_written, overridden, values, command)
    except stopping.Stopped:
        return signals.saved()
    if page is not None:
        print(page)
    return 0


def _flags() -> flags.FlagValues:
    """The flags beside the options of the experiment."""
    values = flags.FlagValues()
    flags.DEFINE_string(
        "workdir",
        None,
        "folder of the run, by default runs/<name of the experiment>; a run that was stopped "
        "resumes from there",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "jobs",
        1,
        "variants of a sweep, or layers, that are computed at the same time",
        flag_values=values,
    )
    flags.DEFINE_string(
        "slurm",
        "",
        "run the variants of a sweep, or fit layers, as a SLURM array, with these options of "
        "submitit: 'slurm_partition=gpu timeout_min=240 gpus_per_node=1'",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "rescore",
        False,
        "score what a finished run has reconstructed once more, and write its page again: for "
        "scores that this package now computes differently",
        flag_values=values,
    )
    cluster_flags.define(values)
    flags.DEFINE_bool(
        "progress", True, "draw progress bars, of one run at a time", flag_values=values
    )
    return values


def _help(values: flags.FlagValues, usage: str, experiment: str = "") -> str:
    """What `--help` prints: with an experiment, all its options, too."""
    options = "\n".join(f"  --{name}: {values[name].help}" for name in values)
    about = "\n".join((__doc__ or "").splitlines()[2:])
    names = ", ".join(experiment_files.names())
    text = USAGE.format(usage=usage, about=about, names=names, options=options)
    if not experiment:
        return f"{text}\n\n`{usage} --help` also lists every option of the experiment."
    from fmri_jax.pipeline import option_reference

    config = experiment_files.load(experiment).to_dict()
    return f"{text}\n\n{option_reference.of_experiment(config)}"


def _take_config(arguments: list[str]) -> tuple[str, list[str]]:
    """The value of `--config` ("" without), and the other arguments."""
    rest = list(arguments)
    for i, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name in ("--config", "-config"):
            following = arguments[i + 1 : i + 2]
            del rest[i : i + (1 if equals else 2)]
            return value if equals else "".join(following), rest
    return "", rest


def _parse(
    values: flags.FlagValues, original: ConfigDict, arguments: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """The config with the options of the command line, and which of them that gave.

    Raises:
        InputError: an option is unknown, or a value cannot be read.
    """
    argv = ["fmri_jax", *arguments]
    try:
        config_flags.DEFINE_config_dict("config", original, flag_values=values, sys_argv=argv)
        rest = values(argv)[1:]
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError) as error:
        text = str(error.args[0] if isinstance(error, KeyError) else error)
        cause = error.args[0] if error.args and isinstance(error.args[0], KeyError) else error
        if isinstance(cause, KeyError):  # its text is the quoted key
            text = "the experiment has no option " + str(cause.args[0]).replace("\n", ": ")
        text = " ".join(text.split()).rstrip(".?")
        raise InputError(f"{text}: write options as --config.section.name=value.") from error
    if rest:
        raise InputError(
            f"{rest[0]!r} is not a flag: write options as --config.section.name=value."
        )
    return values.config.to_dict(), list(values["config"].override_values)  # type: ignore[attr-defined]


def _run(
    experiment: str,
    config: dict[str, Any],
    original: dict[str, Any],
    overridden: list[str],
    values: flags.FlagValues,
    command: str,
) -> pathlib.Path | None:
    """Runs an experiment or sweep whose flags are read; returns the path of its page.

    None where this process has helped another one to make it.
    """
    apart_process.prepare()
    from fmri_jax.pipeline.experiment_config import described
    from fmri_jax.training.cluster import joined
    from fmri_jax.training.host_memory import run_in_caller
    from fmri_jax.training.loop import NotFiniteError

    run_in_caller()
    logging.set_verbosity(logging.WARNING)  # Orbax narrates every step of a checkpoint
    name, argument = experiment_files.split(experiment)
    stem = pathlib.Path(name).stem + (f"_{argument}" if argument else "")
    workdir = place(values.workdir or f"runs/{stem}")
    config = described(config, original, overridden)
    cluster = cluster_flags.given(values)
    if cluster and ("sweep" in config or values.jobs > 1 or values.slurm):
        raise InputError(
            "a run with several processes has neither variants (config.sweep) nor --jobs or "
            "--slurm: run variants with --slurm, and single runs on several hosts."
        )
    with joined(cluster) as group:
        try:
            return _computed(config, workdir, values, command, group)
        except NotFiniteError as error:
            raise InputError(str(error)) from error


def _computed(
    config: dict[str, Any],
    workdir: pathlib.Path,
    values: flags.FlagValues,
    command: str,
    group: Any,
) -> pathlib.Path | None:
    """The page of a run or sweep; None where this process has helped another one to make it."""
    from fmri_jax.pipeline import followers
    from fmri_jax.pipeline.distributed import fit_parts, has_parts
    from fmri_jax.pipeline.executors import executor, is_elsewhere
    from fmri_jax.pipeline.run import run
    from fmri_jax.pipeline.sweep import run_sweep

    if not group.decides:
        followers.follow(config, workdir, group)
        return None
    if "sweep" in config:
        execute = executor(values.jobs, values.slurm, workdir)
        drawn = values.progress and values.jobs == 1  # bars of several runs write over one another
        options = drawn, command, values.rescore, is_elsewhere(values.slurm)
        return run_sweep(config, workdir, execute, *options)
    if values.jobs > 1 or values.slurm:
        flag = f"--slurm={values.slurm}" if values.slurm else f"--jobs={values.jobs}"
        fit_parts(config, workdir, executor(values.jobs, values.slurm, workdir), flag)
    elif group.n_others and has_parts(config):
        shared_out = functools.partial(followers.shared_out, group=group)
        fit_parts(config, workdir, shared_out, "--distributed")
    return run(config, workdir, values.progress, command, values.rescore, group=group)


def _again(arguments: list[str]) -> list[str]:
    """The arguments of a command that resumes: the same, but for what is of this start alone."""
    return [word for word in cluster_flags.without(arguments) if not word.startswith("--rescore")]
