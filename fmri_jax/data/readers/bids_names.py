"""Names of files as BIDS writes them: entities by the tables of pybids, suffix and extension.

    sub-01_ses-2_task-view_run-01_space-T1w_desc-preproc_bold.nii.gz

Only pybids' tables are used, not its `BIDSLayout`: that searches for entities in the absolute
path (a data set below `/data/sub-99/` is all of subject 99), knows no `.bidsignore`, does not
return from links in a circle, and takes one of two sidecars at one level without a word.
"""

import dataclasses
import functools
import pathlib
from typing import Any

from fmri_jax.errors import not_installed

_EXTENSIONS = (".nii.gz", ".nii", ".json", ".tsv", ".csv")
_SUFFIXES = ("bold", "betas", "beta", "events")  # that names without entities may have as well
_NUMBERS = ("run", "echo", "flip", "inv", "chunk")  # whose labels are indices: 01 is 1


@dataclasses.dataclass(frozen=True)
class Name:
    """What the name of a file says.

    Attributes:
        entities: name of the entity, as pybids has it ("subject", "task", "run") -> label. Indices
            are without leading zeros. A key that BIDS does not know is kept as it stands.
        free: the parts of the name that are neither an entity nor the suffix; all of a name that
            is no BIDS.
        suffix: "bold", "events"; "" if the name has none.
        extension: ".nii.gz".
    """

    entities: dict[str, str]
    free: tuple[str, ...]
    suffix: str
    extension: str

    def applies_to(self, other: "Name") -> bool:
        """Whether all that this name says is said of `other` too (BIDS's inheritance principle)."""
        return self.entities.items() <= other.entities.items() and self.free in ((), other.free)


def parse(path: pathlib.PurePath) -> Name:
    """Reads the name of a file, whatever its folder is called."""
    base, extension = path.name, path.suffix
    for known in _EXTENSIONS:
        if path.name.lower().endswith(known):
            base, extension = path.name[: -len(known)], known
            break
    parts = base.split("_")
    entities = dict(entity for part in parts if (entity := _entity(part)))
    is_suffix = parts[-1] in _SUFFIXES or (entities and "-" not in parts[-1])
    suffix = parts.pop() if is_suffix else ""
    free = tuple(part for part in parts if _entity(part) is None)
    return Name(entities, free, suffix, extension)


def of_folders(path: pathlib.PurePath) -> dict[str, str]:
    """The subject and session that the folders of a relative path name, the last of each."""
    entities = [_entity(part) for part in path.parent.parts]
    return {name: label for name, label in filter(None, entities) if name in ("subject", "session")}


@functools.lru_cache(maxsize=4096)
def _entity(part: str) -> tuple[str, str] | None:
    """("run", "1") of "run-01"; None of what is no entity."""
    key, dash, label = part.partition("-")
    if not (key and dash and label):
        return None
    name = _entity_name(key)
    if name in _NUMBERS and label.isascii() and label.isdigit():
        label = str(int(label))
    return name, label


@functools.lru_cache(maxsize=256)
def _entity_name(key: str) -> str:
    """The name that pybids gives to a key: "subject" of "sub"; of an unknown key the key itself."""
    for entity in _known_entities():
        for label in ("1", "L", "on", "mag"):  # one of them is a label that the entity takes
            found = entity.regex.search(f"/{key}-{label}")
            if found and found.group(0).lstrip("/") == f"{key}-{label}":
                return str(entity.name)
    return key


@functools.lru_cache(maxsize=1)
def _known_entities() -> list[Any]:
    try:
        from bids.layout.models import Config
    except ImportError:
        raise not_installed("Reading a folder of NIfTI", "pybids", "nifti") from None
    configs = [Config.load(name) for name in ("bids", "derivatives")]
    return [e for config in configs for e in config.entities.values() if e.regex is not None]
