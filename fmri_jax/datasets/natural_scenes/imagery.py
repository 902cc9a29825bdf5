"""NSD-Imagery: the session of NSD in which the same subjects saw, attended to and imagined images.

Beside the prepared layout of the main experiment, in the same voxels:

    betas_imagery_subj01*.hdf5      `betas` (720, voxels), in the order of the release's
                                    `betas_nsdimagery` and scaled as those of the main experiment
    nsdimagery_subj01_imgA_1.tsv    NSD's tables of trials, `nsddata/bdata/nsdimagery`, here for
                                    visA, visB, imgA_1, imgA_2, imgB_1 and imgB_2
    rawtargetimages                 folder or zip, `nsddata/experiments/nsdimagery`

Twelve runs of 48 trials; a trial has one estimate, but two in the attention runs, whose cue and
images are modelled apart: 3 x 48 + 6 x 48 + 3 x 96 = 720. Imagined images become the test set
"imagery", those seen in the same session "vision". Set C, concepts without one image, is left out.

References:
    Kneeland et al. (2025), "NSD-Imagery", arXiv:2506.06898; NSD's data manual, `nsdimagery`.
"""

import csv
import dataclasses
import pathlib
from collections.abc import Mapping

import numpy as np

from fmri_jax.data.images import list_images, read_named
from fmri_jax.data.readers.hdf5_files import own
from fmri_jax.data.recording import IMAGERY, Recording
from fmri_jax.datasets.natural_scenes.layout import h5_file
from fmri_jax.errors import InputError

RUNS = (
    *("visA", "attA", "imgA_1", "visB", "attB", "imgB_1"),
    *("visC", "attC", "imgC_1", "imgA_2", "imgB_2", "imgC_2"),
)
TRIALS = 48  # of a run
SETS = {"vision": ("visA", "visB"), IMAGERY: ("imgA_1", "imgB_1", "imgA_2", "imgB_2")}
# Letter that stands for a target -> its image; set A, then set B.
TARGETS = {
    "H": "bar_000.0deg_450L_43W.png",
    "R": "bar_045.0deg_450L_43W.png",
    "V": "bar_090.0deg_450L_43W.png",
    "L": "bar_135.0deg_450L_43W.png",
    "P": "crs_000.0deg_450L_43W.png",
    "E": "crs_045.0deg_450L_43W.png",
    "W": "shared0385_nsd28752.png",
    "K": "shared0413_nsd30857.png",
    "B": "shared0741_nsd53882.png",
    "C": "shared0842_nsd61178.png",
    "D": "shared0907_nsd65873.png",
    "T": "shared0000_nsd00000.png",
}


@dataclasses.dataclass(frozen=True)
class ImageryFiles:
    """Where one subject's session is: estimates, run -> table of its trials, target images."""

    betas: pathlib.Path
    tables: Mapping[str, pathlib.Path]
    images: pathlib.Path

    def paths(self) -> list[pathlib.Path]:
        """All of them."""
        return [self.betas, *self.tables.values(), self.images]


def find(folder: pathlib.Path, subject: int) -> ImageryFiles:
    """Finds the files of the session in a folder.

    Raises:
        InputError: a file is missing.
    """
    name = f"subj{subject:02}"

    def one(pattern: str, what: str) -> pathlib.Path:
        if found := sorted(folder.glob(pattern)):
            return found[0]
        raise InputError(
            f"{folder} holds no {pattern}: expected the {what} of NSD-Imagery; get it under NSD's "
            "terms (https://naturalscenesdataset.org) and put it there, or set imagery=False."
        )

    tables = {
        run: one(f"nsdimagery_{name}_{run}.tsv", "trials") for runs in SETS.values() for run in runs
    }
    betas = one(f"betas_imagery_{name}*.h*5", "responses, (720, voxels) under `betas`,")
    return ImageryFiles(betas, tables, one("rawtargetimages*", "target images"))


