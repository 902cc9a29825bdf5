"""Runs one experiment: python launch.py --config=experiments/gan_vc.py --workdir=runs/gan_vc.

A run that was stopped goes on where it was. Where only its title, text or evaluation have changed,
what it has reconstructed is scored again and nothing is trained.

An experiment file that names variants (config.sweep) is run variant by variant: one after another,
`--jobs` at a time in processes of their own, or as a SLURM array (`--slurm`).
"""

import contextlib
import multiprocessing
import os
import pathlib
import shlex
import signal
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
_RESCORE = flags.DEFINE_bool(
    "rescore",
    False,
    "Score what a finished run has reconstructed once more, and write its page again: for scores "
    "that this package now computes differently.",
)
_PROGRESS = flags.DEFINE_bool("progress", True, "Draw progress bars.")


def parse(argv: list[str]) -> list[str]:
    """Reads the flags; what cannot be read ends with one sentence and exit code 2."""
    try:
        rest = flags.FLAGS(argv)
        if _CONFIG.value is None:
            file = config_file(argv)
            raise ValueError(
                f"--config={file} gives no config: let its get_config() return one"
                if file
                else "--config is missing: name an experiment file"
            )
        _CONFIG.value.to_dict()  # a file that could not be loaded fails only here
    except Exception as error:  # an experiment file may raise anything
        known = ", ".join(sorted(str(path) for path in pathlib.Path("experiments").glob("*.py")))
        file = config_file(argv)
        if file and not pathlib.Path(file).is_file():
            refuse(f"--config={file} does not exist: name a file, such as {known or 'my.py'}.")
        text = message_of(error)
        cause = error.args[0] if error.args and isinstance(error.args[0], KeyError) else error
        if isinstance(cause, KeyError):  # its text is the quoted key
            text = "the experiment has no option " + str(cause.args[0]).replace("\n", ": ")
        text = " ".join(text.split()).rstrip(".?")
        refuse(f"{text}. Experiments here: {known}; the README shows how to override options.")
    return rest


def message_of(error: Exception) -> str:
    """What an exception says; the config library hands on a whole traceback as its text."""
    text = str(error)
    if "Traceback (most recent call last)" not in text:
        return text
    last = text.rstrip().rsplit("\n", 1)[-1]
    return text.rsplit("InputError: ", 1)[-1] if "InputError: " in text else last


def config_file(argv: list[str]) -> str:
    """The experiment file on a command line, or "": the library forgets one it cannot load."""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name in ("--config", "-config"):
            return (value if equals else following).partition(":")[0]
    return ""


def refuse(sentence: str) -> None:
    """Prints what is wrong, without a traceback, and exits with code 2."""
    print(f"fmri_jax: {sentence}", file=sys.stderr)
    raise SystemExit(2)


def refuse_to_spread(experiment: str) -> None:
    """Refuses flags that would have the variants of a sweep run elsewhere, where there is none."""
    if _JOBS.value != 1 or _SLURM.value:
        given = f"--slurm={shlex.quote(_SLURM.value)}" if _SLURM.value else f"--jobs={_JOBS.value}"
        refuse(
            f"{given} was given, but {experiment} is a single run: expected an experiment with "
            "variants (config.sweep); leave the flag out, and start a single run on a cluster "
            "with sbatch."
        )


def stop(number: int, _frame: object) -> None:
    """Ends a run upon Ctrl-C or SIGTERM with one line; what it has written is whole at any time.

    It ends here and now: libraries that call back into Python swallow exceptions.
    """
    said = "stopped; the same command goes on where it was"
    if flags.FLAGS.is_parsed() and _SLURM.value:
        said = "stopped waiting; when the submitted runs have ended, the same command compares them"
    workers = multiprocessing.active_children()
    for worker in workers:
        worker.terminate()
    with contextlib.suppress(OSError):  # a terminal that was closed
        # A progress bar may stand on the line.
        os.write(2, f"{chr(10) * os.isatty(2)}fmri_jax: {said}\n".encode())
    if workers:  # this process only waits for them, and sees them end
        raise SystemExit(128 + number)
    os._exit(128 + number)


def main(argv: list[str]) -> None:
    """Runs the experiment and prints the path of its report as the last line."""
    from fmri_jax.errors import InputError
    from fmri_jax.pipeline.executors import executor, is_elsewhere
    from fmri_jax.pipeline.experiment_config import described
    from fmri_jax.pipeline.run import run
    from fmri_jax.pipeline.sweep import run_sweep
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
        words = [word for word in sys.argv if not word.startswith("--rescore")]
        command = shlex.join(["python", *words])
        original = flag.parser.parse(flag.config_filename).to_dict()
        config = described(_CONFIG.value.to_dict(), original, flag.override_values)
        if "sweep" not in config:
            refuse_to_spread(flag.config_filename)
            print(run(config, workdir, _PROGRESS.value, command, _RESCORE.value))
            return
        execute = executor(_JOBS.value, _SLURM.value, workdir)
        options = _PROGRESS.value, command, _RESCORE.value, is_elsewhere(_SLURM.value)
        print(run_sweep(config, workdir, execute, *options))
    except (InputError, NotFiniteError) as error:
        refuse(str(error))


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # as of a script's background process
            signal.signal(number, stop)
    app.run(main, flags_parser=parse)
elif __name__ == "__mp_main__":  # a process of --jobs: Ctrl-C reaches it too, but `stop` ends it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
