"""The published data sets, from small BData files of their layout that a local server offers."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from fmri_jax import download
from fmri_jax.data import load
from fmri_jax.datasets import cache, generic_object_decoding
from fmri_jax.datasets.deep_image_reconstruction import sources
from fmri_jax.errors import InputError
from tests.peers import peer

bdpy = peer("bdpy")

TRAINING = ["n01518878_5958", "n02084071_12", "n04099175_123456", "n01518878_100000"]
TEST = ["n01443537_22563", "n03237416_58334"]
VOXELS = 12


def label(name: str) -> float:
    """As the releases write it: synset before the point, six digits of the image behind."""
    synset, image = name[1:].split("_")
    return float(f"{int(synset)}.{int(image):06d}")


def bdata(path: Path, labels: list[Any], seed: int, **columns: list[float]) -> bdpy.BData:
    """Random responses to `labels`; texts are numbered and named by a vmap."""
    rng = np.random.default_rng(seed)
    data = bdpy.BData()
    data.add(rng.normal(size=(len(labels), VOXELS)), "VoxelData")
    runs = np.arange(len(labels)) * 2 // len(labels)
    data.add(runs[:, None] + 1.0, "Run")
    for name, values in columns.items():
        data.add(np.asarray(values)[:, None], name)
    if isinstance(labels[0], str):
        names = sorted(set(labels))
        data.add(np.asarray([[names.index(text) + 1.0] for text in labels]), "stimulus_name")
        data.add_vmap("stimulus_name", {i + 1.0: name for i, name in enumerate(names)})
    else:
        data.add(np.asarray(labels)[:, None], "stimulus_id")
    data.add_metadata("ROI_VC", (np.arange(VOXELS) < 9).astype(float), where="VoxelData")
    data.add_metadata("ROI_V1", (np.arange(VOXELS) < 4).astype(float), where="VoxelData")
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save(str(path))
    return data


def pictures(folder: Path, names: list[str], suffix: str = "JPEG") -> None:
    folder.mkdir(parents=True)
    for name in names:
        colour = tuple(hashlib.md5(name.encode()).digest()[:3])
        Image.new("RGB", (30, 20), colour).save(folder / f"{name}.{suffix}")


@pytest.fixture
def place(tmp_path: Path, file_server: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set's folder with its images; the cache is apart and empty."""
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "FIGSHARE", file_server.url)
    pictures(tmp_path / "place" / "images" / "training", TRAINING)
    pictures(tmp_path / "place" / "images" / "test", TEST)
    return tmp_path / "place"


@pytest.fixture
def reconstruction(
    place: Path, tmp_path: Path, file_server: Any, monkeypatch: pytest.MonkeyPatch
) -> dict[str, bdpy.BData]:
    """Publishes sub-02's training and test files of the whole brain."""
    made, files = {}, {}
    labels = {"training": TRAINING * 5, "test": TEST * 24}
    for number, (part, names) in enumerate(labels.items(), start=1):
        path = tmp_path / "published" / f"{part}.h5"
        made[part] = bdata(path, [label(name) for name in names], number)
        content = path.read_bytes()
        file_server.files[f"/{number}"] = content
        files[part] = (number, hashlib.md5(content).hexdigest())
    monkeypatch.setitem(sources.FILES["whole_brain"], "sub-02", files)
    return made


def open_reconstruction(place: Path, **options: Any):
    options = {"subject": "sub-02", "image_size": 16, "folder": str(place)} | options
    return load("deep_image_reconstruction", **options)


