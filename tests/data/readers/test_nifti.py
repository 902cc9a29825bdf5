"""NIfTI recordings written by nibabel; responses against a loop over events and voxels."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy.signal import detrend

from fmri_jax.data import load
from fmri_jax.errors import InputError
from tests.data.builders import REPETITION_TIME, SHAPE, bids_dataset, save_nifti


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return bids_dataset(tmp_path / "étude")


def test_responses_equal_a_loop_over_events(dataset: Path) -> None:
    recording = load(str(dataset), image_size=8)
    brain = nibabel.load(dataset / "masks" / "brain.nii.gz").get_fdata() > 0
    expected = []
    for volume in sorted((dataset / "func").glob("*.nii.gz")):
        scans = nibabel.load(volume).get_fdata()[brain].T
        scans = detrend(scans, axis=0) + scans.mean(axis=0)
        # With a delay of 5 s: 9 to 15 s, 25 to 31 s, and the scan nearest to 33 s.
        expected += [scans[5:8].mean(0), scans[13:16].mean(0), scans[16]]
    np.testing.assert_allclose(recording.fmri, expected, rtol=1e-5)
    assert recording.stimulus.tolist() == [0, 1, 0] * 2
    assert recording.run.tolist() == [0] * 3 + [1] * 3
    assert recording.images[1, 0, 0].tolist() == [90, 0, 0]
    v1 = nibabel.load(dataset / "masks" / "V1.nii.gz").get_fdata()[brain] > 0
    np.testing.assert_array_equal(recording.rois["V1"], v1)
    assert list(recording.rois) == ["V1"]


def test_a_column_of_the_events_names_groups(dataset: Path) -> None:
    for table in (dataset / "func").glob("*_events.tsv"):
        head, *rows = table.read_text().splitlines()
        rows = [row + "\t" + ("film 2" if "b.png" in row else "n/a") for row in rows]
        table.write_text("\n".join([f"{head}\tmovie", *rows]))
    assert load(str(dataset), image_size=8).groups == ()
    assert load(str(dataset), image_size=8, groups="movie").groups == ("", "film 2")
    with pytest.raises(InputError, match="lacks the column 'film'.*stim_file, movie"):
        load(str(dataset), image_size=8, groups="film")


def test_the_repetition_time_may_be_in_milliseconds(dataset: Path) -> None:
    before = load(str(dataset), image_size=8)
    for volume in (dataset / "func").glob("*.nii.gz"):
        image = nibabel.load(volume)
        image.header.set_zooms((2, 2, 2, 1000 * REPETITION_TIME))
        image.header.set_xyzt_units("mm", "msec")
        scans = image.get_fdata(dtype="f4")
        nibabel.save(nibabel.Nifti1Image(scans, image.affine, image.header), volume)
    assert load(str(dataset), image_size=8).fingerprint() == before.fingerprint()


def betas(dataset: Path) -> np.ndarray:
    """Leaves betas of one run in place of the scans."""
    for volume in (dataset / "func").iterdir():
        volume.unlink()
    values = np.random.default_rng(1).normal(size=(*SHAPE, 3)).astype("f4")
    save_nifti(dataset / "func" / "run1_betas.nii", values)
    (dataset / "func" / "run1.csv").write_text("stim_file,split\na.png,train\nb.png,test\n,\n")
    return values


def test_betas_are_taken_row_by_row(dataset: Path) -> None:
    values = betas(dataset)
    (dataset / "masks" / "brain.nii.gz").unlink()
    recording = load(str(dataset / "func" / "run1_betas.nii"), **elsewhere(dataset))
    v1 = nibabel.load(dataset / "masks" / "V1.nii.gz").get_fdata() > 0
    np.testing.assert_array_equal(recording.fmri, values[v1].T[:2])  # the last row shows nothing
    assert recording.split.tolist() == ["train", "test"] and recording.rois["V1"].all()


def test_a_run_of_one_scan_is_taken_as_it_is(dataset: Path) -> None:
    scan = np.random.default_rng(1).normal(100, 5, (*SHAPE, 1)).astype("f4")
    save_nifti(dataset / "func" / "sub-01_task-view_run-03_bold.nii.gz", scan)
    table = dataset / "func" / "sub-01_task-view_run-03_events.tsv"
    table.write_text("onset\tduration\tstim_file\n-5\t1\ta.png\n")
    brain = nibabel.load(dataset / "masks" / "brain.nii.gz").get_fdata() > 0
    np.testing.assert_array_equal(load(str(dataset)).fmri[-1], scan[brain][:, 0])


@pytest.mark.parametrize("tables", [["dir-AP_", "dir-PA_"], [""]])
def test_two_directions_are_two_runs(dataset: Path, tables: list[str]) -> None:
    before = load(str(dataset), image_size=8)
    folder = dataset / "func"
    table = (folder / "sub-01_task-view_run-01_events.tsv").read_bytes()
    for path in folder.glob("*events.tsv"):
        path.unlink()
    for direction in tables:
        (folder / f"sub-01_task-view_{direction}run-1_events.tsv").write_bytes(table)
    for volume, direction in zip(sorted(folder.glob("*.nii.gz")), ("AP", "PA"), strict=True):
        volume.rename(folder / f"sub-01_task-view_dir-{direction}_run-1_bold.nii.gz")
    assert load(str(dataset), image_size=8).fingerprint() == before.fingerprint()


def test_other_tables_beside_the_events_are_not_read(dataset: Path) -> None:
    before = load(str(dataset), image_size=8)
    events = dataset / "func" / "sub-01_task-view_run-01_events.tsv"
    (dataset / "copy").mkdir()
    (dataset / "copy" / events.name).write_bytes(events.read_bytes())
    for suffix in ("motion", "physio", "desc-confounds_timeseries"):
        (dataset / "func" / f"sub-01_task-view_run-01_{suffix}.tsv").write_text("x\ty\n0\t1\n")
    assert load(str(dataset), image_size=8).fingerprint() == before.fingerprint()


def elsewhere(dataset: Path) -> dict[str, str]:
    return {"images": str(dataset / "stimuli"), "masks": str(dataset / "masks")}
