"""Flags of a run that has several processes."""

from typing import TYPE_CHECKING

from absl import flags

from fmri_jax.errors import InputError

if TYPE_CHECKING:
    from fmri_jax.training.cluster import Cluster

_NAMES = ("distributed", "coordinator", "n_processes", "process_id")


def define(values: flags.FlagValues) -> None:
    """Adds the flags."""
    flags.DEFINE_bool(
        "distributed",
        False,
        "this is one of several processes of the run, and srun, mpirun or Kubernetes says which",
        flag_values=values,
    )
    flags.DEFINE_string(
        "coordinator",
        None,
        "HOST:PORT at which process 0 of several is reached by the others",
        flag_values=values,
    )
    flags.DEFINE_integer("n_processes", None, "how many processes the run has", flag_values=values)
    flags.DEFINE_integer("process_id", None, "which of these this is, from 0", flag_values=values)


def given(values: flags.FlagValues) -> "Cluster | None":
    """What the flags say; None for a run with one process.

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
