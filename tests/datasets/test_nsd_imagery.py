"""NSD-Imagery beside the prepared layout: its rows, its images and its own test sets."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fmri_jax.data import load
from fmri_jax.datasets.natural_scenes import imagery
from fmri_jax.errors import InputError
from tests.datasets.test_natural_scenes import BETAS, folder, write

__all__ = ["folder"]  # the fixture

# First row of each run among the 720, as NSD's design matrices have them: attention runs have 96.
FIRST = {"visA": 0, "imgA_1": 144, "visB": 192, "imgB_1": 336, "imgA_2": 576, "imgB_2": 624}
NUMBER = {"visA": 1, "imgA_1": 3, "visB": 4, "imgB_1": 6, "imgA_2": 10, "imgB_2": 11}
LETTERS = {"A": "HRVLPE", "B": "WKBCDT"}
SESSION = np.arange(720 * 9, dtype=np.float32).reshape(720, 9)


def table(path: Path, run: str, conditions: str) -> None:
    with path.open("w", newline="") as stream:
        lines = csv.writer(stream, delimiter="\t")
        lines.writerow(["SUBJECT", "RUN", "TRIAL", "CONDITION"])
        lines.writerows([2, NUMBER[run], i + 1, letter] for i, letter in enumerate(conditions))


@pytest.fixture
def session(folder: Path) -> Path:
    """Adds the session of subject 2, every target with a grey of its own."""
    write(folder / "betas_imagery_subj02.hdf5", betas=SESSION)
    for run in FIRST:
        rng = np.random.default_rng(len(run))
        table(
            folder / f"nsdimagery_subj02_{run}.tsv",
            run,
            "".join(rng.permuted(list(LETTERS[run[3]] * 8))),
        )
    for i, name in enumerate(imagery.TARGETS.values()):
        place = folder / "rawtargetimages" / ("setA" if i < 6 else "setB") / name
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((9, 9), 20 * i, np.uint8)).save(place)
    return folder


def open_it(folder: Path, **options):
    return load("natural_scenes", subject=2, image_size=6, folder=str(folder), **options)


def test_imagined_and_seen_trials_meet_their_images(session: Path) -> None:
    recording = open_it(session, imagery=True)
    plain = open_it(session)
    assert set(plain.split) == {"train", "test"} and len(recording.fmri) == len(BETAS) + 6 * 48
    np.testing.assert_array_equal(recording.fmri[: len(BETAS)], plain.fmri)
    for split, runs in {
        "imagery": ["imgA_1", "imgB_1", "imgA_2", "imgB_2"],
        "vision": ["visA", "visB"],
    }.items():
        rows = recording.split == split
        expected = np.concatenate([SESSION[FIRST[run] : FIRST[run] + 48] for run in runs])
        np.testing.assert_array_equal(recording.fmri[rows], expected)
        letters = []
        for run in runs:
            with (session / f"nsdimagery_subj02_{run}.tsv").open() as stream:
                letters += [line["CONDITION"] for line in csv.DictReader(stream, delimiter="\t")]
        greys = recording.images[recording.stimulus[rows]][:, 0, 0, 0]
        np.testing.assert_array_equal(greys, [20 * "HRVLPEWKBCDT".index(a) for a in letters])
    assert recording.stimulus_names[-1] == "shared0000_nsd00000"
    np.save(session / "COCO_73k_annots_curated.npy", np.full((40, 5), "a"))
    described = open_it(session, imagery=True, captions=True).captions
    assert described[-13:] == (("a",) * 5, *[()] * 12)
    assert set(recording.run[recording.split == "imagery"]).isdisjoint(
        recording.run[recording.split != "imagery"]
    )


def test_files_that_do_not_fit_end_with_a_message(session: Path) -> None:
    tables = session / "nsdimagery_subj02_imgA_1.tsv"
    table(tables, "imgA_1", "HRVLPW" * 8)
    with pytest.raises(InputError, match="imgA_1.tsv holds the condition 'W': expected 48 trials"):
        open_it(session, imagery=True)
    table(tables, "imgA_1", "HRVLPE")
    with pytest.raises(InputError, match="holds 6 trials: expected 48"):
        open_it(session, imagery=True)
    table(tables, "imgA_2", "HRVLPE" * 8)
    with pytest.raises(InputError, match="is of run 10: expected imgA_1 to be run 3"):
        open_it(session, imagery=True)
    tables.unlink()
    with pytest.raises(InputError, match="holds no nsdimagery_subj02_imgA_1.tsv: expected the tri"):
        open_it(session, imagery=True)
    table(tables, "imgA_1", "HRVLPE" * 8)
    write(session / "betas_imagery_subj02.hdf5", betas=SESSION[:576])
    with pytest.raises(InputError, match=r"betas of \(576, 9\): expected `betas` of \(720, 9\)"):
        open_it(session, imagery=True)
    write(session / "betas_imagery_subj02.hdf5", betas=SESSION)
    next((session / "rawtargetimages" / "setB").iterdir()).unlink()
    with pytest.raises(InputError, match="lacks shared.*, one of 1: expected"):
        open_it(session, imagery=True)
