"""Which NIfTI file is which: volumes, and the events table of each run (BIDS 1.10, `_bold`)."""

import pathlib
import re
from typing import Any

from fmri_jax.errors import InputError

_ENTITIES = ("sub", "ses", "task", "acq", "run")
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


def find_tables(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Run key (see `run_key`) -> its events table, for each table in a folder."""
    tables = (*folder.rglob("*.tsv"), *folder.rglob("*.csv"))
    return {run_key(re.sub(r"(_events)?\.[tc]sv$", "", p.name)): p for p in sorted(tables)}


def run_key(name: str) -> str:
    """What volumes and table of a run share: BIDS's entities, or the name where there are none."""
    entities = dict(part.split("-", 1) for part in name.split("_") if "-" in part)
    if "sub" not in entities:
        return name
    return "_".join(f"{part}-{entities[part]}" for part in _ENTITIES if part in entities)


def table_of(volume: pathlib.Path, tables: dict[str, pathlib.Path]) -> pathlib.Path:
    """The events table of a run's volumes.

    Raises:
        InputError: there is none.
    """
    key = run_key(stem(volume))
    if key not in tables:
        there_are = ", ".join(path.name for path in tables.values()) or "none"
        raise InputError(
            f"{volume} has no events table: expected {key}_events.tsv, found {there_are}; write it "
            "with the columns onset, duration and stim_file, or name its folder as events."
        )
    return tables[key]


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
