"""Which files of a BIDS folder are read, with which tables and sidecars: what a folder means."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fmri_jax.data import Recording, load
from fmri_jax.errors import InputError
from tests.data.readers.bids_tree import (
    EVENTS,
    TABLE,
    bare,
    course,
    dataset,
    means,
    write_images,
    write_json,
    write_mask,
    write_text,
    write_volumes,
)

FUNC = "sub-01/func"
Change = Callable[[Path], object]


def read(root: Path, **options: object) -> Recording:
    return load(str(root), image_size=4, **options)


def assert_runs(recording: Recording, seeds: list[int], volumes: int = 20) -> None:
    """The recording holds the runs of these courses, in this order, and both events of each."""
    expected = [mean for seed in seeds for mean in means(course(seed, volumes), EVENTS, "2")]
    np.testing.assert_allclose(recording.fmri[:, 0], expected, rtol=1e-5)
    assert recording.run.tolist() == [run for run in range(len(seeds)) for _ in EVENTS]
    assert recording.stimulus.tolist() == [0, 1] * len(seeds)


def remove_tables(root: Path) -> None:
    for table in root.rglob("*_events.tsv"):
        table.unlink()


def rest(root: Path) -> None:
    write_volumes(root / FUNC / "sub-01_task-rest_bold.nii.gz", 7)


def localizer(root: Path) -> None:
    write_volumes(root / FUNC / "sub-01_task-loc_bold.nii.gz", 7)
    write_text(root / FUNC / "sub-01_task-loc_events.tsv", "onset\tduration\ttrial_type\n2\t8\tx\n")


def table_at_root(root: Path) -> None:
    remove_tables(root)
    write_text(root / "task-view_events.tsv", TABLE)


def tables_at_root(root: Path) -> None:
    remove_tables(root)
    for run in (1, 2):
        write_text(root / f"task-view_run-{run:02}_events.tsv", TABLE)


def table_of_the_subject(root: Path) -> None:
    """The nearest table wins: the one at the root has other events."""
    remove_tables(root)
    write_text(root / "sub-01" / "sub-01_task-view_events.tsv", TABLE)
    write_text(root / "task-view_events.tsv", "onset\tduration\tstim_file\n1\t2\ta.png\n")


def runs_without_zeros(root: Path) -> None:
    for table in (root / FUNC).glob("*.tsv"):
        table.rename(table.with_name(table.name.replace("run-0", "run-")))


def other_kinds_of_files(root: Path) -> None:
    stem = "sub-01_task-view_run-01"
    for suffix in ("sbref", "boldref", "desc-brain_mask"):
        write_volumes(root / FUNC / f"{stem}_{suffix}.nii.gz", 9)
    write_volumes(root / FUNC / f"{stem}_part-phase_bold.nii.gz", 9)
    write_volumes(root / "sub-01" / "anat" / "sub-01_T1w.nii.gz", 9)
    for suffix in ("physio", "motion", "desc-confounds_timeseries"):
        write_text(root / FUNC / f"{stem}_{suffix}.tsv", "x\ty\n0\t1\n")


def ignored(root: Path) -> None:
    write_json(root / "dataset_description.json", {"Name": "x", "BIDSVersion": "1.10.0"})
    write_text(root / ".bidsignore", "extra/\n*_acq-old_*\n")
    write_volumes(root / "extra" / "sub-01_task-view_run-01_bold.nii.gz", 9)
    write_volumes(root / FUNC / "sub-01_task-view_acq-old_run-01_bold.nii.gz", 9)
    write_volumes(root / "sourcedata" / "sub-01_task-view_run-01_bold.nii.gz", 9)


def what_programs_leave(root: Path) -> None:
    for path in [*root.rglob("*.nii.gz"), *root.rglob("*.tsv"), *root.rglob("*.png")]:
        path.with_name(f"._{path.name}").write_bytes(bytes.fromhex("0005160700020000") + b"\0" * 80)
        (path.parent / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    write_text(
        root / FUNC / ".ipynb_checkpoints" / "sub-01_task-view_run-01_events-checkpoint.tsv",
        "onset\tduration\tstim_file\n5\t6\ta.png\n",
    )
    write_json(root / FUNC / "._sub-01_task-view_run-01_bold.json", {"RepetitionTime": 9})


def below_another_subject(root: Path) -> None:
    """Nothing but the folder's own names counts: pybids takes entities from the whole path."""
    (root / "sub-99" / "task-rest").mkdir(parents=True)
    for part in ("sub-01", "masks", "stimuli"):
        (root / part).rename(root / "sub-99" / "task-rest" / part)


def linked_session(root: Path) -> None:
    disk = root.parent / "disk"
    for seed in (0, 1):
        name = f"sub-01_ses-{seed + 1}_task-view_run-01"
        place = disk / f"ses-{seed + 1}" / "func"
        write_volumes(place / f"{name}_bold.nii.gz", seed)
        write_text(place / f"{name}_events.tsv", TABLE)
    shutil.rmtree(root / "sub-01")
    (root / "sub-01").mkdir()
    for session in ("ses-1", "ses-2"):
        os.symlink(disk / session, root / "sub-01" / session)


