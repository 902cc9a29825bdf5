import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from fmri_jax.data import load
from fmri_jax.data.readers.bdata import BData
from fmri_jax.data.readers.bdata_labels import synset_names
from fmri_jax.errors import InputError
from tests.data.builders import (
    REGIONS,
    SYNSET_NAMES,
    TRIALS,
    VOXELS,
    bdata,
    change_h5,
    synset_images,
)
from tests.peers import peer

bdpy = peer("bdpy")


@pytest.fixture
def path(tmp_path: Path) -> str:
    bdata().save(str(tmp_path / "sub-01.h5"))
    return str(tmp_path / "sub-01.h5")


@pytest.fixture
def images(tmp_path: Path) -> str:
    return synset_images(tmp_path / "images")


@pytest.mark.parametrize(
    "expression",
    [
        "ROI_V1 = 1",
        "ROI_V1",
        "ROI_V1 = 1 | ROI_V2 = 1",
        "ROI_V1 + ROI_V2 - ROI_LOC",
        "ROI_V1 & ROI_V2",
        "ROI_hcp180_* = 1",
        "ROI_*_V1",
        "VoxelData",
        "VoxelData = 1 - ROI_V1 = 1",
        "ROI_V1 - (ROI_V2 | ROI_LOC)",
        "'ROI_V1' & (ROI_V2 - ROI_LOC)",
    ],
)
def test_columns_and_values_equal_bdpys(path: str, expression: str) -> None:
    ours, theirs = BData(path), bdpy.BData(path)
    expected, index = theirs.select(expression, return_index=True)
    np.testing.assert_array_equal(ours.columns(expression), index)
    np.testing.assert_array_equal(ours.read(ours.columns(expression), np.float64), expected)


@pytest.mark.parametrize("seed", range(40))
def test_random_expressions_without_nesting_equal_bdpys(path: str, seed: int) -> None:
    # In chains of one rank, with parentheses of one level, bdpy is right.
    rng = random.Random(seed)
    terms = []
    for _ in range(rng.randint(1, 5)):
        names = rng.choices(REGIONS, k=rng.randint(1, 3))
        terms.append("&".join(names) if rng.random() < 0.4 else rng.choice("|-").join(names))
    expression = terms[0] + "".join(f" {rng.choice('+|-')} ({term})" for term in terms[1:])
    if "&" in terms[0]:
        expression = expression.replace(terms[0], terms[0].split("&")[0], 1)
    _, index = bdpy.BData(path).select(expression, return_index=True)
    np.testing.assert_array_equal(BData(path).columns(expression), index, err_msg=expression)


@pytest.mark.parametrize(
    ("expression", "right"),
    [
        ("ROI_V1 - (ROI_V2 - (ROI_LOC - ROI_V1))", lambda a, b, c: a & ~(b & ~(c & ~a))),
        ("ROI_V1 - ((ROI_V2 - ROI_V1) | ROI_LOC)", lambda a, b, c: a & ~((b & ~a) | c)),
        ("ROI_V1 | ((ROI_V2 | ROI_LOC) & ROI_LOC)", lambda a, b, c: a | ((b | c) & c)),
        ("ROI_V1 | ROI_V2 & ROI_LOC", lambda a, b, c: a | (b & c)),
    ],
)
def test_where_bdpy_is_wrong_the_right_answer_is_given(
    path: str, expression: str, right: Callable[..., np.ndarray]
) -> None:
    data = BData(path)
    a, b, c = (data.rows[name] == 1 for name in REGIONS[:3])
    np.testing.assert_array_equal(data.columns(expression), right(a, b, c))


def test_bdpy_still_mistakes_nested_parentheses(path: str) -> None:
    # Should this fail, bdpy was mended: the exceptions above can go.
    theirs = bdpy.BData(path)
    _, index = theirs.select("ROI_V1 | ((ROI_V2 | ROI_LOC) & ROI_LOC)", return_index=True)
    a, b, c = (theirs.get_metadata(name) == 1 for name in REGIONS[:3])
    assert (index != (a | ((b | c) & c))).any()


def test_the_prefix_may_be_left_out_and_wildcards_then_match_regions_only(path: str) -> None:
    data = BData(path)
    np.testing.assert_array_equal(data.columns("V1"), data.columns("ROI_V1"))
    np.testing.assert_array_equal(data.columns("V*"), data.columns("ROI_V1 | ROI_V2"))
    assert not data.columns("*")[VOXELS:].any()


def test_older_spellings_of_the_groups_are_read(path: str, tmp_path: Path) -> None:
    def rename(file: h5py.File) -> None:
        file.move("dataset", "dataSet")
        file.move("metadata", "metaData")

    before = BData(path)
    everything = before.columns("VoxelData")
    expected = before.read(everything)
    after = BData(change_h5(path, rename))
    np.testing.assert_array_equal(after.read(after.columns("VoxelData")), expected)
    assert after.keys == before.keys


def test_a_recording_becomes_a_session(path: str, images: str) -> None:
    recording = load(path, images=images, roi="V1 + V2", image_size=16)
    theirs = bdpy.BData(path)
    expected = theirs.select("ROI_V1 | ROI_V2")
    np.testing.assert_array_equal(recording.fmri, expected.astype(np.float32))
    assert set(recording.rois) <= {"V1", "V2", "LOC", "hcp180_L_V1", "hcp180_R_V1"}
    np.testing.assert_array_equal(
        recording.fmri[:, recording.roi("V2")], theirs.select("ROI_V2").astype(np.float32)
    )
    assert [recording.stimulus_names[s] for s in recording.stimulus[:4]] == SYNSET_NAMES
    assert recording.images.shape == (4, 16, 16, 3)
    assert recording.images[recording.stimulus[:4], 8, 8, 0].tolist() == [0, 40, 80, 120]
    assert recording.run.tolist() == np.repeat(np.arange(6), 4).tolist()
    assert not recording.simulated and "sub-01.h5" in recording.description
    by_name = load("file", path=path, images=images, roi="V1 + V2", image_size=16)
    assert by_name.fingerprint() == recording.fingerprint()


