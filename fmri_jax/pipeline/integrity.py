"""Whether the files of a finished run, and of the caches, are those that were written."""

import pathlib

from absl import logging

from fmri_jax import digests
from fmri_jax.errors import plain
from fmri_jax.files import cache_folder, set_aside
from fmri_jax.pretrained import cache as weights
from fmri_jax.training import logs

CHANGING = (
    "checkpoints",
    "events",
    "inner",
    "slurm",
    "records",
)  # may go or grow after a run has finished
CURVES = "metrics.jsonl"
# What becomes of a damaged file, by the first part of its path in a run.
REMEDIES = {
    "folds": "this fold is computed again",
    "decoders": "its fold is computed again",
    "checkpoints": "training would resume from the checkpoint before it",
    "inner": "a candidate is compared again, if its fold is computed again",
    CURVES: "its damaged lines are dropped",
}
SCORED_AGAIN = "scores, figures and page are made again"


def seal(workdir: pathlib.Path) -> None:
    """Writes the digests of a run that has finished."""
    digests.seal(workdir, leave_out=CHANGING)


def damaged(workdir: pathlib.Path) -> list[str]:
    """The files of a run that are not as they were written, as paths in its folder.

    A run of an earlier version, or one that has not finished, is compared as far as parts of it
    have digests.
    """
    found = []
    for folder in digests.sealed_folders(workdir):
        place = folder.relative_to(workdir)
        if not any(part.startswith(".") for part in place.parts):
            found += [str(place / name) for name in digests.damaged(folder) or ()]
    if digests.damaged(workdir, (CURVES,)) is None and (workdir / CURVES).is_file():
        lines = (workdir / CURVES).read_bytes().splitlines()[:-1]  # the last one may be in writing
        found += [CURVES] * any(logs.parse(line) is None for line in lines)
    return list(dict.fromkeys(found))


def mend(workdir: pathlib.Path) -> bool:
    """Has what is damaged in a run computed again; whether anything is.

    Decoders are looked at again when their folds are.
    """
    found = damaged(workdir)
    for name in found:
        logging.warning("%s is not as it was written: %s.", workdir / plain(name), remedy(name))
        if name.startswith("folds/"):
            set_aside(workdir / name)
            if name.endswith(".features.npz"):
                set_aside(workdir / name.replace(".features", ""))
    if CURVES in found:
        logs.drop_damaged(workdir / CURVES)
    return any(not name.startswith("checkpoints/") for name in found)


def remedy(name: str) -> str:
    """What the command of the run does about a damaged file."""
    return REMEDIES.get(name.partition("/")[0], SCORED_AGAIN)


def damaged_caches() -> dict[pathlib.Path, str]:
    """Files in the cache folder that are not as they were written, and what becomes of each."""
    folder = cache_folder()
    kept = {
        "recordings": "the recording is prepared again",
        "maps": "the images pass the network again",
    }
    found = {
        place / name: remedy
        for part, remedy in kept.items()
        for place in digests.sealed_folders(folder / part)
        if not place.name.startswith(".")
        for name in digests.damaged(place) or ()
    }
    for path in sorted(weights.folder().glob("*.safetensors")):
        if not weights.is_intact(path.stem):
            found[path] = "the weights are read from their source again"
    return found