def test_deep_image_reconstruction_is_fetched_prepared_and_read_back(
    reconstruction: dict[str, bdpy.BData],
    place: Path,
    file_server: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording = open_reconstruction(place)
    expected = [reconstruction[part].select("ROI_VC") for part in ("training", "test")]
    np.testing.assert_array_equal(recording.fmri, np.concatenate(expected).astype(np.float32))
    names = [recording.stimulus_names[i] for i in recording.stimulus]
    assert names == TRAINING * 5 + TEST * 24  # no digit was lost
    assert recording.split.tolist() == ["train"] * 20 + ["test"] * 48
    assert recording.run.tolist() == [0] * 10 + [1] * 10 + [2] * 24 + [3] * 24
    assert {name: mask.sum() for name, mask in recording.rois.items()} == {"VC": 9, "V1": 4}
    assert recording.images.shape == (6, 16, 16, 3) and not recording.simulated
    assert "Subject 02" in recording.description
    assert len(file_server.ranges) == 2
    monkeypatch.setattr(cache, "_write", None)  # whoever prepares again fails
    assert open_reconstruction(place).fingerprint() == recording.fingerprint()
    assert len(file_server.ranges) == 2


def test_responses_of_another_content_under_the_same_name_are_read(
    reconstruction: dict[str, bdpy.BData], decoding: bdpy.BData, place: Path
) -> None:
    """The checksum of the whole brain's files is known: there only a file of that content is."""
    open_reconstruction(place)
    with (place / "sub-02_whole_brain_test.h5").open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(InputError, match=r"sub-02_whole_brain_test\.h5 has MD5"):
        open_reconstruction(place)
    options = {"image_size": 8, "folder": str(place)}
    before = load("generic_object_decoding", **options)
    stored = place / "Subject3.h5"
    with h5py.File(stored, "r+") as file:
        file["dataset"][:, :VOXELS] = -file["dataset"][:, :VOXELS]
    np.testing.assert_array_equal(load("generic_object_decoding", **options).fmri, -before.fmri)


def test_a_missing_file_of_responses_is_fetched_and_images_drawn_anew_are_read(
    decoding: bdpy.BData, place: Path
) -> None:
    options = {"image_size": 8, "folder": str(place)}
    before = load("generic_object_decoding", **options)
    path = place / "images" / "training" / f"{TRAINING[0]}.JPEG"
    size = path.stat().st_size
    Image.new("RGB", (30, 20), (250, 250, 250)).save(path)
    path.write_bytes(path.read_bytes().ljust(size, b"\0"))
    assert path.stat().st_size == size
    (place / "Subject3.h5").unlink()
    after = load("generic_object_decoding", **options)
    np.testing.assert_array_equal(after.fmri, before.fmri)
    assert (after.images != before.images).any()


def test_shapes_and_letters_are_test_sets_where_their_files_are(
    reconstruction: dict[str, bdpy.BData], place: Path
) -> None:
    without = open_reconstruction(place)
    for part, names in {"shapes": ["red_square", "blue_cross"], "letters": ["a", "t", "o"]}.items():
        bdata(place / f"sub-02_whole_brain_{part}.h5", names * 2, seed=9)
        pictures(place / "images" / part, names, "png")
    recording = open_reconstruction(place)
    assert set(recording.split) == {"train", "test", "shapes", "letters"}
    letters = recording.stimulus[recording.split == "letters"]
    assert [recording.stimulus_names[i] for i in letters] == ["a", "t", "o"] * 2
    assert set(without.split) == {"train", "test"}


def test_missing_images_are_asked_for_before_anything_is_downloaded(
    reconstruction: dict[str, bdpy.BData], place: Path, file_server: Any
) -> None:
    for image in (place / "images" / "test").iterdir():
        image.unlink()
    with pytest.raises(
        InputError, match="the 50 images of Deep Image .* on request .* named?"
    ) as e:
        open_reconstruction(place)
    assert "images/test" in str(e.value) and "such as n01518878_5958.JPEG" in str(e.value)
    assert not file_server.ranges


def test_what_was_never_published_is_refused(place: Path) -> None:
    with pytest.raises(InputError, match="subject='sub-04' is not a known subject"):
        open_reconstruction(place, subject="sub-04")
    with pytest.raises(InputError, match="did you mean 'original_VC'"):
        open_reconstruction(place, release="original_vc")
    with pytest.raises(InputError, match="subject is 6: expected one of 1, 2, 3, 4, 5"):
        load("generic_object_decoding", subject=6)


@pytest.fixture
def decoding(place: Path, tmp_path: Path, file_server: Any) -> bdpy.BData:
    """Publishes subject 3: training, test and imagery in one file, told apart by DataType."""
    labels = [label(name) for name in TRAINING + TEST * 3]
    imagined = [float(int(label(name))) for name in TEST * 2]
    kinds = [1.0] * 4 + [2.0] * 6 + [3.0] * 4
    data = bdata(tmp_path / "s.h5", labels + imagined, 5, DataType=kinds)
    number = generic_object_decoding.FILES[3]
    file_server.files[f"/{number}"] = (tmp_path / "s.h5").read_bytes()
    return data


def test_generic_object_decoding_takes_perception_and_imagery_apart(
    decoding: bdpy.BData, place: Path
) -> None:
    seen = load("generic_object_decoding", image_size=8, folder=str(place))
    everything = decoding.select("ROI_VC").astype(np.float32)
    np.testing.assert_array_equal(seen.fmri, everything[:10])
    assert seen.split.tolist() == ["train"] * 4 + ["test"] * 6
    assert [seen.stimulus_names[i] for i in seen.stimulus] == TRAINING + TEST * 3
    both = load("generic_object_decoding", image_size=8, folder=str(place), imagery=True)
    imagined = both.split == "imagery"
    np.testing.assert_array_equal(both.fmri[imagined], everything[10:])
    assert [both.stimulus_names[i] for i in both.stimulus[imagined]] == TEST * 2
    assert len(both.images) == len(seen.images) == 6  # a category's image is its test image


Change = Callable[[Path], object]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda p: pictures(p / "images" / "test" / "more", ["n01443537_1"]),
            "holds 2 images of synset n01443537, .*: expected one, such as n01443537_1.JPEG",
        ),
        (
            lambda p: bdata(p / "Subject3.h5", [label(n) for n in TRAINING], 1, DataType=[1.0] * 4),
            "holds no trials whose DataType is 2: expected some",
        ),
        (
            lambda p: (p / "Subject3.h5").write_bytes(b"half a file"),
            "Subject3.h5 cannot be read as BData",
        ),
    ],
)
def test_what_does_not_fit_ends_with_a_sentence(
    decoding: bdpy.BData, place: Path, change: Change, sentence: str
) -> None:
    change(place)
    with pytest.raises(InputError, match=sentence):
        load("generic_object_decoding", image_size=8, folder=str(place), imagery=True)
