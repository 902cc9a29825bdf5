"""The prepared layout of the Natural Scenes Dataset, small: 40 images, 1,600 trials, 9 voxels."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from fmri_jax.data import load
from fmri_jax.errors import InputError

RNG = np.random.default_rng(0)
BETAS = RNG.normal(size=(1600, 9)).astype(np.float32)
ORDER = RNG.permuted(np.arange(1600) % 35 + 2)  # images 0, 1, 37, 38, 39 are never shown
IMAGES = RNG.integers(0, 256, (40, 6, 6, 3), dtype=np.uint8)
SHARED = np.arange(40) % 8 == 3


def write(path: Path, **datasets: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "nsd"
    place.mkdir()
    write(place / "betas_all_subj02_fp32_renorm.hdf5", betas=BETAS)
    write(place / "COCO_73k_subj_indices.hdf5", subj01=ORDER[::-1], subj02=ORDER)
    floats = (np.moveaxis(IMAGES, -1, 1) / 255).astype(np.float16)
    write(place / "coco_images_224_float16.hdf5", images=floats)
    np.save(place / "shared1000.npy", SHARED)
    return place


def open_it(folder: Path, **options: int):
    return load(
        "natural_scenes", **({"subject": 2, "image_size": 6, "folder": str(folder)} | options)
    )


def test_trials_meet_their_images(folder: Path) -> None:
    recording = open_it(folder)
    np.testing.assert_array_equal(recording.fmri, BETAS)
    np.testing.assert_array_equal(recording.images[recording.stimulus], IMAGES[ORDER])
    np.testing.assert_array_equal(recording.split == "test", SHARED[ORDER])
    assert recording.stimulus_names[0] == "nsd00002" and len(recording.images) == 35
    assert np.bincount(recording.run).tolist() == [750, 750, 100]
    assert recording.rois["nsdgeneral"].all() and not recording.simulated
    assert open_it(folder).fingerprint() == recording.fingerprint()


def test_files_are_read_in_another_process_and_equal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = open_it(folder).fingerprint()
    monkeypatch.setenv("FMRI_JAX_CACHE", str(folder.parent / "other"))
    monkeypatch.setenv("FMRI_JAX_READ_APART", "1")
    monkeypatch.setattr(h5py, "File", lambda *_: pytest.fail("it was opened in this process"))
    assert open_it(folder).fingerprint() == expected
    (folder / "COCO_73k_subj_indices.hdf5").write_bytes(b"nothing")
    with pytest.raises(InputError, match="indices.hdf5 cannot be read as HDF5"):
        open_it(folder)


def test_nsds_own_images_regions_and_first_sessions_are_read(folder: Path) -> None:
    (folder / "coco_images_224_float16.hdf5").unlink()
    write(folder / "nsd_stimuli.hdf5", imgBrick=IMAGES)
    write(folder / "rois_subj02.hdf5", V1=np.arange(9) < 3, floc=np.ones(9))
    recording = open_it(folder, sessions=1)
    np.testing.assert_array_equal(recording.images[recording.stimulus], IMAGES[ORDER[:750]])
    assert recording.fmri.shape == (750, 9) and recording.rois["V1"].sum() == 3


def test_responses_that_were_prepared_anew_under_the_same_name_are_read(folder: Path) -> None:
    open_it(folder)
    write(folder / "betas_all_subj02_fp32_renorm.hdf5", betas=-BETAS)
    np.testing.assert_array_equal(open_it(folder).fmri, -BETAS)


MALFORMED: list[tuple[Callable[[Path], object], str]] = [
    (lambda p: (p / "shared1000.npy").unlink(), "holds no shared1000.npy: expected the list of"),
    (
        lambda p: write(p / "betas_all_subj02_fp32_renorm.hdf5", data=BETAS),
        "holds data: expected the dataset 'betas'",
    ),
    (
        lambda p: write(p / "betas_all_subj02_fp32_renorm.hdf5", betas=np.ones((1601, 2))),
        r"has shape \(1601, 2\): expected \(trials, voxels\) with at most 1600 trials",
    ),
    (
        lambda p: write(p / "COCO_73k_subj_indices.hdf5", subj02=ORDER + 10),
        "names images 12 to 46: expected 0 to 39, counted from 0; subtract 1 if",
    ),
    (
        lambda p: write(
            p / "coco_images_224_float16.hdf5", images=np.moveaxis(IMAGES, -1, 1) * 1.0
        ),
        "holds float64 from 0 to 255: expected uint8, or real numbers from 0 to 1",
    ),
    (
        lambda p: write(p / "coco_images_224_float16.hdf5", images=IMAGES),
        r"has shape \(40, 6, 6, 3\): expected 40 RGB images",
    ),
    (lambda p: write(p / "rois_subj02.hdf5", V1=np.ones(8)), "V1 has 8 entries .* expected 9 of"),
    (
        lambda p: np.save(p / "shared1000.npy", np.arange(40)),
        "is int64 of shape .40,.: expected b",
    ),
    (lambda p: np.save(p / "shared1000.npy", np.asarray([{}])), "cannot be read .*pickle"),
    (
        lambda p: (p / "COCO_73k_subj_indices.hdf5").write_bytes(b"\x89HDF\r\n"),
        "COCO_73k_subj_indices.hdf5 cannot be read as HDF5",
    ),
]


@pytest.mark.parametrize("case", range(len(MALFORMED)))
def test_files_that_do_not_fit_end_with_a_sentence(folder: Path, case: int) -> None:
    change, sentence = MALFORMED[case]
    change(folder)
    with pytest.raises(InputError, match=sentence):
        open_it(folder)


def test_a_subject_that_does_not_exist_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="subject is 9: expected 1 to 8"):
        open_it(folder, subject=9)
    with pytest.raises(InputError, match=r"holds no betas_all_subj01\*.h\*5: expected the resp"):
        open_it(folder, subject=1)


SHOWN = range(2, 37)
TEXTS = {n: [f"caption {i} of {n}" for i in range(1 + n % 3)] for n in range(40)}


def with_coco(folder: Path) -> None:
    """NSD's table in another order than COCO's numbers, and COCO's two files, mixed."""
    rows = [
        f"{i},{100 + 7 * n % 40},{'train' if n % 2 else 'val'}2017,{n}"
        for i, n in enumerate(reversed(range(40)))
    ]
    (folder / "nsd_stim_info_merged.csv").write_text("\n".join([",cocoId,cocoSplit,nsdId", *rows]))
    for odd, name in enumerate(("val", "train")):
        found = [
            {"image_id": 100 + 7 * n % 40, "id": 0, "caption": f" {text}\n"}
            for i in range(3)
            for n in range(odd, 40, 2)
            for text in TEXTS[n][i : i + 1]
        ] + [{"image_id": 5, "id": 1, "caption": "not of NSD"}]
        (folder / f"captions_{name}2017.json").write_text(json.dumps({"annotations": found}))


