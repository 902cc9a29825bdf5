import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fmri_jax.data import known, load
from fmri_jax.data.npz import save_npz
from fmri_jax.data.session import Session
from fmri_jax.errors import InputError

Arrays = dict[str, Any]


@pytest.fixture
def arrays(make_session: Callable[..., Session]) -> Arrays:
    session = make_session()
    return {
        "fmri": session.fmri,
        "stimulus": session.stimulus,
        "images": session.images,
        "run": session.run,
        "roi_names": np.asarray(list(session.rois)),
        "roi_masks": np.stack(list(session.rois.values())),
    }


def written(path: Path, arrays: Arrays) -> str:
    np.savez(path, **arrays)
    return str(path)


def test_written_and_read_again_is_equal(
    make_session: Callable[..., Session], tmp_path: Path
) -> None:
    session = make_session(simulated=True, description="Simulated. Größe 3 µm.")
    path = tmp_path / "Aufnahme_für_später.npz"
    save_npz(session, path)
    again = load(str(path))
    assert again.fingerprint() == session.fingerprint()
    assert again.simulated and again.description == session.description
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert load("file", path=str(path)).fingerprint() == session.fingerprint()


def test_optional_keys_have_defaults(arrays: Arrays, tmp_path: Path) -> None:
    needed = {key: arrays[key] for key in ("fmri", "stimulus", "images")}
    session = load(written(tmp_path / "a.npz", needed))
    assert session.rois == {} and not session.run.any()
    assert set(session.split) == {"train"} and not session.simulated
    assert session.stimulus_names[0] == "image 0"


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
    session = load(written(tmp_path / "a.npz", changed))
    np.testing.assert_array_equal(session.images, binary * 255)
    assert session.fmri.dtype == np.float32 and session.stimulus.dtype == np.int32
    np.testing.assert_array_equal(session.rois["V2"], arrays["roi_masks"][1])