def joined(seen: Recording, files: ImageryFiles) -> Recording:
    """The recording of the main experiment with the test sets "vision" and "imagery".

    Their runs are counted on: `preparation.run_centring` then removes what differs between
    sessions, and between seeing and imagining.

    Raises:
        InputError: a file is damaged or does not fit the others.
    """
    betas, rows = _betas(files.betas, seen.fmri.shape[1]), _rows()
    order = list(TARGETS)
    trials, letters, split = [], [], []
    for name, runs in SETS.items():
        for run in runs:
            found = _letters(files.tables[run], run)
            trials.append(betas[rows[run]])
            letters += [order.index(letter) for letter in found]
            split += [name] * len(found)
    size = seen.images.shape[1]
    last = int(seen.run.max())
    runs_of = {name: last + 1 + place for place, name in enumerate(SETS)}
    return dataclasses.replace(
        seen,
        fmri=np.concatenate([seen.fmri, *trials]),
        stimulus=np.concatenate([seen.stimulus, np.array(letters, np.int32) + len(seen.images)]),
        images=np.concatenate([seen.images, _images(files.images, size)]),
        run=np.concatenate([seen.run, np.array([runs_of[name] for name in split], np.int32)]),
        stimulus_names=(*seen.stimulus_names, *(name[:-4] for name in TARGETS.values())),
        split=np.concatenate([seen.split, split]),
        captions=seen.captions and (*seen.captions, *[()] * len(TARGETS)),
        description=seen.description.rstrip(".") + ", and NSD-Imagery (Kneeland et al. 2025).",
    )


def _rows() -> dict[str, slice]:
    """Run -> its estimates among the 720."""
    ends = np.cumsum([TRIALS * (2 if run.startswith("att") else 1) for run in RUNS])
    starts = [0, *ends[:-1].tolist()]
    return {
        run: slice(start, stop)
        for run, start, stop in zip(RUNS, starts, ends.tolist(), strict=True)
    }


def _betas(path: pathlib.Path, voxels: int) -> np.ndarray:
    expected = max(rows.stop for rows in _rows().values())
    with h5_file(path) as file:
        betas = file.get("betas")
        if betas is None or betas.shape != (expected, voxels):
            raise InputError(
                f"{path} holds {'no betas' if betas is None else f'betas of {betas.shape}'}: "
                f"expected `betas` of ({expected}, {voxels}), the voxels of the main experiment."
            )
        return own(betas, file)[:].astype(np.float32)


def _letters(path: pathlib.Path, run: str) -> list[str]:
    """The letter of each trial's target."""
    with path.open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream, delimiter="\t"))
    found = [(line.get("CONDITION") or "").strip() for line in lines]
    of_set = list(TARGETS)[:6] if run[3] == "A" else list(TARGETS)[6:]
    if len(found) != TRIALS or (unknown := sorted(set(found) - set(of_set))):
        what = f"{len(found)} trials" if len(found) != TRIALS else f"the condition {unknown[0]!r}"
        raise InputError(
            f"{path} holds {what}: expected {TRIALS} trials with CONDITION one of "
            f"{', '.join(of_set)}; copy NSD's table again."
        )
    number = RUNS.index(run) + 1
    if wrong := {line["RUN"] for line in lines if line.get("RUN")} - {str(number), f"{number}.0"}:
        raise InputError(
            f"{path} is of run {sorted(wrong)[0]}: expected {run} to be run {number} of the "
            "session, which tells its estimates from those of other runs."
        )
    return found


def _images(path: pathlib.Path, size: int) -> np.ndarray:
    """(12, size, size, 3) uint8 in the order of `TARGETS`."""
    places = {pathlib.PurePosixPath(name).name: name for name in list_images(str(path))}
    if missing := [name for name in TARGETS.values() if name not in places]:
        raise InputError(
            f"{path} lacks {missing[0]}, one of {len(missing)}: expected NSD-Imagery's target "
            "images of sets A and B under their names."
        )
    return read_named(str(path), [places[name] for name in TARGETS.values()], size)
