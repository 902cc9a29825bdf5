"""The nilearn archive end to end, on a small one of the same layout."""

import os
import shutil
import tarfile

import nibabel
import numpy as np
import pytest
from scipy import signal

from fmri_jax import data
from fmri_jax.datasets.miyawaki2008 import archive, volumes
from fmri_jax.errors import InputError

SHAPE = (5, 4, 3)
VOLUMES = 24
LAG = 2
MASKS = [
    f"{side}{name}"
    for side in ("LH", "RH")
    for name in (
        *("V1d", "V1v", "V2d", "V2v", "V3", "V3A", "V4v", "VP"),
        *(f"lag{i}to{i + 1}" for i in range(11)),
    )
]


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)


@pytest.fixture
def written(tmp_path, monkeypatch):
    """20 random and 12 figure runs of 24 volumes in which 2 patterns answer 2 volumes later."""
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path / "cache"))
    folder, rng = tmp_path / "miyawaki2008", np.random.default_rng(0)
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:4] = 1
    save(folder / "mask" / "mask.nii.gz", mask)
    for number, name in enumerate(MASKS):
        roi = np.zeros(SHAPE, np.float32)
        roi[1 + number % 3, number % 4] = 1
        save(folder / "mask" / f"{name}.nii.gz", roi)
    truth = {}
    for recording, runs in (("random", 20), ("figure", 12)):
        for run in range(1, runs + 1):
            labels = np.full((VOLUMES, 100), -1)
            labels[4:7] = rng.integers(0, 2, 100)
            labels[12:15] = rng.integers(0, 2, 100)
            trend = np.linspace(0, 5, VOLUMES) + 100
            scans = rng.standard_normal((*SHAPE, VOLUMES)) + trend
            scans[1, 1, 1] = 7  # a voxel that does not change
            name = f"data_{recording}_run{run:02d}"
            save(folder / "func" / f"{name}.nii.gz", scans.astype(np.float32))
            (folder / "label").mkdir(exist_ok=True)
            np.savetxt(folder / "label" / f"{name}_label.csv", labels, fmt="%d", delimiter=",")
            truth[recording, run] = scans.astype(np.float32)[mask > 0].T, labels
    return folder, truth


def test_pairs_every_pattern_with_the_volume_that_answers_it(written):
    folder, truth = written
    recording = data.load("miyawaki2008", path=str(folder))
    assert recording.fmri.shape == (32 * 6, 36) and recording.images.shape == (64, 10, 10, 1)
    assert set(recording.run[recording.split == "train"]) == set(range(1, 21))
    assert set(recording.run[recording.split == "test"]) == set(range(21, 33))
    assert not recording.simulated and "Miyawaki" in recording.description
    for (kind, run), (scans, labels) in truth.items():
        mine = recording.run == run + (20 if kind == "figure" else 0)
        centred = signal.detrend(scans.astype(float), axis=0)
        deviation = centred.std(axis=0)
        expected = centred / np.where(deviation < 1e-3, np.inf, deviation)
        shown = np.array([4, 5, 6, 12, 13, 14])
        np.testing.assert_allclose(recording.fmri[mine], expected[shown + LAG], atol=1e-4)
        images = recording.images[recording.stimulus[mine], ..., 0] // 255
        for image, row in zip(images, labels[shown], strict=True):
            np.testing.assert_array_equal(image, row.reshape(10, 10, order="F"))


def test_labels_and_names_of_regions_and_images(written):
    folder, _ = written
    recording = data.load("miyawaki2008", path=str(folder))
    assert set(recording.rois) == {*MASKS, "V1", "V2", "V3", "V3A", "V4v", "VP"}
    inside = np.zeros(SHAPE, bool)
    inside[1:4] = True
    for number, name in enumerate(MASKS):
        roi = np.zeros(SHAPE, bool)
        roi[1 + number % 3, number % 4] = True
        np.testing.assert_array_equal(recording.rois[name], roi[inside])
    parts = [recording.rois[name] for name in ("LHV1d", "LHV1v", "RHV1d", "RHV1v")]
    np.testing.assert_array_equal(recording.roi("V1"), np.any(parts, axis=0))
    np.testing.assert_array_equal(recording.rois["V3"], recording.roi("LHV3 + RHV3"))
    assert sorted(recording.stimulus_names)[0] == "figure 1"
    assert sum(name.startswith("random") for name in recording.stimulus_names) == 40


def test_is_prepared_once_and_read_back_equal(written, monkeypatch):
    folder, _ = written
    first = data.load("miyawaki2008", path=str(folder))

    def fail(*_):
        raise AssertionError("converted a second time")

    monkeypatch.setattr(volumes, "convert", fail)
    assert data.load("miyawaki2008", path=str(folder)).fingerprint() == first.fingerprint()
    with pytest.raises(AssertionError, match="second time"):
        data.load("miyawaki2008", path=str(folder), lag=3)


def test_volumes_are_read_in_another_process_and_equal(written, tmp_path, monkeypatch):
    folder, _ = written
    expected = data.load("miyawaki2008", path=str(folder)).fingerprint()
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path / "other"))
    monkeypatch.setenv("FMRI_JAX_READ_APART", "1")
    monkeypatch.setattr(nibabel, "load", lambda *_: pytest.fail("it was opened in this process"))
    assert data.load("miyawaki2008", path=str(folder)).fingerprint() == expected


