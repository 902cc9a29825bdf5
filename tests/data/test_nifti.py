"""NIfTI recordings written by nibabel; responses against a loop over events and voxels."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from scipy.signal import detrend

from fmri_jax.data import load
from fmri_jax.errors import InputError

SHAPE, TR = (4, 5, 3), 2.0
AFFINE = np.diag([2.0, 2, 2, 1])
EVENTS = [(4.0, 6.0, "a.png"), (12.0, 6.0, "n/a"), (20.0, 6.0, "b.png"), (28.0, 0.0, "a.png")]


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, AFFINE)
    if array.ndim == 4:
        image.header.set_zooms((2, 2, 2, TR))
    nibabel.save(image, path)


def table(path: Path, rows: list[tuple[float, float, str]]) -> None:
    lines = ["onset\tduration\tstim_file", *("\t".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two runs of 20 scans in BIDS, whose tables lie apart from the preprocessed volumes."""
    root = tmp_path / "étude"
    rng = np.random.default_rng(0)
    for run in (1, 2):
        stem = f"sub-01_task-view_run-{run:02}"
        scans = 100 + rng.normal(size=(*SHAPE, 20)) + np.arange(20) * run
        save(root / "func" / f"{stem}_space-T1w_desc-preproc_bold.nii.gz", scans.astype("f4"))
        table(root / "func" / f"{stem}_events.tsv", EVENTS)
    brain = rng.random(SHAPE) < 0.6
    save(root / "masks" / "brain.nii.gz", brain.astype(np.uint8))
    save(root / "masks" / "V1.nii.gz", (brain & (rng.random(SHAPE) < 0.5)).astype(np.uint8))
    (root / "stimuli").mkdir()
    for i, name in enumerate("ab"):
        Image.new("RGB", (9, 7), (90 * i, 0, 0)).save(root / "stimuli" / f"{name}.png")
    return root


def test_responses_equal_a_loop_over_events(dataset: Path) -> None:
    session = load(str(dataset), image_size=8)
    brain = nibabel.load(dataset / "masks" / "brain.nii.gz").get_fdata() > 0
    expected = []
    for volume in sorted((dataset / "func").glob("*.nii.gz")):
        scans = nibabel.load(volume).get_fdata()[brain].T
        scans = detrend(scans, axis=0) + scans.mean(axis=0)
        # With a delay of 5 s: 9 to 15 s, 25 to 31 s, and the scan nearest to 33 s.
        expected += [scans[5:8].mean(0), scans[13:16].mean(0), scans[16]]
    np.testing.assert_allclose(session.fmri, expected, rtol=1e-5)
    assert session.stimulus.tolist() == [0, 1, 0] * 2
    assert session.run.tolist() == [0] * 3 + [1] * 3
    assert session.images[1, 0, 0].tolist() == [90, 0, 0]
    v1 = nibabel.load(dataset / "masks" / "V1.nii.gz").get_fdata()[brain] > 0
    np.testing.assert_array_equal(session.rois["V1"], v1)
    assert list(session.rois) == ["V1"]


def betas(dataset: Path) -> np.ndarray:
    """Leaves betas of one run in place of the scans."""
    for volume in (dataset / "func").iterdir():
        volume.unlink()
    values = np.random.default_rng(1).normal(size=(*SHAPE, 3)).astype("f4")
    save(dataset / "func" / "run1_betas.nii", values)
    (dataset / "func" / "run1.csv").write_text("stim_file,split\na.png,train\nb.png,test\n,\n")
    return values


def test_betas_are_taken_row_by_row(dataset: Path) -> None:
    values = betas(dataset)
    (dataset / "masks" / "brain.nii.gz").unlink()
    session = load(str(dataset / "func" / "run1_betas.nii"), **elsewhere(dataset))
    v1 = nibabel.load(dataset / "masks" / "V1.nii.gz").get_fdata() > 0
    np.testing.assert_array_equal(session.fmri, values[v1].T[:2])  # the last row shows nothing
    assert session.split.tolist() == ["train", "test"] and session.rois["V1"].all()