def curated() -> np.ndarray:
    return np.asarray([[*TEXTS[n], *[""] * (5 - len(TEXTS[n]))] for n in range(40)])


def test_captions_of_coco_meet_their_images(folder: Path) -> None:
    with_coco(folder)
    recording = open_it(folder, captions=True)
    assert recording.captions == tuple(tuple(TEXTS[n]) for n in SHOWN)
    assert open_it(folder, captions=True).captions == recording.captions  # as it was kept
    plain = open_it(folder)
    assert plain.captions == () and plain.fingerprint() != recording.fingerprint()
    np.save(folder / "COCO_73k_annots_curated.npy", curated())
    assert open_it(folder, captions=True).fingerprint() == recording.fingerprint()


MALFORMED_CAPTIONS: list[tuple[Callable[[Path], object], str]] = [
    (lambda p: None, "holds no nsd_stim_info_merged.csv: expected the captions of NSD's images"),
    (
        lambda p: (with_coco(p), (p / "captions_val2017.json").unlink()),
        "holds no captions_val2017.json: .* COCO_73k_annots_curated.npy, or .* captions=False",
    ),
    (
        lambda p: (with_coco(p), (p / "captions_val2017.json").write_text('{"annotations": [')),
        "captions_val2017.json cannot be read .JSONDecodeError",
    ),
    (
        lambda p: (with_coco(p), (p / "captions_val2017.json").write_text('{"annotations": []}')),
        "no caption of 18 of 35 images, first of nsd00002",
    ),
    (
        lambda p: (with_coco(p), (p / "nsd_stim_info_merged.csv").write_text("nsdId,cocoId\n2,5")),
        "nsd_stim_info_merged.csv has no row of nsdId 3",
    ),
    (
        lambda p: (with_coco(p), (p / "nsd_stim_info_merged.csv").write_text("nsdId\n2")),
        "nsd_stim_info_merged.csv cannot be read .KeyError: 'cocoId'",
    ),
    (
        lambda p: np.save(p / "COCO_73k_annots_curated.npy", curated()[:20]),
        r"of shape \(20, 5\): expected text, one row per image of NSD, of which number 36",
    ),
    (
        lambda p: np.save(p / "COCO_73k_annots_curated.npy", curated().astype(object)),
        "COCO_73k_annots_curated.npy cannot be read",
    ),
]


@pytest.mark.parametrize("case", range(len(MALFORMED_CAPTIONS)))
def test_captions_that_do_not_fit_end_with_a_message(folder: Path, case: int) -> None:
    change, message = MALFORMED_CAPTIONS[case]
    change(folder)
    with pytest.raises(InputError, match=message):
        open_it(folder, captions=True)