def dropped(key: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {k: v for k, v in arrays.items() if k != key}


def changed(key: str, change: Callable[[np.ndarray], Any]) -> Callable[[Arrays], Arrays]:
    return lambda arrays: arrays | {key: change(arrays[key])}


def added(**more: Any) -> Callable[[Arrays], Arrays]:
    return lambda arrays: arrays | more


MALFORMED: list[tuple[Callable[[Arrays], Arrays], str]] = [
    (
        dropped("fmri"),
        "key 'fmri' is missing; it holds images, roi_masks, roi_names, run, stimulus",
    ),
    (dropped("stimulus"), "key 'stimulus' is missing"),
    (dropped("images"), "key 'images' is missing"),
    (lambda a: {}, "key 'fmri' is missing; it holds nothing: expected fmri, stimulus, images"),
    (
        changed("fmri", np.transpose),
        r"fmri has shape \(10, 24\) .* axes seem swapped, so store fmri.T",
    ),
    (changed("fmri", lambda x: x.astype(complex)), "fmri is complex128: expected real numbers"),
    (changed("fmri", lambda x: x.astype(str)), "fmri is <U32: expected real numbers"),
    (changed("fmri", lambda x: x.astype(object)), "holds Python objects"),
    (changed("fmri", lambda x: x * np.float64(1e300)), "fmri holds 240 values that are not finite"),
    (changed("fmri", lambda x: np.where(x > 4, np.nan, x)), "values that are not finite"),
    (changed("fmri", lambda x: x[:0]), "stimulus has 24|at least one trial"),
    (changed("fmri", lambda x: x[0]), r"fmri has shape \(10,\): expected \(trials, voxels\)"),
    (changed("stimulus", lambda x: x + 1), "they seem to count from 1, so subtract 1"),
    (changed("stimulus", lambda x: x + 0.5), "stimulus holds values that are not whole numbers"),
    (changed("stimulus", lambda x: x * np.nan), "stimulus holds values that are not whole numbers"),
    (changed("stimulus", lambda x: x.astype(str)), "stimulus is <U11: expected whole numbers"),
    (changed("stimulus", lambda x: x + 2.0**40), "int32's range"),
    (changed("stimulus", lambda x: np.tile(x, 2)), "stimulus has 48 entries, but fmri has 24"),
    (changed("stimulus", lambda x: np.int32(3)), r"stimulus has shape \(\): expected \(trials,\)"),
    (changed("images", lambda x: x[..., 0]), r"need their channel axis, images\[..., None\]"),
    (changed("images", lambda x: x[0, 0, 0, 0]), r"images has shape \(\): expected \(stimuli, he"),
    (changed("images", lambda x: np.moveaxis(x, -1, 1)), r"store np.moveaxis\(images, 1, -1\)"),
    (changed("images", lambda x: np.concatenate([x, x[..., :1]], -1)), "so 4 channels"),
    (changed("images", lambda x: x.astype(np.uint16)), "images is uint16: expected uint8"),
    (changed("images", lambda x: x.astype(float)), r"values from 0 to 255: expected \[0, 1\]"),
    (changed("images", lambda x: x / 127.5 - 1), r"values from -1 to 1: expected \[0, 1\]"),
    (changed("images", lambda x: x * np.nan), r"values from nan to nan: expected \[0, 1\]"),
    (changed("images", lambda x: x // 200), "values 0 and 1: expected 0 to 255; multiply by 255"),
    (changed("run", lambda x: x[1:]), "run has 23 entries, but fmri has 24 trials"),
    (changed("run", lambda x: x.astype("S")), "run is |S11: expected whole numbers"),
    (dropped("roi_masks"), "roi_names is there alone: expected roi_names and roi_masks together"),
    (dropped("roi_names"), "roi_masks is there alone"),
    (changed("roi_masks", np.transpose), r"shape \(10, 3\): expected \(3, 10\).*axes seem swapped"),
    (changed("roi_masks", lambda x: x[:, 1:]), r"roi_masks has shape \(3, 9\): expected \(3, 10\)"),
    (changed("roi_masks", lambda x: x * 2), "holds other values than 0 and 1"),
    (changed("roi_names", lambda x: np.asarray(["V1"] * 3)), "holds a name twice: V1, V1, V1"),
    (changed("roi_names", lambda x: np.arange(3)), r"roi_names is int64 of shape \(3,\)"),
    (added(stimulus_names=np.asarray(["a", "b"])), "stimulus_names holds 2 names for 6 images"),
    (
        added(stimulus_name=np.asarray(["a"])),
        "'stimulus_name' is unknown: rename it to 'stimulus_n",
    ),
    (added(split=np.asarray(["train"])), "split has 1 entries for 24 trials"),
    (added(split=np.arange(24)), r"split is int64 of shape \(24,\): expected a list of texts"),
    (added(split=np.asarray(["train", "test"] * 12)), "trial 1 into 'test'|also in training"),
]


@pytest.mark.parametrize("case", range(len(MALFORMED)))
def test_malformed_recordings_end_with_a_sentence(
    arrays: Arrays, tmp_path: Path, case: int
) -> None:
    change, sentence = MALFORMED[case]
    if "also in training" in sentence:  # one stimulus on both sides
        arrays["stimulus"] = np.repeat(np.arange(6, dtype=np.int32), 4)
    path = written(tmp_path / "my.npz", change(arrays))
    with pytest.raises(InputError, match=sentence) as error:
        load(path)
    assert path in str(error.value) and "\n" not in str(error.value)


def test_files_that_cannot_be_read(arrays: Arrays, tmp_path: Path) -> None:
    good = written(tmp_path / "good.npz", arrays)
    content = Path(good).read_bytes()
    (tmp_path / "half.npz").write_bytes(content[: len(content) // 2])
    damaged = bytearray(content)
    damaged[400:500] = bytes(100)
    (tmp_path / "damaged.npz").write_bytes(damaged)
    (tmp_path / "empty.npz").write_bytes(b"")
    with (tmp_path / "single.npz").open("wb") as file:
        np.save(file, arrays["fmri"])
    (tmp_path / "pickled.npz").write_bytes(pickle.dumps({"fmri": 1}))
    for name, sentence in {
        "missing.npz": "is not a file: expected an .npz recording; check the path",
        "half.npz": "is no .npz file, or its end is missing",
        "damaged.npz": "the file is damaged",
        "empty.npz": "is no .npz file",
        "single.npz": "is no .npz file",
        "pickled.npz": "is no .npz file",
        "other.xyz": "ends in '.xyz': expected one of .npz, .mat, .h5, .hdf5, .nii, .nii.gz",
    }.items():
        with pytest.raises(InputError, match=sentence) as error:
            load(str(tmp_path / name))
        assert name in str(error.value)
    with pytest.raises(InputError, match="No recording is given"):
        load("file", path="")


def test_an_unknown_name_or_option_is_refused_with_those_that_exist() -> None:
    assert "virtual_subject" in known()
    with pytest.raises(InputError, match="did you mean 'virtual_subject'. choose one of .*file"):
        load("virtual_subjekt")
    with pytest.raises(
        InputError, match=r"cannot take the options \['path', 'pfad'\].* it takes path"
    ):
        load("file", path="x.npz", pfad="y.npz")


def test_a_failed_write_leaves_the_old_file(
    make_session: Callable[..., Session], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npz"
    save_npz(make_session(), path)
    before = path.read_bytes()

    def full_disk(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_npz(make_session(simulated=True), path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