def elsewhere(dataset: Path) -> dict[str, str]:
    return {"images": str(dataset / "stimuli"), "masks": str(dataset / "masks")}


def first_volume(dataset: Path) -> Path:
    return min((dataset / "func").glob("*.nii.gz"))


def rewrite(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def change_it(dataset: Path) -> None:
        path = first_volume(dataset)
        save(path, change(nibabel.load(path).get_fdata(dtype="f4")))

    return change_it


def rewrite_table(text: str) -> Callable[[Path], None]:
    def change_it(dataset: Path) -> None:
        next((dataset / "func").glob("*01_events.tsv")).write_text(text)

    return change_it


def truncate(dataset: Path) -> None:
    path = first_volume(dataset)
    path.write_bytes(path.read_bytes()[:2000])


def move_masks(dataset: Path) -> None:
    for mask in (dataset / "masks").iterdir():
        image = nibabel.load(mask)
        nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), np.diag([3.0, 3, 3, 1])), mask)


def long_repetition(dataset: Path) -> None:
    image = nibabel.load(first_volume(dataset))
    image.header.set_zooms((2, 2, 2, 2000.0))  # milliseconds for seconds
    nibabel.save(
        nibabel.Nifti1Image(image.get_fdata(), AFFINE, image.header), first_volume(dataset)
    )


MALFORMED: list[tuple[Callable[[Path], object], str]] = [
    (truncate, "is damaged|cannot be read as NIfTI"),
    (rewrite(lambda x: x[:3]), r"has shape \(3, 5, 3, 20\): expected \(4, 5, 3\) and volumes"),
    (rewrite(lambda x: x[..., 0]), r"has shape \(4, 5, 3\): expected"),
    (rewrite(lambda x: x[..., :10]), "ends after 20 s, but its event at 20 s has its response"),
    (rewrite(lambda x: x * np.nan), "not finite"),
    (rewrite_table("onset\tstim_file\n1\ta.png\n"), "lacks the column 'duration': expected dur"),
    (rewrite_table("onset,duration,stim_file\n1,2,a.png"), "BIDS separates columns by tabs"),
    (rewrite_table("onset\tduration\tstim_file\nx\t1\ta.png"), "line 2 has the onset 'x'"),
    (rewrite_table("onset\tduration\tstim_file\n1\t-1\ta.png"), "has the duration '-1'"),
    (rewrite_table("onset\tduration\tstim_file\n1\t2\tc.png"), "lacks 1 of 3 images .* first c.p"),
    (lambda d: next((d / "func").glob("*02_events.tsv")).unlink(), "has no events table: expected"),
    (move_masks, "lies elsewhere in space than the masks"),
    (long_repetition, "states a repetition time of 2000 s"),
    (lambda d: save(d / "masks" / "V2.nii.gz", np.ones((2, 2, 2), "u1")), "V2 has another grid"),
    (lambda d: save(d / "masks" / "V2.nii.gz", np.full(SHAPE, 3, "u1")), "V2.nii.gz is no mask"),
    (
        lambda d: save(d / "masks" / "brain.nii.gz", np.zeros(SHAPE, "u1")),
        "mask brain is empty",
    ),
    (lambda d: (d / "masks").rename(d / "rois"), "masks holds no masks: expected at least one"),
    (lambda d: (d / "func").rename(d.parent / "func"), "holds no NIfTI volumes"),
    (
        lambda d: save(d / "func" / "sub-01_run-9_betas.nii", np.ones((*SHAPE, 2))),
        "no events",
    ),
]


@pytest.mark.parametrize("case", range(len(MALFORMED)))
def test_malformed_data_sets_end_with_a_sentence(dataset: Path, case: int) -> None:
    change, sentence = MALFORMED[case]
    change(dataset)
    with pytest.raises(InputError, match=sentence) as error:
        load(str(dataset))
    assert "\n" not in str(error.value)


def test_rows_and_betas_must_agree(dataset: Path) -> None:
    betas(dataset)
    (dataset / "func" / "run1.csv").write_text("stim_file\na.png\nb.png\n")
    with pytest.raises(InputError, match="holds 3 volumes for 2 rows of its events table"):
        load(str(dataset))
