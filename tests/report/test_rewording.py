"""Whatever the texts of notes are, a report decides the same: nothing searches in sentences."""

import dataclasses
import json
import pathlib
import random
import shutil
import string

import pytest

from fmri_jax.evaluation.notes import KINDS, Note
from fmri_jax.report import run_notes
from fmri_jax.report.comparison import comparability, entries
from fmri_jax.report.comparison.variants import read_variants
from fmri_jax.report.io import workdir
from fmri_jax.report.text import summary_text

# Texts that say the opposite of what their kinds do, where they say anything.
MISLEADING = "The fMRI is simulated, shown in training, held out, trained on, not above chance."


def gibberish(seed: int) -> str:
    letters = random.Random(seed)
    return "".join(letters.choice(string.ascii_lowercase + " .(") for _ in range(60))


def every_kind() -> list[Note]:
    """Each kind as a warning and as information, but for those that say who knows its images."""
    kinds = [kind for kind in KINDS if not KINDS[kind].knows_test_images]
    return [
        Note(kind, severity, f"{kind} {severity}", {"number": place})
        for place, kind in enumerate(kinds)
        for severity in ("info", "warning")
    ]


def noted(run: pathlib.Path, folder: pathlib.Path, notes: list[Note]) -> pathlib.Path:
    """A copy of a run with these notes."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("report.html", "figures"))
    scores = json.loads((folder / "scores.json").read_text())
    scores["notes"] = [dataclasses.asdict(note) for note in notes]
    (folder / "scores.json").write_text(json.dumps(scores))
    return folder


@pytest.fixture(scope="module")
def plain(workdirs, tmp_path_factory) -> dict[str, pathlib.Path]:
    folder = tmp_path_factory.mktemp("plain")
    leak = Note("shared_images", "warning", "Known.", {"images": 3})
    chance = Note("chance", "warning", "Not above chance (p = 0.7).", {"p": 0.7})
    notes = {"whole cortex": [*every_kind(), leak], "early": every_kind(), "noise": [chance]}
    return {name: noted(workdirs[name], folder / name, notes[name]) for name in workdirs}


def reworded(plain, folder, text_of):
    """The same runs, each note's text replaced."""
    found = {}
    for name, path in plain.items():
        notes = workdir.read(path).scores.notes
        texts = [text_of(f"{name} {place}") for place in range(len(notes))]
        changed = [dataclasses.replace(n, text=t) for n, t in zip(notes, texts, strict=True)]
        found[name] = noted(path, folder / name, changed)
    return found


@pytest.mark.parametrize("text_of", [lambda name: gibberish(len(name)), lambda name: MISLEADING])
def test_no_decision_depends_on_a_text(plain, tmp_path, text_of):
    other = reworded(plain, tmp_path, text_of)
    for name in plain:
        before, after = (workdir.read(paths[name]) for paths in (plain, other))
        assert run_notes.of_run(before) == run_notes.of_run(after)  # all but the texts, in order
        shown = [[warning for _, warning in summary_text.remarks(run)] for run in (before, after)]
        assert shown[0] == shown[1] and 0 < sum(shown[0]) < len(shown[0])
    before, after = (read_variants(paths) for paths in (plain, other))
    assert [v.knows_test_images for v in before] == [v.knows_test_images for v in after]
    assert [v.knows_test_images for v in before] == [True, False, False]
    rows = [entries.entries(variants) for variants in (before, after)]
    assert [(e.label, e.ranked) for e in rows[0]] == [(e.label, e.ranked) for e in rows[1]]
    for metric in before[0].first.scores.metrics:
        assert entries.best_runs(rows[0], metric) == entries.best_runs(rows[1], metric)
    assert comparability.ranking(before) == comparability.ranking(after)
    owners = [[w.split(":")[0] for w in comparability.warnings(v)] for v in (before, after)]
    assert owners[0] == owners[1]


def test_warnings_of_one_kind_with_other_values_become_one(plain):
    """`early` and `whole cortex` have a warning of that kind with one value, `noise` another."""
    shown = comparability.warnings(read_variants(plain))
    assert f"Every variant: {KINDS['chance'].in_general}" in shown
    assert "whole cortex and early: near_duplicates warning" in shown
