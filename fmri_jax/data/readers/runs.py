"""The runs of a recording: each one's volumes, its events, and when its volumes were taken."""

import dataclasses
import pathlib
import warnings
from typing import Any

from fmri_jax.data.readers import bids, event_tables, sidecars, timing
from fmri_jax.data.readers.bids import Volumes
from fmri_jax.data.readers.events import Event, columns_of, read_events
from fmri_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Run:
    """The files of one run.

    Attributes:
        volumes: the 4-D file.
        table: its events table.
        events: the rows of the table.
    """

    volumes: Volumes
    table: pathlib.Path
    events: list[Event]

    @property
    def shown(self) -> list[Event]:
        """The events that show an image."""
        return [event for event in self.events if event.stimulus]


def find_runs(
    path: str,
    found: list[Volumes],
    events: str = "",
    wanted: dict[str, str] | None = None,
    groups: str = "",
) -> tuple[list[Run], dict[str, str]]:
    """The runs that show images, and the tasks that are left out.

    Args:
        path: a folder, or one 4-D file.
        found: what `bids.find_volumes` finds there.
        events: folder of the events tables; "" for `path`.
        wanted: entity -> labels, see `bids.choose`.
        groups: the column of the tables that names groups of images; "" for none.

    Returns:
        The runs in the order of their files, and task -> why it is left out.

    Raises:
        InputError: files are missing or contradict each other, or there are several to choose from.
    """
    wanted = wanted or {}
    root = pathlib.Path(path)
    found = bids.choose(found, path, wanted)
    bids.check_subject(found, path)
    place = pathlib.Path(events) if events else root if root.is_dir() else root.parent
    tables = event_tables.find_tables(place, [] if events else found)
    left_out: dict[str, str] = {}
    if not wanted.get("task"):
        found, left_out = event_tables.showing_images(found, tables, bool(events), path)
    bids.check_runs(found, path)
    runs = []
    for volume in found:
        table = event_tables.table_of(volume, tables, bool(events))
        runs.append(Run(volume, table, read_events(table, volume.is_betas, groups)))
    _check_shared(runs)
    if left_out:
        warnings.warn(f"{path}: {left_out_text(left_out)}.", stacklevel=3)
    return runs, left_out


def _check_shared(runs: list[Run]) -> None:
    """Rejects a table of several runs that says which rows belong to which run."""
    for run in runs:
        shared = [other for other in runs if other.table == run.table]
        columns = {column.casefold() for column in columns_of(run.table)}
        if len(shared) > 1 and (named := columns & {"run", "session"}):
            raise InputError(
                f"{run.table} serves {len(shared)} runs by its name and has a column "
                f"{min(named)!r}: expected one table per run; write each run's rows into a table "
                "of its name."
            )


def run_timing(run: Run, image: Any, repetition_time: float = 0.0) -> timing.Timing:
    """When the volumes of a run were taken, by its sidecars and its header.

    Raises:
        InputError: they contradict each other.
    """
    volume = run.volumes
    stated = sidecars.metadata(volume.path, volume.name, volume.places)
    if not stated.keys() & {"RepetitionTime", "VolumeTiming"}:  # then the raw data's hold
        raw = sidecars.metadata(volume.path, volume.name, sidecars.raw_levels(volume.path.parent))
        stated |= {k: v for k, v in raw.items() if k in ("RepetitionTime", "VolumeTiming")}
    return timing.timing(str(volume.path), image.shape[3], stated, image.header, repetition_time)


def left_out_text(tasks: dict[str, str]) -> str:
    """Which tasks are left out and why, as a part of a sentence."""
    return "; ".join(
        f"the task {task or 'of no name'} is left out: {why}" for task, why in tasks.items()
    )
