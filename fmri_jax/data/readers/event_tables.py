"""Which events table belongs to a run, and which runs show images at all."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable

from fmri_jax.data.readers import bids_names, sidecars
from fmri_jax.data.readers.bids import VERSIONS, Volumes, ignored, located
from fmri_jax.data.readers.bids_names import Name
from fmri_jax.data.readers.events import columns_of
from fmri_jax.data.readers.folders import check_fetched, files_in
from fmri_jax.errors import InputError

_TABLES = (".tsv", ".csv")


@dataclasses.dataclass(frozen=True)
class Table:
    """An events table and what its name says."""

    path: pathlib.Path
    name: Name


def find_tables(folder: pathlib.Path, volumes: Iterable[Volumes] = ()) -> list[Table]:
    """The events tables of a folder and its subfolders, and those that the volumes inherit.

    Of files named as BIDS has it the suffix decides: `_events.tsv` is one, or a name without
    suffix; `_motion.tsv`, `_physio.tsv` and `_scans.tsv` are none.
    """
    root = sidecars.dataset_root(folder)
    files = {_absolute(file): (file, root) for file in files_in(folder, ignored(root, folder))}
    above = {place: chain[-1] for v in volumes for chain in _chains(v) for place in chain}
    for place, its_root in above.items():
        for file in sidecars.files_of(place):
            files.setdefault(_absolute(file), (file, its_root))
    return [table for file, root in files.values() if (table := _table(file, root))]


def _chains(volume: Volumes) -> list[list[pathlib.Path]]:
    """The folders that a run inherits from: its own data set's, and those of its raw data."""
    return [chain for chain in (volume.places, sidecars.raw_levels(volume.path.parent)) if chain]


def _absolute(path: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(os.path.abspath(path))


def _table(file: pathlib.Path, root: pathlib.Path) -> Table | None:
    if not file.name.lower().endswith(_TABLES):
        return None
    name = bids_names.parse(file)
    if name.suffix not in ("", "events") or not (name.entities or name.free):
        return None
    return Table(file, located(file, root))


def tables_of(volume: Volumes, tables: Iterable[Table], apart: bool = False) -> list[Table]:
    """The events tables that serve a run, those of other contents: one, none, or a contradiction.

    BIDS's inheritance chooses among the tables beside and above the volumes: the nearest, of these
    the most specific. A table that lies elsewhere must name the whole run.

    Args:
        volume: the run.
        tables: as `find_tables` gives them.
        apart: whether they come from a folder of tables, which is nowhere above the volumes: the
            most specific ones are taken.
    """
    fit = [table for table in tables if table.name.applies_to(volume.name)]
    if apart:
        most = max((_specific(table) for table in fit), default=0)
        return _different(table for table in fit if _specific(table) == most)
    chain = [place for places in _chains(volume) for place in places]
    near: list[Table] = []
    for place in chain:
        near = [table for table in fit if _folder(table) == place]
        if near:
            most = max(_specific(table) for table in near)
            near = [table for table in near if _specific(table) == most]
            break
    identity = volume.name.entities.keys() - {*VERSIONS, "direction"}
    far = [t for t in fit if _folder(t) not in chain and identity <= t.name.entities.keys()]
    return _different([*near, *far])


def _specific(table: Table) -> int:
    return len(table.name.entities) + len(table.name.free)


def _folder(table: Table) -> pathlib.Path:
    return _absolute(table.path).parent


def _different(tables: Iterable[Table]) -> list[Table]:
    found: list[Table] = []
    for table in tables:
        check_fetched(table.path)
        content = table.path.read_bytes()
        if all(content != other.path.read_bytes() for other in found):
            found.append(table)
    return found


def table_of(volume: Volumes, tables: list[Table], apart: bool = False) -> pathlib.Path:
    """The events table of a run's volumes; arguments as of `tables_of`.

    Raises:
        InputError: there is none, or there are several.
    """
    found = tables_of(volume, tables, apart)
    if not found:
        there_are = ", ".join(table.path.name for table in tables) or "none"
        raise InputError(
            f"{volume.path} has no events table: expected {volume.run_name}_events.tsv, found "
            f"{there_are}; write it with the columns onset, duration and stim_file, or name its "
            "folder as events."
        )
    if len(found) > 1:
        raise InputError(
            f"{volume.path} has several events tables, "
            f"{' and '.join(str(table.path) for table in found)}, which differ: expected one; keep "
            "one of them there, or name its folder as events."
        )
    return found[0].path


def showing_images(
    volumes: list[Volumes], tables: list[Table], apart: bool, path: str
) -> tuple[list[Volumes], dict[str, str]]:
    """The runs of the one task that shows images, and why each other task is left out.

    A task none of whose runs has an events table with `stim_file`, such as rest, shows none.

    Returns:
        The runs, and task -> reason.

    Raises:
        InputError: several tasks show images.
    """
    tasks: dict[str, list[Volumes]] = {}
    for volume in volumes:
        tasks.setdefault(volume.name.entities.get("task", ""), []).append(volume)
    if len(tasks) == 1:
        return volumes, {}
    reasons: dict[str, str] = {}
    for task, runs in tasks.items():
        if not task:  # a file that names no task is never left out without being asked for
            continue
        found = [table for run in runs for table in tables_of(run, tables, apart)]
        if not found:
            reasons[task] = "it has no events table"
        elif all("stim_file" not in columns_of(table.path) for table in found):
            reasons[task] = "its events name no stim_file"
    shown = {task for task in tasks if task not in reasons}
    if len(shown - {""}) > 1:
        named = sorted(shown - {""})
        raise InputError(
            f"{path} holds images of the tasks {', '.join(named)}: expected one task; choose it "
            f"with task, such as task={named[0]}."
        )
    if not shown:
        return volumes, {}
    return [v for v in volumes if v.name.entities.get("task", "") in shown], reasons
