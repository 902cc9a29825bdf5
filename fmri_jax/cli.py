"""The console command `fmri-jax`: one subcommand per entry of `COMMANDS`, imported when called.

`python -m fmri_jax` is the same where the package is not installed, as in a checkout.
"""

import argparse
import importlib
import os
import sys

from fmri_jax import apart_process
from fmri_jax._version import __version__
from fmri_jax.errors import InputError

# Name -> (module, what it does). The module has `main(arguments: list[str]) -> int`, the exit code;
# an `InputError` that leaves it is printed as one line, and the code is 2.
COMMANDS = {
    "run": ("fmri_jax.commands.run", "run an experiment, or every variant of one"),
    "inspect": (
        "fmri_jax.commands.inspect",
        "show what a recording holds and whether it is usable",
    ),
    "reconstruct": ("fmri_jax.commands.reconstruct", "apply a kept decoder to new responses"),
    "score": ("fmri_jax.commands.score", "score images that any tool reconstructed"),
    "encode": ("fmri_jax.commands.encode", "predict responses from images, layer by layer"),
    "check": ("fmri_jax.commands.check", "find damaged files of a run and of the caches"),
    "report": ("fmri_jax.commands.report", "write the page of a finished run again"),
    "compare": ("fmri_jax.commands.compare", "put finished runs side by side on one page"),
    "prior": ("fmri_jax.commands.prior", "list, train and show priors: what images look like"),
    "weights": ("fmri_jax.commands.weights", "list published weights, or get one set of them"),
}
# Those that import JAX at once and then read files of others; "run" does so later, by itself.
READING = {"inspect", "reconstruct", "score", "encode"}


def main(arguments: list[str] | None = None) -> int:
    """Runs one subcommand; returns the exit code (2: what was given cannot be used)."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        prog="fmri-jax",
        usage="fmri-jax [-h] [--version] COMMAND ...",
        description="Reconstruct what a person saw from fMRI.",
        epilog="\n".join(["commands:", *lines, "", "fmri-jax COMMAND --help shows its options."]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"fmri_jax {__version__}")
    parser.add_argument(
        "command", choices=list(COMMANDS), metavar="COMMAND", help="one of those below"
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.command in READING and not {"-h", "--help"}.intersection(given.arguments):
        apart_process.prepare()
    module = importlib.import_module(COMMANDS[given.command][0])
    try:
        return module.main(given.arguments)
    except BrokenPipeError:  # as of `fmri-jax weights | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except InputError as error:
        print(f"fmri_jax: {error}", file=sys.stderr)
        return 2
