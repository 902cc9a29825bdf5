"""Runs one experiment: python launch.py --config=experiments/gan_vc.py --workdir=runs/gan_vc.

An experiment file that names variants (config.sweep) is run variant by variant: one after another,
`--jobs` at a time in processes of their own, or as a SLURM array (`--slurm`).
"""

import pathlib
import shlex
import sys

from absl import app, flags, logging
from ml_collections import config_flags

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Experiment file, with an argument after a colon: experiments/gan_vc.py:tiny."
)
_WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Folder of the run (default: runs/<name of the experiment>). A run that was "
    "stopped goes on from there.",
)
_JOBS = flags.DEFINE_integer("jobs", 1, "Variants of a sweep that run at the same time.")
_SLURM = flags.DEFINE_string(
    "slurm",
    "",
    "Run the variants of a sweep as a SLURM array, with these options of submitit: "
    "'slurm_partition=gpu timeout_min=240 gpus_per_node=1'.",
)
_PROGRESS = flags.DEFINE_bool("progress", True, "Draw progress bars.")


def parse(argv: list[str]) -> list[str]:
    """Reads the flags; what cannot be read ends with one sentence and exit code 2."""
    try:
        rest = flags.FLAGS(argv)
        if _CONFIG.value is None:
            raise ValueError("--config is missing: name an experiment file")
        _CONFIG.value.to_dict()  # a file that could not be loaded fails only here
    except Exception as error:  # an experiment file may raise anything
        known = ", ".join(sorted(str(path) for path in pathlib.Path("experiments").glob("*.py")))
        # The config library hands on the whole traceback as text: its last part is the message.
        text = str(error).rsplit("InputError: ", 1)[-1]
        cause = error.args[0] if error.args and isinstance(error.args[0], KeyError) else error
        if isinstance(cause, KeyError):  # its text is the quoted key
            text = "the experiment has no option " + str(cause.args[0]).replace("\n", ": ")
        text = " ".join(text.split()).rstrip(".?")
        refuse(f"{text}. Experiments here: {known}; the README shows how to override options.")
    return rest


def refuse(sentence: str) -> None:
    """Prints what is wrong, without a traceback, and exits with code 2."""
    print(f"fmri_jax: {sentence}", file=sys.stderr)
    raise SystemExit(2)


def main(argv: list[str]) -> None:
    """Runs the experiment and prints the path of its report as the last line."""
    from fmri_jax.errors import InputError
    from fmri_jax.execution import executor
    from fmri_jax.experiment import described
    from fmri_jax.run import run
    from fmri_jax.sweep import run_sweep
    from fmri_jax.training.host_memory import run_in_caller
    from fmri_jax.training.loop import NotFiniteError

    run_in_caller()
    logging.set_verbosity(logging.WARNING)  # Orbax narrates every step of a checkpoint
    if len(argv) > 1:
        refuse(f"{argv[1]!r} is not a flag: write options as --config.section.name=value.")
    flag = flags.FLAGS["config"]
    name, _, argument = flag.config_filename.partition(":")
    stem = pathlib.Path(name).stem + (f"_{argument}" if argument else "")
    workdir = pathlib.Path(_WORKDIR.value or f"runs/{stem}")
    try:
        command = shlex.join(["python", *sys.argv])
        original = flag.parser.parse(flag.config_filename).to_dict()
        config = described(_CONFIG.value.to_dict(), original, flag.override_values)
        if "sweep" not in config:
            print(run(config, workdir, progress=_PROGRESS.value, command=command))
            return
        execute = executor(_JOBS.value, _SLURM.value, workdir)
        print(run_sweep(config, workdir, execute, _PROGRESS.value, command))
    except (InputError, NotFiniteError) as error:
        refuse(str(error))


if __name__ == "__main__":
    app.run(main, flags_parser=parse)