def linked_in_a_circle(root: Path) -> None:
    os.symlink(root, root / "sub-01" / "all")


def linked_images(root: Path) -> None:
    shutil.move(root / "stimuli", root.parent / "pictures")
    os.symlink(root.parent / "pictures", root / "stimuli")


def annexed(root: Path) -> None:
    """As DataLad keeps what it has fetched: each file is a link to its content."""
    store = root / ".git" / "annex" / "objects"
    store.mkdir(parents=True)
    for number, file in enumerate([*(root / FUNC).iterdir(), *(root / "masks").iterdir()]):
        file.rename(store / str(number))
        os.symlink(store / str(number), file)


def two_directories_of_tables(root: Path) -> None:
    shutil.copytree(root / FUNC, root / "copy", ignore=shutil.ignore_patterns("*.nii.gz"))


def crlf(root: Path) -> None:
    for table in (root / FUNC).glob("*.tsv"):
        table.write_bytes(b"\xef\xbb\xbf" + TABLE.replace("\n", "\r\n").encode() + b"\r\n")


SAME = [
    rest, localizer, table_at_root, tables_at_root, table_of_the_subject, runs_without_zeros,
    other_kinds_of_files, ignored, what_programs_leave, linked_session, linked_in_a_circle,
    linked_images, annexed, two_directories_of_tables, crlf,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*is left out")
@pytest.mark.parametrize("change", SAME, ids=lambda change: change.__name__)
def test_folders_that_mean_the_same_two_runs(tmp_path: Path, change: Change) -> None:
    root = dataset(tmp_path / "ds")
    change(root)
    assert_runs(read(root), [0, 1])


def test_entities_come_from_names_below_the_folder_alone(tmp_path: Path) -> None:
    root = dataset(tmp_path / "ds")
    below_another_subject(root)
    assert_runs(read(root / "sub-99" / "task-rest"), [0, 1])


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    root = dataset(tmp_path / "ds")
    rest(root)
    localizer(root)
    (root / FUNC / "sub-01_task-view_run-01_events.tsv").write_text(TABLE + "30\tn/a\tn/a\n")
    with pytest.warns(UserWarning, match="task rest is left out: it has no events table"):
        recording = read(root)
    assert "the task loc is left out: its events name no stim_file" in recording.description
    assert "1 rows of the events tables show no image" in recording.description


def derivative(root: Path, described: bool = True) -> Path:
    """Raw data whose runs were preprocessed in two spaces."""
    dataset(root)
    write_json(root / "dataset_description.json", {"Name": "x", "BIDSVersion": "1.10.0"})
    place = root / "derivatives" / "fmriprep"
    if described:
        write_json(place / "dataset_description.json", {"Name": "x", "BIDSVersion": "1.10.0"})
    for space, first in (("T1w", 2), ("MNI", 4)):
        for run in (1, 2):
            stem = f"sub-01_task-view_run-{run:02}_space-{space}_desc-preproc_bold"
            write_volumes(place / FUNC / f"{stem}.nii.gz", first + run - 1)
    return root


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("inside", ["", "derivatives/fmriprep", "derivatives/fmriprep/sub-01"])
def test_derivatives_are_chosen_by_space_and_find_their_raw_tables(
    tmp_path: Path, inside: str, described: bool
) -> None:
    root = derivative(tmp_path / "ds", described)
    place = {"masks": str(root / "masks"), "images": str(root / "stimuli")}
    assert_runs(read(root / inside, space="T1w", **place), [2, 3])
    assert_runs(read(root / inside, space="MNI", desc="preproc", **place), [4, 5])
    with pytest.raises(InputError, match=r"both of the run .* choose with space=MNI(, | or )"):
        read(root / inside, **place)


def test_raw_scans_are_chosen_by_the_absence_of_a_kind(tmp_path: Path) -> None:
    root = derivative(tmp_path / "ds")
    assert_runs(read(root, desc="none"), [0, 1])
    with pytest.raises(InputError, match="no volumes of space T2w: expected one of MNI, T1w, none"):
        read(root, space="T2w")


def test_a_derivative_without_sidecar_is_timed_by_the_raw_data(tmp_path: Path) -> None:
    root = derivative(tmp_path / "ds")
    write_json(root / "task-view_bold.json", {"RepetitionTime": 1.0})
    with pytest.raises(InputError, match="1 s by its sidecar and 2 s by its header"):
        read(root, space="T1w")


def test_sessions_and_echoes_are_chosen(tmp_path: Path) -> None:
    root = bare(tmp_path / "ds")
    for seed, (session, echo) in enumerate([("a", 1), ("a", 2), ("b", 1), ("b", 2)]):
        stem = f"sub-01_ses-{session}_task-view"
        place = root / "sub-01" / f"ses-{session}" / "func"
        write_volumes(place / f"{stem}_echo-{echo}_bold.nii.gz", seed)
        write_text(place / f"{stem}_events.tsv", TABLE)
    assert_runs(read(root, echo="2"), [1, 3])
    assert_runs(read(root, echo="echo-01", session="ses-b"), [2])
    assert_runs(read(root, echo="1", session="b,a"), [0, 2])
    with pytest.raises(InputError, match="both of the run .* choose with echo=1 or 2"):
        read(root)
    with pytest.raises(InputError, match="no volumes of session c: expected one of a, b"):
        read(root, session="c")


def test_tasks_and_subjects_are_chosen(tmp_path: Path) -> None:
    root = dataset(tmp_path / "ds")
    write_volumes(root / FUNC / "sub-01_task-imagery_bold.nii.gz", 5)
    write_text(root / FUNC / "sub-01_task-imagery_events.tsv", TABLE)
    with pytest.raises(InputError, match="images of the tasks imagery, view: .* task=imagery"):
        read(root)
    assert_runs(read(root, task="view"), [0, 1])
    assert_runs(read(root, task="imagery"), [5])
    write_volumes(root / "sub-02" / "func" / "sub-02_task-view_run-01_bold.nii.gz", 6)
    with pytest.raises(InputError, match="subjects sub-01, sub-02: .* choose it with subject"):
        read(root, task="view")
    assert_runs(read(root, task="view", subject="01"), [0, 1])


def test_the_data_set_above_a_subjects_folder_is_inherited_from(tmp_path: Path) -> None:
    root = dataset(tmp_path / "ds")
    table_at_root(root)
    for path in (root / FUNC).glob("*.nii.gz"):
        write_volumes(path, int("run-02" in path.name), tr=0.0)
    write_json(root / "task-view_bold.json", {"RepetitionTime": 9.0, "StartTime": 0.0})
    write_json(root / "sub-01" / "sub-01_bold.json", {"RepetitionTime": 2.0})
    place = {"masks": str(root / "masks"), "images": str(root / "stimuli")}
    assert_runs(read(root / "sub-01", **place), [0, 1])
    one = root / FUNC / "sub-01_task-view_run-02_bold.nii.gz"
    assert_runs(read(one, **place), [1])


def test_a_folder_of_tables_serves_by_names(tmp_path: Path) -> None:
    root = dataset(tmp_path / "ds")
    (root / "tables").mkdir()
    for number, table in enumerate(sorted((root / FUNC).glob("*.tsv"))):
        table.rename(root / "tables" / f"sub-01_task-view_run-{number + 1}.tsv")
    assert_runs(read(root, events=str(root / "tables")), [0, 1])


@pytest.mark.parametrize(
    "names", [("a", "b"), ("cond-a-b", "cond-a-c"), ("2024_run_1", "2024_run_2")]
)
def test_folders_that_are_no_bids_match_by_the_whole_name(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    root = bare(tmp_path / "mine")
    for seed, name in enumerate(names):
        write_volumes(root / f"{name}_bold.nii.gz", seed, sidecar={"RepetitionTime": 2.0})
        write_text(root / f"{name}.tsv", TABLE)
    assert_runs(read(root), [0, 1])
    write_text(root / f"{names[0]}.tsv", "onset\tduration\tstim_file\n4\t6\ta.png\n")
    assert len(read(root).fmri) == 3


def test_names_in_another_unicode_form_are_the_same_names(tmp_path: Path) -> None:
    root = dataset(tmp_path / "ds")
    (root / "stimuli" / "a.png").rename(
        root / "stimuli" / "caf\N{LATIN SMALL LETTER E WITH ACUTE}.png"
    )
    for table in (root / FUNC).glob("*.tsv"):
        table.write_text(TABLE.replace("a.png", "cafe\N{COMBINING ACUTE ACCENT}.png"))
    recording = read(root)
    assert recording.stimulus.tolist() == [1, 0, 1, 0] and len(recording.stimulus_names) == 2


def test_several_masks_and_images_are_unharmed_by_hidden_ones(tmp_path: Path) -> None:
    root = dataset(tmp_path / "ds")
    half = np.zeros((2, 2, 2), np.uint8)
    half[0] = 1
    write_mask(root / "masks" / "V1.nii.gz", half)
    write_images(root / "stimuli" / ".hidden", "c")
    what_programs_leave(root)
    assert {name: int(mask.sum()) for name, mask in read(root).rois.items()} == {"V1": 4}


def test_without_masks_the_common_brain_of_fmriprep_is_taken(tmp_path: Path) -> None:
    root = derivative(tmp_path / "ds")
    shutil.rmtree(root / "masks")
    place = root / "derivatives" / "fmriprep" / FUNC
    for run in (1, 2):
        values = np.ones((2, 2, 2), np.uint8)
        values[run - 1, 0, 0] = 0
        write_mask(
            place / f"sub-01_task-view_run-{run:02}_space-T1w_desc-brain_mask.nii.gz", values
        )
    assert_runs(recording := read(root, space="T1w"), [2, 3])
    assert recording.fmri.shape[1] == 6 and not recording.rois
    with pytest.raises(InputError, match="masks holds no masks"):
        read(root, space="MNI")
