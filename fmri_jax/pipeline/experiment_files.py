"""Experiment files: where those of this package lie, and what a file's `get_config` returns.

An experiment is named "gan_vc", or by a path: "mine/gan.py". An argument of its `get_config`
follows a colon: "gan_vc:tiny". A file may start from another one: `load("gan_vc:tiny")`.
"""

import importlib.util
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from fmri_jax.errors import InputError
from fmri_jax.files import place

if TYPE_CHECKING:
    from ml_collections import ConfigDict


T = TypeVar("T")


def folder() -> pathlib.Path:
    """The folder of this package's experiments: in it once installed, beside it in a checkout."""
    package = pathlib.Path(__file__).parents[1]
    inside = package / "experiments"
    return inside if inside.is_dir() else package.parent / "experiments"


def names() -> list[str]:
    """The experiments that come with this package."""
    return sorted(path.stem for path in folder().glob("[!_]*.py"))


def split(experiment: str) -> tuple[str, str]:
    """The file or name of an experiment, and the argument after the colon ("" without)."""
    name, argument = re.fullmatch(r"((?:[A-Za-z]:[\\/])?[^:]*):?(.*)", experiment, re.S).groups()  # type: ignore[union-attr]
    return name, argument


def find(experiment: str) -> pathlib.Path:
    """The file of an experiment.

    Args:
        experiment: a path that ends in .py, or the name of one that comes with this package;
            either may be followed by a colon and an argument.

    Raises:
        InputError: there is no such file.
    """
    name, _ = split(experiment)
    path = place(name)
    if path.suffix == ".py" and path.is_file():
        return path
    # A path into the checkout means the same experiment from any folder.
    own = folder() / f"{path.stem}.py"
    if path.parent in (pathlib.Path(), pathlib.Path("experiments")) and own.is_file():
        return own
    problem = "does not exist" if path.suffix == ".py" else "is no experiment"
    raise InputError(
        f"{name or repr(experiment)} {problem}: name a .py file, or one of {', '.join(names())}."
    )


def load(experiment: str) -> "ConfigDict":
    """The config that an experiment's file returns.

    Args:
        experiment: as for `find`.

    Raises:
        InputError: there is no such file, it fails, or it returns no config.
    """
    from ml_collections import ConfigDict

    path, (_, argument) = find(experiment), split(experiment)
    try:
        get_config = _get_config(path)
        config = get_config(argument) if argument else get_config()
    except InputError:
        raise
    except Exception as error:  # an experiment file may raise anything
        text = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{path} failed with {type(error).__name__}: {text}.") from error
    if isinstance(config, dict):
        config = ConfigDict(config)
    if not isinstance(config, ConfigDict):
        raise InputError(f"{path} gives no config: let its get_config() return one.")
    return config


def with_method(experiment: str, method: str) -> "ConfigDict":
    """The config of an experiment with another method and its default options: the same trials.

    Args:
        experiment: as for `find`.
        method: name of a package of `fmri_jax.methods`.

    Raises:
        InputError: as `load`, or there is no such method.
    """
    from fmri_jax.pipeline.experiment_config import default_config

    config = load(experiment)
    config.method = default_config(method=method, data="file").method
    return config


def choose(name: str, variants: Mapping[str, T], arg: str) -> T:
    """The variant of an experiment that its `get_config` is asked for.

    Args:
        name: of the experiment's file.
        variants: name -> anything; "" stands for none.
        arg: what follows the colon of `--config`.

    Raises:
        InputError: there is none of that name; those that there are, are in the message.
    """
    if arg not in variants:
        known = ", ".join(repr(each) for each in variants if each)
        raise InputError(f"experiments/{name}.py has no variant {arg!r}: choose {known} or none.")
    return variants[arg]


def _get_config(path: pathlib.Path) -> Callable[..., Any]:
    """The function `get_config` of a file, which is imported anew each time."""
    spec = importlib.util.spec_from_file_location(f"experiment_{path.stem}", path)
    assert spec is not None and spec.loader is not None  # the name ends in .py
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
        raise InputError(f"{path} has no function get_config: let one return the config.")
    return module.get_config
