"""Which NIfTI file is which: volumes, and the events table of each run (BIDS 1.10, `_bold`)."""

import pathlib
import re
from typing import Any

from fmri_jax.errors import InputError

_ENTITIES = ("sub", "ses", "task", "acq", "dir", "run")
_ENDING = re.compile(r"(_(bold|betas|beta))?\.nii(\.gz)?$")


def find_volumes(path: str) -> list[pathlib.Path]:
    """The 4-D files at `path`, sorted by name: those with an ending of `bold` or `betas` if any.

    Raises:
        InputError: there are none.
    """
    root = pathlib.Path(path)
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise InputError(f"{path} does not exist: expected a folder of NIfTI files or one file.")
    found = sorted(p for p in root.rglob("*.nii*") if _ENDING.search(p.name))
    volumes = [p for p in found if re.search(r"_(bold|betas?)\.nii", p.name)]
    volumes = volumes or [p for p in found if "mask" not in p.parent.name]
    if not volumes:
        raise InputError(
            f"{path} holds no NIfTI volumes: expected files such as sub-01_run-01_bold.nii.gz; for "
            "other formats name the file itself."
        )
    return volumes


def check_runs(volumes: list[pathlib.Path], path: str) -> None:
    """Refuses volumes of several subjects, and copies of a run: it would be trained and tested on.

    Args:
        volumes: as `find_volumes` gives them.
        path: where they are, for messages.

    Raises:
        InputError: there is more than one subject, or a run has more than one file.
    """
    first: dict[str, str] = {}
    subjects: set[str] = set()
    for volume in volumes:
        name = volume.relative_to(path).as_posix()
        subjects.update(re.findall(r"(?:^|[/_])(sub-[A-Za-z0-9]+)", name))
        run = run_key(stem(volume))
        if run in first:
            raise InputError(
                f"{path} holds {first[run]} and {name}, both of the run {run}: expected one file a "
                "run; keep one of them there, or name the folder of one pipeline."
            )
        first[run] = name
    if len(subjects) > 1:
        raise InputError(
            f"{path} holds the subjects {', '.join(sorted(subjects))}: expected one; name the "
            f"folder of one subject, such as {min(subjects)}."
        )


def find_tables(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Run key (see `run_key`) -> its events tables, those of other contents, in a folder.

    Of files named as BIDS has it the suffix tells: `_events.tsv` is one, or a name without suffix;
    `_motion.tsv`, `_physio.tsv` and `_scans.tsv` are none.
    """
    tables: dict[str, list[pathlib.Path]] = {}
    for path in sorted((*folder.rglob("*.tsv"), *folder.rglob("*.csv"))):
        name = re.sub(r"(_events)?\.[tc]sv$", "", path.name)
        if name.startswith("sub-") and "-" not in name.rpartition("_")[2]:
            continue  # another kind of table
        of_run = tables.setdefault(run_key(name), [])
        if all(path.read_bytes() != other.read_bytes() for other in of_run):
            of_run.append(path)
    return tables


def run_key(name: str) -> str:
    """What volumes and table of a run share: BIDS's entities, or the name where there are none."""
    entities = dict(part.split("-", 1) for part in name.split("_") if "-" in part)
    if "sub" not in entities:
        return name
    return "_".join(f"{part}-{entities[part]}" for part in _ENTITIES if part in entities)


def tables_of(volume: pathlib.Path, tables: dict[str, list[pathlib.Path]]) -> list[pathlib.Path]:
    """The events tables of a run's volumes; one that names no direction serves every direction."""
    key = run_key(stem(volume))
    return tables.get(key) or tables.get(re.sub(r"_dir-[^_]+", "", key), [])


def table_of(volume: pathlib.Path, tables: dict[str, list[pathlib.Path]]) -> pathlib.Path:
    """The events table of a run's volumes.

    Raises:
        InputError: there is none, or there are several.
    """
    found = tables_of(volume, tables)
    if not found:
        there_are = ", ".join(path.name for of_run in tables.values() for path in of_run) or "none"
        raise InputError(
            f"{volume} has no events table: expected {run_key(stem(volume))}_events.tsv, found "
            f"{there_are}; write it with the columns onset, duration and stim_file, or name its "
            "folder as events."
        )
    if len(found) > 1:
        raise InputError(
            f"{volume} has several events tables, {' and '.join(map(str, found))}, which differ: "
            "expected one; keep one of them there, or name its folder as events."
        )
    return found[0]


def stem(volume: pathlib.Path) -> str:
    """The name of a run's volumes without its last part and suffix."""
    return _ENDING.sub("", volume.name)


def is_betas(volume: pathlib.Path) -> bool:
    """Whether a file holds response estimates instead of scans."""
    return re.search(r"_betas?\.nii", volume.name) is not None


def nibabel_module() -> Any:
    """The package `nibabel`.

    Raises:
        InputError: it or nilearn is not installed.
    """
    try:
        import nibabel
        import nilearn  # noqa: F401
    except ImportError:
        raise InputError(
            "NIfTI needs nilearn, which is not installed: pip install nilearn."
        ) from None
    return nibabel
