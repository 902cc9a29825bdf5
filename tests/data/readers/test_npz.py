from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fmri_jax.data import known, load
from fmri_jax.data.readers.npz import save_npz
from fmri_jax.data.recording import Recording
from tests.data import builders

Arrays = builders.Arrays


@pytest.fixture
def arrays() -> Arrays:
    return builders.arrays()


def written(path: Path, arrays: Arrays) -> str:
    np.savez(path, **arrays)
    return str(path)


def test_written_and_read_again_is_equal(
    make_recording: Callable[..., Recording], tmp_path: Path
) -> None:
    recording = make_recording(simulated=True, description="Simulated. Größe 3 µm.")
    path = tmp_path / "Aufnahme_für_später.npz"
    save_npz(recording, path)
    again = load(str(path))
    assert again.fingerprint() == recording.fingerprint()
    assert again.simulated and again.description == recording.description
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert load("file", path=str(path)).fingerprint() == recording.fingerprint()


def test_optional_keys_have_defaults(arrays: Arrays, tmp_path: Path) -> None:
    needed = {key: arrays[key] for key in ("fmri", "stimulus", "images")}
    recording = load(written(tmp_path / "a.npz", needed))
    assert recording.rois == {} and not recording.run.any()
    assert set(recording.split) == {"train"} and not recording.simulated
    assert recording.stimulus_names[0] == "image 0"


@pytest.mark.parametrize(
    "images",
    [
        lambda i: i / 255,
        lambda i: (i / np.float32(255)).astype(np.float32),
        lambda i: (i / 255).astype(np.float16),
    ],
)
def test_real_images_become_uint8(
    arrays: Arrays, tmp_path: Path, images: Callable[[np.ndarray], np.ndarray]
) -> None:
    changed = arrays | {"images": images(arrays["images"])}
    read = load(written(tmp_path / "a.npz", changed)).images
    np.testing.assert_array_equal(read, arrays["images"])


def test_binary_images_whole_labels_and_wide_responses_are_converted(
    arrays: Arrays, tmp_path: Path
) -> None:
    binary = np.arange(6 * 100).reshape(6, 10, 10, 1) % 7 == 0
    changed = arrays | {
        "images": binary,
        "stimulus": arrays["stimulus"].astype(float),
        "fmri": arrays["fmri"].astype(float),
        "roi_masks": arrays["roi_masks"].astype(np.uint8),
        "stimulus_names": np.asarray(["ä", "b", "c", "d", "e", "f"]).astype("U1"),
        "condition": np.zeros(24),  # unknown keys are no obstacle
    }
    recording = load(written(tmp_path / "a.npz", changed))
    np.testing.assert_array_equal(recording.images, binary * 255)
    assert recording.fmri.dtype == np.float32 and recording.stimulus.dtype == np.int32
    np.testing.assert_array_equal(recording.rois["V2"], arrays["roi_masks"][1])


def test_home_and_variables_are_replaced(
    arrays: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load(written(tmp_path / "a.npz", arrays)).fingerprint()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MINE", str(tmp_path))
    assert load("~/a.npz").fingerprint() == expected
    assert load("file", path="$MINE/a.npz").fingerprint() == expected
    literal = written(tmp_path / "a$b.npz", arrays)  # a name, as it exists
    assert load(literal).fingerprint() == expected


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((60, 12, 10), range(8)),  # a bank of which few are shown
        ((60, 10, 10), range(10)),  # as many as a row has pixels, but the images are square
        ((20, 16, 16), range(1, 20)),
        ((16, 16, 20), range(15)),  # as many as a column has pixels
        ((16, 20, 12), [*range(10), 15]),
        ((6, 6, 6), range(5)),
    ],
)
def test_images_that_are_not_all_shown_are_no_stack(
    tmp_path: Path, shape: tuple[int, ...], shown: Any
) -> None:
    stimulus = np.tile(np.asarray(shown), 2)
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 1), dtype=np.uint8)
    mine = {"fmri": np.eye(len(stimulus), 9), "stimulus": stimulus, "images": pixels}
    assert load(written(tmp_path / "a.npz", mine)).images.shape == (*shape, 1)


def test_names_settle_which_axis_counts_the_images(arrays: Arrays, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 11, 6, 1), dtype=np.uint8)
    names = np.asarray([f"picture {i}" for i in range(9)])
    mine = arrays | {"images": pixels, "stimulus_names": names}
    assert load(written(tmp_path / "a.npz", mine)).images.shape == (9, 11, 6, 1)


def test_recordings_have_names() -> None:
    assert {"file", "virtual_subject", "deep_image_reconstruction"} <= set(known())


def test_a_failed_write_leaves_the_old_file(
    make_recording: Callable[..., Recording], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npz"
    save_npz(make_recording(), path)
    before = path.read_bytes()

    def full_disk(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_npz(make_recording(simulated=True), path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("nothing", ["", "n/a", "N/A", "nan", "NaN", " ", "None", "<NA>"])
def test_texts_for_no_value_mean_none(arrays: Arrays, tmp_path: Path, nothing: str) -> None:
    arrays["split"] = np.full(24, nothing)
    arrays["stimulus_names"] = np.asarray(["a", nothing, "c", nothing, "e", "f"])
    recording = load(written(tmp_path / "a.npz", arrays))
    assert set(recording.split) == {"train"}
    assert recording.stimulus_names == ("a", "image 1", "c", "image 3", "e", "f")


@pytest.mark.parametrize("test", ["test", "Test", "TEST", " test", "test\t"])
@pytest.mark.parametrize("train", ["train", "Train", "TRAIN "])
def test_cases_and_spaces_of_splits_do_not_matter(
    arrays: Arrays, tmp_path: Path, train: str, test: str
) -> None:
    arrays["split"] = np.where(arrays["stimulus"] < 4, train, test)
    split = load(written(tmp_path / "a.npz", arrays)).split
    assert split.tolist() == np.where(arrays["stimulus"] < 4, "train", "test").tolist()


def test_names_of_other_test_sets_keep_their_case(arrays: Arrays, tmp_path: Path) -> None:
    arrays["split"] = np.where(arrays["stimulus"] < 4, "train", " Shapes")
    assert set(load(written(tmp_path / "a.npz", arrays)).split) == {"train", "Shapes"}
