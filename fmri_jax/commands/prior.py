"""`fmri-jax prior`: lists priors, trains one on photographs, and shows what one makes of some.

`fmri-jax prior train NAME --images FOLDER_OR_ZIP` trains NAME and leaves it in runs/NAME/prior,
which `fj.priors.load("runs/NAME/prior")` reads. A training that was stopped resumes where it was.
"""

import argparse
import ast
import dataclasses
import pathlib
import shlex
from typing import Any

from fmri_jax import stopping
from fmri_jax.commands import cluster_flags, prior_list, signals
from fmri_jax.config import section
from fmri_jax.errors import InputError
from fmri_jax.files import place
from fmri_jax.priors import recipes
from fmri_jax.priors.training import Options

STOPPED = "stopped; this resumes from the latest checkpoint: {command}"
SHOWN = 100  # photographs that `show` scores by default


def main(arguments: list[str]) -> int:
    """Lists, trains or shows; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="fmri-jax prior",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("list", help="priors that can be loaded, and those that can be trained")
    _add_train(commands)
    _add_show(commands)
    given = parser.parse_args(arguments)
    command = shlex.join(["fmri-jax", "prior", *cluster_flags.without(arguments)])
    if given.command == "list":
        print(prior_list.text())
    elif given.command == "train":
        signals.answer(STOPPED.format(command=command))
        try:
            if (page := _train(given)) is not None:
                print(page)
        except stopping.Stopped:
            return signals.saved()
    else:
        print(_show(given))
    return 0


def _add_train(commands: Any) -> None:
    train = commands.add_parser("train", help="train a prior on photographs")
    train.add_argument("name", metavar="NAME", help=", ".join(recipes.RECIPES))
    _add_images(train, "folder or zip of photographs to train on; may be given several times")
    train.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="NAME_OR_PATH",
        help="recording, experiment (gan_vc:photographs), folder or zip whose images, and "
        "photographs that nearly equal them, are left out; may be given several times",
    )
    train.add_argument(
        "--captions",
        action="append",
        default=[],
        metavar="CSV",
        help="captions of the photographs, for a prior that is told them: two columns, name of a "
        "photograph or of its folder, and caption; may be given several times",
    )
    train.add_argument(
        "--autoencoder",
        metavar="NAME_OR_FOLDER",
        help="prior whose autoencoder is used, for small_latent_diffusion",
    )
    train.add_argument("--workdir", help="folder of the training, by default runs/NAME")
    train.add_argument("--licence", default="not stated", help="of the result, for its card")
    train.add_argument(
        "--devices", type=int, help="how many; by default all, on CPU a device for each core"
    )
    cluster_flags.add_to(train)
    train.add_argument("--noprogress", action="store_true", help="draw no progress bars")
    group = train.add_argument_group("options of the training, by default those of NAME")
    for field in dataclasses.fields(Options):
        group.add_argument(f"--options.{field.name}", metavar="VALUE")


def _add_show(commands: Any) -> None:
    show = commands.add_parser("show", help="write a page of reconstructions and samples")
    show.add_argument("name", metavar="NAME_OR_FOLDER", help="see `fmri-jax prior list`")
    _add_images(show, "folder or zip of photographs to reconstruct; may be given several times")
    show.add_argument("--out", default="prior.html", help="the page (default: prior.html)")
    show.add_argument("--weights", help="file of a published prior's weights")
    show.add_argument(
        "--n-images", type=int, default=SHOWN, help=f"how many are scored (default: {SHOWN})"
    )
    show.add_argument("--seed", type=int, default=0, help="of photographs and samples")


def _add_images(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument(
        "--images", action="append", required=True, metavar="FOLDER_OR_ZIP", help=text
    )


def _train(given: argparse.Namespace) -> pathlib.Path | None:
    """Trains; returns the path of the page, or None where another process writes it."""
    options = _options(given)
    workdir = place(given.workdir or f"runs/{given.name}")
    from absl import logging

    from fmri_jax.pipeline import prior_training
    from fmri_jax.training.cluster import joined
    from fmri_jax.training.host_devices import use_cores

    logging.set_verbosity(logging.WARNING)  # Orbax narrates every step of a checkpoint
    use_cores(options.batch_size // (given.n_processes or 1), given.devices)
    cluster = cluster_flags.given(given)
    request = prior_training.Request(
        name=given.name,
        options=options,
        images=tuple(given.images),
        excluded=tuple(given.exclude),
        licence=given.licence,
        workdir=workdir,
        captions=tuple(given.captions),
        autoencoder=given.autoencoder,
        n_devices=given.devices,
        progress=not given.noprogress,
    )
    with joined(cluster) as group:
        if group.decides:
            return prior_training.train(request, group)
        prior_training.follow(dataclasses.replace(request, progress=False), group)
        return None


def _options(given: argparse.Namespace) -> Options:
    """The recipe's options with those of the command line.

    Raises:
        InputError: there is no such recipe, or a value cannot be used.
    """
    standard = recipes.find(given.name).options
    values = dataclasses.asdict(standard)
    for name in values:
        text = getattr(given, f"options.{name}")
        if text is not None:
            values[name] = _value(text)
    options = section(Options, values, "--options")
    for name in ("n_steps", "batch_size", "log_every", "checkpoint_every"):
        if getattr(options, name) < 1:
            raise InputError(f"--options.{name} is {getattr(options, name)}: expected at least 1.")
    if options.seed < 0 or options.warm_up < 0 or options.learning_rate <= 0:
        raise InputError(
            "--options.seed and warm_up are at least 0, and learning_rate is above 0: found "
            f"{options.seed}, {options.warm_up} and {options.learning_rate}."
        )
    return options


def _value(text: str) -> Any:
    """A number or tuple of numbers as Python writes them; other texts stay, and are rejected."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _show(given: argparse.Namespace) -> pathlib.Path:
    """Writes the page of a prior; returns its path."""
    if given.n_images < 2:
        raise InputError(f"--n-images is {given.n_images}: expected at least 2.")
    if given.seed < 0:
        raise InputError(f"--seed is {given.seed}: expected at least 0.")
    from fmri_jax import priors
    from fmri_jax.pipeline import prior_show

    prior = priors.load(given.name, given.weights)
    page = place(given.out)
    page.parent.mkdir(parents=True, exist_ok=True)
    title = f"Prior {pathlib.PurePath(given.name).name}"
    return prior_show.show(prior, given.images, page, title, given.n_images, given.seed)
