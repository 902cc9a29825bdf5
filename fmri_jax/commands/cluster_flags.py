"""Flags of a run, or of the training of a prior, that has several processes."""

import argparse
from typing import TYPE_CHECKING, Any

from absl import flags

from fmri_jax.errors import InputError

if TYPE_CHECKING:
    from fmri_jax.training.cluster import Cluster

_DISTRIBUTED = "this is one of several processes, and srun, mpirun or Kubernetes says which"
_VALUES = {
    "coordinator": "HOST:PORT at which process 0 of several is reached by the others",
    "n_processes": "how many processes there are",
    "process_id": "which of these this is, from 0",
}
_NAMES = ("distributed", *_VALUES)


def define(values: flags.FlagValues) -> None:
    """Adds the flags."""
    flags.DEFINE_bool("distributed", False, _DISTRIBUTED, flag_values=values)
    flags.DEFINE_string("coordinator", None, _VALUES["coordinator"], flag_values=values)
    for name in ("n_processes", "process_id"):
        flags.DEFINE_integer(name, None, _VALUES[name], flag_values=values)


def add_to(parser: argparse.ArgumentParser) -> None:
    """Adds the same flags to a command that has a parser of its own."""
    parser.add_argument("--distributed", action="store_true", help=_DISTRIBUTED)
    for name, text in _VALUES.items():
        kind = str if name == "coordinator" else int
        parser.add_argument(f"--{name}", type=kind, help=text)


def given(values: Any) -> "Cluster | None":
    """What the flags of either kind say; None for one process.

    Raises:
        InputError: they do not name a process.
    """
    from fmri_jax.training.cluster import Cluster

    found = values.coordinator, values.n_processes, values.process_id
    if found == (None, None, None) and not values.distributed:
        return None
    coordinator, n, index = found
    if coordinator is not None and not coordinator.rpartition(":")[2].isdecimal():
        raise InputError(f"--coordinator is {coordinator!r}: expected HOST:PORT.")
    if n is not None and n < 1:
        raise InputError(f"--n_processes is {n}: expected at least 1.")
    if index is not None and not 0 <= index < (n or index + 1):
        raise InputError(f"--process_id is {index}: expected 0 to {(n or 1) - 1}.")
    if None in found and not values.distributed:
        raise InputError(
            "one of --coordinator, --n_processes and --process_id was left out: give all three, "
            "or --distributed where srun, mpirun or Kubernetes has started this process."
        )
    return Cluster(*found)


def without(arguments: list[str]) -> list[str]:
    """The arguments but for these flags and their values."""
    kept, values_follow = [], False
    for word in arguments:
        name, equals, _ = word.lstrip("-").partition("=")
        ours = word.startswith("-") and (name in _NAMES or name == "nodistributed")
        if not ours and not values_follow:
            kept.append(word)
        values_follow = ours and not equals and not name.endswith("distributed")
    return kept
