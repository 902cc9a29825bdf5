"""Which NIfTI files are the runs of one subject, and which events table belongs to each.

Names are read by `bids_names`, inheritance is that of `sidecars`. A folder that is no BIDS data set
works as well: a run's table then has the name of its volumes.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

from fmri_jax.data.readers import bids_names, sidecars
from fmri_jax.data.readers.bids_names import Name
from fmri_jax.data.readers.folders import files_in
from fmri_jax.errors import InputError, not_installed

_VOLUMES = ("bold", "betas", "beta")  # suffixes
_NIFTI = (".nii", ".nii.gz")
_NOT_SCANS = ("phase", "imag", "real")  # of the entity `part`
_NO_DATA = ("code", "sourcedata", "stimuli")  # folders at the root of a data set
# What tells versions of one run apart: of several, one has to be chosen.
VERSIONS = ("space", "desc", "echo", "res", "den", "reconstruction", "part", "hemi")
_SPELLED = ("space-", "desc-", "echo-", "res-", "den-", "rec-", "part-", "hemi-")  # in names
CHOICES = ("subject", "task", "session", "space", "desc", "echo")  # options
WITHOUT = "none"  # the choice of files whose names lack the entity


@dataclasses.dataclass(frozen=True)
class Volumes:
    """One 4-D file and what its name says.

    Attributes:
        path: the file.
        name: its name, read; subject and session also from its folders.
        root: of its data set.
    """

    path: pathlib.Path
    name: Name
    root: pathlib.Path

    @property
    def run(self) -> str:
        """What tells this run from others: all entities but those of `VERSIONS`."""
        said = {k: v for k, v in self.name.entities.items() if k not in VERSIONS}
        return "_".join([*self.name.free, *(f"{k}-{v}" for k, v in sorted(said.items()))])

    @property
    def run_name(self) -> str:
        """The name of the run as its file spells it."""
        parts = self.path.name.split(".")[0].split("_")
        kept = [part for part in parts if not part.startswith(_SPELLED) and part not in _VOLUMES]
        return "_".join(kept) or self.path.name

    @property
    def is_betas(self) -> bool:
        """Whether it holds response estimates instead of scans."""
        return self.name.suffix in ("betas", "beta")

    @property
    def places(self) -> list[pathlib.Path]:
        """The folders whose sidecars it inherits, the nearest first."""
        return sidecars.levels(self.path.parent, self.root)


def find_volumes(path: str) -> list[Volumes]:
    """The 4-D files at `path`, in the order of their paths: those of BIDS's suffixes if any.

    Left out are hidden files, what `.bidsignore` names, and phase images.

    Raises:
        InputError: there are none.
    """
    place = pathlib.Path(path)
    if not place.exists() and not place.is_symlink():
        raise InputError(f"{path} does not exist: expected a folder of NIfTI files or one file.")
    if not place.is_dir():
        return [_volumes(place, sidecars.dataset_root(place.parent))]
    root = sidecars.dataset_root(place)
    files = [_volumes(f, root) for f in files_in(place, ignored(root, place)) if _is_nifti(f)]
    found = [v for v in files if v.name.suffix in _VOLUMES]
    found = [v for v in found if v.name.entities.get("part") not in _NOT_SCANS]
    found = found or [v for v in files if "mask" not in v.path.parent.name]
    if not found:
        raise InputError(
            f"{path} holds no NIfTI volumes: expected files such as sub-01_run-01_bold.nii.gz; for "
            "other formats name the file itself."
        )
    return found


def choose(volumes: list[Volumes], path: str, wanted: dict[str, str]) -> list[Volumes]:
    """The volumes that the options choose.

    Args:
        volumes: as `find_volumes` gives them.
        path: where they are, for messages.
        wanted: name of an entity of `CHOICES` -> its labels, separated by commas; "none" chooses
            the files without it; "" does not choose.

    Raises:
        InputError: no file has what is wanted.
    """
    for entity, text in wanted.items():
        if not text:
            continue
        labels = [_label(entity, label) for label in text.split(",")]
        chosen = [v for v in volumes if v.name.entities.get(entity, WITHOUT) in labels]
        absent = [
            la for la in labels if all(v.name.entities.get(entity, WITHOUT) != la for v in chosen)
        ]
        if absent:
            raise InputError(
                f"{path} holds no volumes of {entity} {absent[0]}: expected one of "
                f"{', '.join(_labels(volumes, entity))}; choose among these with {entity}."
            )
        volumes = chosen
    return volumes


def check_subject(volumes: list[Volumes], path: str) -> None:
    """Rejects volumes of several subjects.

    Raises:
        InputError: there is more than one subject.
    """
    subjects = sorted({v.name.entities["subject"] for v in volumes if "subject" in v.name.entities})
    if len(subjects) > 1:
        raise InputError(
            f"{path} holds the subjects {', '.join(f'sub-{s}' for s in subjects)}: expected one; "
            f"name the folder of one subject, such as sub-{subjects[0]}, or choose it with subject."
        )


def check_runs(volumes: list[Volumes], path: str) -> None:
    """Rejects copies of a run, on which one would train and test, and a mixture of versions.

    Raises:
        InputError: a run has more than one file, or runs come in different versions.
    """
    first: dict[str, Volumes] = {}
    for volume in volumes:
        other = first.setdefault(volume.run, volume)
        if other is not volume:
            raise InputError(
                f"{path} holds {_inside(other, path)} and {_inside(volume, path)}, both of the run "
                f"{volume.run_name}: expected one file per run; keep one of them there, or name "
                f"the folder of one pipeline{_hint([other, volume])}."
            )
    for entity in ("space", "desc", "echo", "res"):
        labels = [label for label in _labels(volumes, entity) if label != WITHOUT]
        if len(labels) > 1:
            raise InputError(
                f"{path} holds runs of different {entity} ({', '.join(labels)}): expected all runs "
                f"in one version{_hint(volumes)}."
            )


def _hint(volumes: list[Volumes]) -> str:
    """How options would choose among versions."""
    ways = []
    for entity in ("space", "desc", "echo"):
        labels = _labels(volumes, entity)
        if len(labels) > 1:
            ways.append(f"{entity}={' or '.join(labels)}")
    return f"; or choose with {', '.join(ways)}" if ways else ""


def _labels(volumes: list[Volumes], entity: str) -> list[str]:
    return sorted({v.name.entities.get(entity, WITHOUT) for v in volumes})


def _label(entity: str, text: str) -> str:
    """A label as a person gives it: "1", "01" or "echo-1"."""
    label = text.strip()
    prefix, dash, rest = label.partition("-")
    if dash and rest:
        label = rest
    return str(int(label)) if entity == "echo" and label.isdigit() else label


def _inside(volume: Volumes, path: str) -> str:
    return volume.path.relative_to(path).as_posix()


def _volumes(file: pathlib.Path, root: pathlib.Path) -> Volumes:
    inner = [folder for folder in sidecars.levels(file.parent, root) if folder != root]
    root = next((folder for folder in inner if sidecars.is_root(folder)), root)
    return Volumes(file, located(file, root), root)


def located(file: pathlib.Path, root: pathlib.Path) -> Name:
    """What the name of a file says, and what the folders below `root` say of subject and session.

    Raises:
        InputError: they disagree.
    """
    name = bids_names.parse(file)
    absolute = pathlib.Path(os.path.abspath(file))
    folders = bids_names.of_folders(absolute.relative_to(root)) if root in absolute.parents else {}
    for entity, label in folders.items():
        if name.entities.get(entity, label) != label:
            raise InputError(
                f"{file} lies in the folder of {entity} {label}, and its name says "
                f"{name.entities[entity]}: expected the same; move or rename it."
            )
    return dataclasses.replace(name, entities={**folders, **name.entities})


def _is_nifti(file: pathlib.Path) -> bool:
    return file.name.lower().endswith(_NIFTI)


def ignored(root: pathlib.Path, place: pathlib.Path) -> Callable[[pathlib.PurePosixPath], bool]:
    """What a data set does not count as its own (`.bidsignore`): of paths relative to `place`."""
    absolute = pathlib.Path(os.path.abspath(place))
    if not (root / sidecars.DESCRIPTION).is_file() or root not in (absolute, *absolute.parents):
        return lambda _: False
    below = pathlib.PurePosixPath(absolute.relative_to(root).as_posix())
    rules = root / ".bidsignore"
    lines = rules.read_text("utf-8-sig", "replace").splitlines() if rules.is_file() else []
    spec = _patterns(rules, lines)

    def skip(inside: pathlib.PurePosixPath) -> bool:
        whole = (below / inside).as_posix()
        return whole in _NO_DATA or bool(spec.match_file(whole))

    return skip


def _patterns(rules: pathlib.Path, lines: list[str]) -> Any:
    """The patterns of a `.bidsignore`, which are those of a `.gitignore`."""
    try:
        import pathspec
    except ImportError:
        raise not_installed(f"Reading {rules}", "pathspec", "nifti") from None
    try:
        return pathspec.GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise InputError(f"{rules} holds a pattern that cannot be read ({error}).") from None
