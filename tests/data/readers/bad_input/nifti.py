"""NIfTI data sets whose volumes, tables, masks and images do not fit together."""

import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np

from fmri_jax.data import load
from tests.data.builders import AFFINE, SHAPE, bids_dataset, save_nifti
from tests.data.readers.bad_input.case import Case


def first_volume(dataset: Path) -> Path:
    return min(dataset.rglob("*_bold.nii.gz"))


def rewrite(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def change_it(dataset: Path) -> None:
        path = first_volume(dataset)
        save_nifti(path, change(nibabel.load(path).get_fdata(dtype="f4")))

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


def bids(what: str, change: Callable[[Path], object], message: str) -> Case:
    def open_it(folder: Path) -> object:
        change(bids_dataset(folder / "étude"))
        return load(str(folder / "étude"))

    return Case(f"NIfTI: {what}", open_it, message)


def add_mask(name: str, values: np.ndarray) -> Callable[[Path], None]:
    return lambda d: save_nifti(d / "masks" / f"{name}.nii.gz", values.astype("u1"))


def uneven_betas(dataset: Path) -> None:
    """Betas of one run alone, with a table that is a row short."""
    for volume in (dataset / "func").iterdir():
        volume.unlink()
    save_nifti(dataset / "func" / "run1_betas.nii", np.ones((*SHAPE, 3)))
    (dataset / "func" / "run1.csv").write_text("stim_file\na.png\nb.png\n")


def betas_without_a_table(dataset: Path) -> None:
    save_nifti(dataset / "func" / "sub-01_run-9_betas.nii", np.ones((*SHAPE, 2)))


def cut_mask(dataset: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 2, (40, 40, 40))  # more than is read at once
    add_mask("V2", noise)(dataset)
    path = dataset / "masks" / "V2.nii.gz"
    path.write_bytes(path.read_bytes()[:9000])


def corrupt_mask(dataset: Path) -> None:
    path = dataset / "masks" / "V1.nii.gz"
    path.write_bytes(path.read_bytes()[:10] + b"\x07" * 8 + path.read_bytes()[18:])


def copy_run(to: str) -> Callable[[Path], None]:
    """The volumes of the first run once more, in another file."""

    def change_it(dataset: Path) -> None:
        (dataset / to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(first_volume(dataset), dataset / to)

    return change_it


def other_table(dataset: Path) -> None:
    """A second table of the first run, in a folder of its own, with other events."""
    (dataset / "old").mkdir()
    text = "onset\tduration\tstim_file\n1\t2\ta.png\n"
    (dataset / "old" / "sub-01_task-view_run-01_events.tsv").write_text(text)


def with_delay(dataset: Path) -> None:
    load(str(dataset), delay=float("nan"))


COLUMNS = "onset\tduration\tstim_file\n"

CASES = [
    bids("a cut volume", truncate, "is corrupt|cannot be read as NIfTI"),
    bids(
        "another grid", rewrite(lambda x: x[:3]), r"shape \(3, 5, 3, 20\): expected \(4, 5, 3\) an"
    ),
    bids("three axes", rewrite(lambda x: x[..., 0]), r"has shape \(4, 5, 3\): expected"),
    bids(
        "a scan cut short", rewrite(lambda x: x[..., :10]), "ends after 20 s, but its event at 20"
    ),
    bids(
        "undefined voxels",
        rewrite(lambda x: x * np.where(np.arange(5) == 2, np.nan, 1)[:, None, None]),
        r"run-01_.*_bold.nii.gz holds values that are not finite in 3 of 29 voxels of the masks",
    ),
    bids(
        "no durations", rewrite_table("onset\tstim_file\n1\ta.png\n"), "the column 'duration': ex"
    ),
    bids("commas for tabs", rewrite_table(COLUMNS.replace("\t", ",")), "columns by tabs|no rows"),
    bids("an empty table", rewrite_table(""), "found no rows"),
    bids("an onset of text", rewrite_table(COLUMNS + "x\t1\ta.png"), "line 2 has the onset 'x'"),
    bids("a negative duration", rewrite_table(COLUMNS + "1\t-1\ta.png"), "has the duration '-1'"),
    bids(
        "an event before the first volume",
        rewrite_table(COLUMNS + "-20\t1\ta.png"),
        "response of its event at -20 s begins at -15 s, before the first volume: .* its onset",
    ),
    bids("an image missing", rewrite_table(COLUMNS + "1\t2\tc.png"), "lacks 1 of 3 .* first c.png"),
    bids(
        "a table missing",
        lambda d: next((d / "func").glob("*02_events.tsv")).unlink(),
        "has no events table: expected sub-01_task-view_run-02_events.tsv, found sub-01",
    ),
    bids("two tables of a run", other_table, "has several events tables, .* which differ: expe"),
    bids("no number of seconds", with_delay, "delay is nan: expected a number of seconds"),
    bids("masks in another space", move_masks, "lies elsewhere in space than the masks"),
    bids("milliseconds", long_repetition, "states a repetition time of 2000 s"),
    bids("a mask of another grid", add_mask("V2", np.ones((2, 2, 2))), "V2 has another grid"),
    bids("a mask of threes", add_mask("V2", np.full(SHAPE, 3)), "V2.nii.gz is no mask"),
    bids("a cut mask", cut_mask, "V2.nii.gz is corrupt .*: copy it again"),
    bids("a corrupt mask", corrupt_mask, "V1.nii.gz cannot be read as NIfTI .*: copy it again"),
    bids("an empty mask", add_mask("brain", np.zeros(SHAPE)), "mask brain is empty"),
    bids(
        "no masks", lambda d: (d / "masks").rename(d / "rois"), "masks holds no masks: expected at"
    ),
    bids("no volumes", lambda d: (d / "func").rename(d.parent / "f"), "holds no NIfTI volumes"),
    bids(
        "two subjects",
        copy_run("func/sub-02_task-view_run-01_bold.nii.gz"),
        "holds the subjects sub-01, sub-02: expected one; name the folder of one subject",
    ),
    bids(
        "two subjects by their folders",
        lambda d: (
            (d / "func").rename(d / "sub-01"),
            copy_run("sub-02/run-1_bold.nii.gz")(d),
        ),
        "holds the subjects sub-01, sub-02: expected one",
    ),
    bids(
        "raw scans beside a derivative",
        copy_run("raw/sub-01_task-view_run-01_bold.nii.gz"),
        "holds func/.*preproc_bold.nii.gz and raw/.*, both of the run sub-01_task-view_run-01: ",
    ),
    bids(
        "several echoes",
        copy_run("func/sub-01_task-view_run-01_echo-2_bold.nii.gz"),
        "echo-2_bold.nii.gz and .*: expected one file per run; keep one of them there, or name",
    ),
    bids(
        "betas beside the scans that they come from",
        copy_run("func/sub-01_task-view_run-01_betas.nii.gz"),
        "run-01_betas.nii.gz and .*: expected one file per run",
    ),
    bids("betas without a table", betas_without_a_table, "has no events table"),
    bids("fewer rows than betas", uneven_betas, "holds 3 volumes for 2 rows of its events table"),
]
