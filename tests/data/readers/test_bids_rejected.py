"""Folders that have no one meaning in BIDS are rejected, with what was found in them."""

import os
from pathlib import Path

import pytest

from fmri_jax.errors import InputError
from tests.data.readers.bids_tree import (
    TABLE,
    dataset,
    write_json,
    write_text,
    write_volumes,
)
from tests.data.readers.test_bids import FUNC, Change, read, remove_tables


def dangling(file: str) -> Change:
    def change(root: Path) -> None:
        path = root / file
        path.unlink(missing_ok=True)
        os.symlink(root / "gone" / path.name, path)

    return change


def unfetched(file: str) -> Change:
    def change(root: Path) -> None:
        path = root / file
        path.unlink()
        os.symlink(f"../../.git/annex/objects/xx/yy/MD5E-s1--z/{path.name}", path)

    return change


def pointer(file: str, text: str) -> Change:
    return lambda root: (root / file).write_text(text)


def add(file: str, seed: int = 9) -> Change:
    return lambda root: write_volumes(root / file, seed)


def say(file: str, content: dict) -> Change:
    return lambda root: write_json(root / file, content)


def write(file: str, text: str) -> Change:
    return lambda root: write_text(root / file, text)


def shared_table_with_runs(root: Path) -> None:
    remove_tables(root)
    write_text(root / "task-view_events.tsv", "onset\tduration\tstim_file\trun\n4\t6\ta.png\t1\n")


VOLUMES = f"{FUNC}/sub-01_task-view_run-01_bold.nii.gz"
EVENTS_TSV = f"{FUNC}/sub-01_task-view_run-01_events.tsv"
REJECTED = [
    (dangling(VOLUMES), "run-01_bold.nii.gz is a link to .*, which does not exist"),
    (dangling(EVENTS_TSV), "run-01_events.tsv is a link to .*, which does not exist"),
    (dangling("stimuli/a.png"), "a.png is a link to .*, which does not exist"),
    (dangling("masks/V1.nii.gz"), "V1.nii.gz is a link to .*, which does not exist"),
    (unfetched(VOLUMES), "run-01_bold.nii.gz is not fetched yet: .*datalad get"),
    (unfetched("stimuli/a.png"), "a.png is not fetched yet"),
    (pointer(VOLUMES, "/annex/objects/MD5E-s1--z.nii.gz\n"), "not fetched yet: .*datalad get"),
    (pointer(VOLUMES, "version https://git-lfs.github.com/spec/v1\n"), "not fetched .*git lfs"),
    (pointer(EVENTS_TSV, "/annex/objects/MD5E-s1--z.tsv\n"), "events.tsv is not fetched yet"),
    (add(f"{FUNC}/sub-01_task-view_run-1_bold.nii.gz"), "both of the run sub-01_task-view_run-"),
    (add(f"{FUNC}/sub-01_task-view_run-01_rec-moco_bold.nii.gz"), "expected one file per run"),
    (add(f"{FUNC}/sub-01_task-view_run-01_bold.nii"), "expected one file per run"),
    (add("sub-01/ses-1/func/sub-01_ses-2_task-view_bold.nii.gz"), "folder of session 1, and its"),
    (say("task-view_bold.json", {"RepetitionTime": 1.5}), "1.5 s by its sidecar and 2 s by its h"),
    (say(f"{FUNC}/sub-01_bold.json", {"RepetitionTime": "2"}), "RepetitionTime '2': expected a nu"),
    (write("task-view_bold.json", "{RepetitionTime: 2}"), "task-view_bold.json cannot be read"),
    (write("task-view_bold.json", '{"RepetitionTime": 1e999999999}'), "1e999999999 is no number"),
    (write("task-view_bold.json", "[2.0]"), "task-view_bold.json holds a list: expected a JSON"),
    (write("task-view_bold.json", '{"RepetitionTime": NaN}'), "RepetitionTime nan: expected a"),
    (
        lambda root: [
            say("task-view_bold.json", {"RepetitionTime": 2.0})(root),
            say("sub-01_bold.json", {"RepetitionTime": 3.0})(root),
        ],
        "both describe .* and disagree on RepetitionTime: 3 and 2",
    ),
    (shared_table_with_runs, "serves 2 runs by its name and has a column 'run'"),
    (
        write(
            "old/sub-01_task-view_run-01_events.tsv", "onset\tduration\tstim_file\n1\t2\ta.png\n"
        ),
        "has several events tables",
    ),
    (
        write(f"{FUNC}/sub-01_task-view_run-1_events.tsv", TABLE + "30\t1\ta.png\n"),
        "has several events tables",
    ),
]


@pytest.mark.parametrize(("change", "message"), REJECTED, ids=[s for _, s in REJECTED])
def test_what_has_no_one_meaning_is_rejected(tmp_path: Path, change: Change, message: str) -> None:
    root = dataset(tmp_path / "ds")
    change(root)
    with pytest.raises(InputError, match=message) as error:
        read(root)
    assert str(error.value).endswith(".") and "\n" not in str(error.value)