def test_a_key_names_groups(images: str, tmp_path: Path) -> None:
    table = bdata()
    table.add(np.tile([7.0, 7.0, 9.0, np.nan], 6)[:, None], "movie")
    table.save(str(tmp_path / "movies.h5"))
    options = {"images": images, "image_size": 8}
    recording = load(str(tmp_path / "movies.h5"), **options, label="stimulus_id", groups="movie")
    by_image = dict(zip(recording.stimulus_names, recording.groups, strict=True))
    assert [by_image[name] for name in SYNSET_NAMES] == ["7", "7", "9", ""]
    with pytest.raises(InputError, match="holds '1' and '2' for trials of image 1"):
        load(str(tmp_path / "movies.h5"), **options, label="stimulus_id", groups="Run")


def test_a_label_is_no_voxel_where_the_file_does_not_say_which_columns_are(
    path: str, images: str
) -> None:
    def rename(file: h5py.File) -> None:
        keys = [b"Voxels" if key == b"VoxelData" else key for key in file["metadata/key"][:]]
        del file["metadata/key"]
        file["metadata/key"] = keys

    change_h5(path, rename)
    assert load(path, images=images, roi="Voxels").fmri.shape[1] == VOXELS
    for label in ("Run", "stimulus_id"):
        with pytest.raises(InputError, match="takes 1 columns that are no voxels"):
            load(path, images=images, roi=f"V1 + {label}", label="stimulus_id")


def test_test_trials_come_from_a_file_of_their_own(path: str, images: str, tmp_path: Path) -> None:
    folder = tmp_path / "test_images"
    folder.mkdir()
    data = bdpy.BData()
    data.add(np.random.default_rng(5).normal(size=(6, VOXELS)), "VoxelData")
    data.add(np.arange(6.0)[:, None] // 3, "Run")
    data.add(np.asarray([1.0, 2, 3] * 2)[:, None], "image_index")
    for key in REGIONS:
        row = BData(path).rows[key]
        data.add_metadata(key, row[:VOXELS], where="VoxelData")
    data.add_vmap("image_index", {1.0: "horse", 2.0: "bus", 3.0: "owl"})
    data.save(str(tmp_path / "test.h5"))
    for i, name in enumerate(["bus", "horse", "owl"]):
        Image.new("RGB", (20, 20), (i, 0, 200)).save(folder / f"{name}.png")
    recording = load(
        path, images=images, test_path=str(tmp_path / "test.h5"), test_images=str(folder)
    )
    test = recording.split == "test"
    assert test.sum() == 6 and (~test).sum() == TRIALS
    shown = [recording.stimulus_names[s] for s in recording.stimulus[test]]
    assert shown == ["horse", "bus", "owl"] * 2
    assert recording.run[test].tolist() == [6, 6, 6, 7, 7, 7]
    assert recording.images.shape == (7, 256, 256, 3)


def test_whole_numbers_count_the_images_by_name(path: str, tmp_path: Path) -> None:
    def number(file: h5py.File) -> None:
        file["dataset"][:, -1] = np.tile(np.r_[12.0, 1:12], 2)

    names = [f"{kind}_{i:02}" for kind in "ab" for i in range(5, 11)]
    for i, name in enumerate(names):
        Image.new("L", (8, 8), 20 * i).save(tmp_path / f"{name}.png")
    recording = load(change_h5(path, number), images=str(tmp_path), image_size=8)
    assert [recording.stimulus_names[s] for s in recording.stimulus[:12]] == names[-1:] + names[:-1]


def test_no_digit_of_a_synset_label_is_lost() -> None:
    rng = np.random.default_rng(0)
    synsets, numbers = rng.integers(1, 15_300_000, 5000), rng.integers(1, 10**6, 5000)
    labels = np.asarray([float(f"{s}.{n:06d}") for s, n in zip(synsets, numbers, strict=True)])
    expected = [f"n{s:08d}_{n}" for s, n in zip(synsets, numbers, strict=True)]
    assert synset_names(labels, "x") == expected
    with pytest.raises(InputError, match="they passed through float32"):
        synset_names(labels.astype(np.float32).astype(np.float64), "x")
    with pytest.raises(InputError, match="expected a synset and six decimals"):
        synset_names(labels + 1e-7 / 2, "x")


def test_memory_stays_near_the_selected_region(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "large.h5", "w") as file:
        file.create_dataset("dataset", shape=(3000, 20000), dtype="f8", fillvalue=1.0)
        file["dataset"][::100] = 2.0
        file["metadata/key"] = [b"VoxelData", b"ROI_V1"]
        file["metadata/value"] = np.stack([np.ones(20000), np.arange(20000) < 300])
    code = """
import resource, sys
from fmri_jax.data.readers.bdata import BData
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
data = BData(sys.argv[1])
before = peak()
print(data.read(data.columns("V1")).shape, peak() - before)
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "large.h5")], capture_output=True, text=True
    )
    shape, mebibytes = run.stdout.rsplit(" ", 1)
    assert shape == "(3000, 300)" and int(mebibytes) < 60, run  # the whole table takes 460