def test_an_archive_that_unpacks_to_too_much_is_rejected(written, tmp_path, monkeypatch):
    folder, _ = written
    packed = tmp_path / "small" / archive.ARCHIVE
    packed.parent.mkdir()
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(folder, folder.name)
    monkeypatch.setattr(archive, "LARGEST", 1000)
    with pytest.raises(InputError, match="unpacks to more than .* GiB: expected at most"):
        data.load("miyawaki2008", path=str(packed))


def test_an_empty_cache_variable_means_the_usual_cache(written, tmp_path, monkeypatch):
    folder, _ = written
    monkeypatch.setenv("FMRI_JAX_CACHE", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    data.load("miyawaki2008", path=str(folder))
    assert list((tmp_path / "home" / ".cache" / "fmri_jax" / "recordings").glob("miyawaki2008-*"))
    assert not (tmp_path / "recordings").exists()


def test_a_packed_archive_is_unpacked(written, tmp_path):
    folder, _ = written
    given = tmp_path / "downloads"
    given.mkdir()
    with tarfile.open(given / "miyawaki2008.tgz", "w:gz") as packed:
        packed.add(folder, "miyawaki2008")
    fingerprint = data.load("miyawaki2008", path=str(folder)).fingerprint()
    assert data.load("miyawaki2008", path=str(given)).fingerprint() == fingerprint


def test_downloads_through_nilearn(written, monkeypatch):
    folder, _ = written
    datasets = pytest.importorskip("nilearn.datasets")
    found = type("Bunch", (), {"mask": str(folder / "mask" / "mask.nii.gz")})
    monkeypatch.setattr(datasets, "fetch_miyawaki2008", lambda verbose: found)
    assert data.load("miyawaki2008").fmri.shape == (192, 36)


def test_without_a_network_says_what_to_put_where(monkeypatch):
    datasets = pytest.importorskip("nilearn.datasets")

    def refuse(verbose):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(datasets, "fetch_miyawaki2008", refuse)
    with pytest.raises(InputError, match=r"no route to host.*download https://www.nitrc.org.*path"):
        data.load("miyawaki2008")


def test_without_nilearn_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nilearn.datasets", None)
    with pytest.raises(InputError, match=r"pip install .fmri_jax\[nifti\]"):
        data.load("miyawaki2008")


def damage(folder, what):
    func, label = folder / "func", folder / "label" / "data_random_run03_label.csv"
    if what == "label missing":
        label.unlink()
    elif what == "figures missing":
        for path in func.glob("data_figure*"):
            path.unlink()
    elif what == "mask missing":
        (folder / "mask" / "mask.nii.gz").unlink()
    elif what == "volumes cut":
        path = func / "data_random_run02.nii.gz"
        os.truncate(path, path.stat().st_size // 2)
    elif what == "rows":
        label.write_text("\n".join(label.read_text().splitlines()[:-1]))
    elif what == "columns":
        np.savetxt(label, np.zeros((VOLUMES, 99)), fmt="%d", delimiter=",")
    elif what == "values":
        np.savetxt(label, np.full((VOLUMES, 100), 2), fmt="%d", delimiter=",")
    elif what == "text":
        label.write_text("no,numbers\n")
    elif what == "empty":
        label.write_text("")
    elif what == "a run too many":
        for kind, ending in (("func", ".nii.gz"), ("label", "_label.csv")):
            source = folder / kind / f"data_random_run20{ending}"
            shutil.copy(source, folder / kind / f"data_random_run21{ending}")
    elif what == "shape":
        save(func / "data_random_run01.nii.gz", np.zeros((5, 4, 2, VOLUMES), np.float32))


@pytest.mark.parametrize(
    "what, message",
    [
        ("label missing", r"run03_label.csv is missing"),
        ("figures missing", r"data_figure_run01.nii.gz is missing"),
        ("mask missing", r"mask.nii.gz is missing"),
        ("volumes cut", r"run02.nii.gz cannot be read"),
        ("rows", r"23 rows for the 24 volumes"),
        ("columns", r"has 99 columns"),
        ("values", r"values from 2 to 2"),
        ("text", r"label.csv cannot be read"),
        ("empty", r"run03_label.csv is empty"),
        ("a run too many", r"holds a random run 21: expected at most 20"),
        ("shape", r"\(5, 4, 2, 24\): expected \(5, 4, 3\)"),
    ],
)
def test_what_is_damaged_is_named(written, what, message):
    folder, _ = written
    damage(folder, what)
    with pytest.raises(InputError, match=message):
        data.load("miyawaki2008", path=str(folder))


def test_a_folder_without_the_archive_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no miyawaki2008"):
        data.load("miyawaki2008", path=str(tmp_path))
    broken = tmp_path / archive.ARCHIVE
    broken.write_bytes(b"not an archive")
    with pytest.raises(InputError, match="cannot be unpacked"):
        archive.find(str(broken), tmp_path / "cache")


def test_runs_that_are_missing_are_counted(written):
    folder, _ = written
    (folder / "func" / "data_random_run20.nii.gz").unlink()
    with pytest.warns(UserWarning, match="19 of 20 random runs"):
        data.load("miyawaki2008", path=str(folder))


@pytest.mark.parametrize(
    ("lag", "message"),
    [
        (-1, "lag is -1"),
        (2.5, "lag is 2.5"),
        (np.nan, "lag is nan"),
        (VOLUMES, f"no pattern that a volume {VOLUMES} later"),
    ],
)
def test_a_lag_that_no_run_has_is_refused(written, lag, message):
    with pytest.raises(InputError, match=message):
        data.load("miyawaki2008", path=str(written[0]), lag=lag)
