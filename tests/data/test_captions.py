"""Captions of images: the recording's own, words from names, and what is rejected."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy import io

from fmri_jax.data import load
from fmri_jax.data.captions import captions_of, words_of
from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.data.readers.npz import save_npz
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.pipeline.split import train_test_split

MakeRecording = Callable[..., Recording]

CAPTIONS = (("a dog", "a dog runs"), (), ("zwei H\u00fcte",), ("a cat",), ("b", "c", "d"), ("e",))
NAMES = ("dog", "red_hat 03", "hat", "cat", "x", "y")


@pytest.fixture
def recording(make_recording: MakeRecording) -> Recording:
    return make_recording(captions=CAPTIONS, stimulus_names=NAMES)


def test_captions_come_first_and_the_words_of_a_name_where_there_are_none(
    recording: Recording,
) -> None:
    assert captions_of(recording, [4, 1, 1]) == [("b", "c", "d"), ("red hat",), ("red hat",)]
    bare = dataclasses.replace(recording, captions=())
    assert captions_of(bare, np.asarray([0, 2])) == [("dog",), ("hat",)]
    with pytest.raises(InputError, match="image 'x' has a name without words, and no caption"):
        captions_of(bare, [0, 4])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("motorcycle_left 001", "motorcycle left"),
        ("photos/airplanes/image_0001.JPG", "airplanes"),
        ("picture book 2", "picture book"),
        ("red small frame", "red small frame"),
        ("T-shirt.png", "T-shirt"),
        ("\u6c34 \u9ce5\u9ce5", "\u6c34 \u9ce5\u9ce5"),
    ],
)
def test_names_become_words(name: str, words: str) -> None:
    assert words_of(name) == words


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("n02084071_1234", "has n02084071, a number of WordNet, for a name"),
        ("n02084071/dog.png", "has n02084071, a number of WordNet, for a name"),
        ("image 3", "has a name without words"),
        ("Figure 3", "has a name without words"),
        ("nsd00012", "has a name without words"),
        ("IMG_0032.jpg", "has a name without words"),
        ("a", "has a name without words"),
        ("", "has a name without words"),
    ],
)
def test_names_that_say_nothing_are_rejected_by_name(name: str, why: str) -> None:
    with pytest.raises(InputError, match=f"image {name!r} {why}, and no caption: .* add captions"):
        words_of(name)


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        (CAPTIONS[:5], "captions holds 5 entries for 6 images"),
        (list(CAPTIONS), "captions is a list: expected a tuple of tuples"),
        ((*CAPTIONS[:5], "e"), "captions of image 5 are 'e': expected a tuple of texts"),
        ((*CAPTIONS[:5], (" ",)), r"captions of image 5 are \(' ',\): .* none of them empty"),
        ((*CAPTIONS[:5], (5,)), r"captions of image 5 are \(5,\)"),
    ],
)
def test_bad_captions_are_rejected(
    make_recording: MakeRecording, captions: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_recording(captions=captions)


def test_recordings_without_captions_keep_their_fingerprint(
    make_recording: MakeRecording, recording: Recording
) -> None:
    """A run that was begun with an earlier version is resumed by it."""
    plain = make_recording(
        fmri=np.arange(240, dtype=np.float32).reshape(24, 10),
        images=(np.arange(1152) % 251).astype(np.uint8).reshape(6, 8, 8, 3),
    )
    assert plain.fingerprint() == "0e49d6ad1b1a4915703517e06c9fab72c7d7b6d6d96b9acc441ec36d0e3b5717"
    assert recording.fingerprint() != dataclasses.replace(recording, captions=()).fingerprint()


def test_an_npz_file_gives_them_back(
    make_recording: MakeRecording, recording: Recording, tmp_path: Path
) -> None:
    save_npz(recording, tmp_path / "a.npz")
    again = load(str(tmp_path / "a.npz"))
    assert again.captions == CAPTIONS and again.fingerprint() == recording.fingerprint()
    save_npz(make_recording(), tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as arrays:
        assert "captions" not in arrays.files
        given = dict(arrays)
    one_each = np.asarray([" a  dog\n", "n/a", "c", "", "e", "f"])
    np.savez(tmp_path / "c.npz", captions=one_each, **given)
    assert load(str(tmp_path / "c.npz")).captions == (("a dog",), (), ("c",), (), ("e",), ("f",))
    np.savez(tmp_path / "c.npz", captions=np.full((6, 2), ""), **given)
    assert load(str(tmp_path / "c.npz")).fingerprint() == make_recording().fingerprint()
    for wrong, message in (
        ({"captions": np.zeros(6)}, "captions is float64 of shape .6,.: expected a list of texts"),
        ({"captions": np.full((2, 6), "a")}, "captions holds 2 entries for 6 images"),
        ({"Caption": one_each}, "key 'Caption' is unknown: rename it to 'captions'"),
    ):
        np.savez(tmp_path / "c.npz", **given, **wrong)
        with pytest.raises(InputError, match=message):
            load(str(tmp_path / "c.npz"))
    np.savez(tmp_path / "c.npz", options=np.zeros(3), **given)  # a lab's own key


def cells(rows: Any) -> np.ndarray:
    """A cell array of cell arrays of texts, or of texts."""
    found = np.empty((len(rows), 1), object)
    for i, row in enumerate(rows):
        found[i, 0] = row if isinstance(row, str) else np.asarray(row, object)[None]
    return found


def filled(rows: Any) -> np.ndarray:
    """(stimuli, captions) cells; [] where there are fewer."""
    return np.asarray([[*row, *[""] * (3 - len(row))] for row in rows], object)


def save_v73(path: Path, given: dict[str, Any], captions: np.ndarray) -> None:
    """What `save -v7.3` writes: cells as references, in reversed order of axes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        count = iter(range(1000))

        def stored(value: Any, name: str = "") -> h5py.Dataset:
            name = name or f"#refs#/{next(count)}"
            if isinstance(value, str):
                codes = np.asarray([ord(c) for c in value], np.uint16)[:, None]
                made = file.create_dataset(name, data=codes if value else np.zeros(2, np.uint64))
                kind = "char"
                if not value:
                    made.attrs["MATLAB_empty"] = 1
            else:
                references = np.empty(value.shape, h5py.ref_dtype)
                for place, item in np.ndenumerate(value):
                    references[place] = stored(item).ref
                made = file.create_dataset(name, data=references.T, dtype=h5py.ref_dtype)
                kind = "cell"
            made.attrs["MATLAB_class"] = np.bytes_(kind)
            return made

        for name, value in given.items():
            file.create_dataset(name, data=value.T).attrs["MATLAB_class"] = np.bytes_("double")
        stored(captions, "captions")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


@pytest.mark.parametrize("save", [None, save_v73])
@pytest.mark.parametrize("table", [cells(CAPTIONS), filled(CAPTIONS)])
def test_matlabs_cell_arrays_are_read(
    make_recording: MakeRecording, tmp_path: Path, save: Any, table: np.ndarray
) -> None:
    """One cell array per stimulus, or one row; by both generations of MATLAB's files."""
    plain, path = make_recording(), tmp_path / "a.mat"
    given = {
        "fmri": plain.fmri.astype(float),
        "stimulus": plain.stimulus.astype(float)[:, None],
        "images": plain.images,
    }
    if save:
        save(path, given, table)
    else:
        io.savemat(path, given | {"captions": table})
    assert load(str(path)).captions == CAPTIONS


def test_prepared_trials_keep_them(recording: Recording) -> None:
    (fold,) = folds(recording, PreparationConfig(split="given"))
    for trials in (fold.train, fold.main_test().take(np.asarray([1]))):
        assert captions_of(trials, trials.stimulus) == captions_of(recording, trials.stimulus)
    train, _ = train_test_split(recording, by="given")
    assert train.captions == captions_of(recording, train.stimulus)
