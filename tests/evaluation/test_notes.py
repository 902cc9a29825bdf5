"""Notes: a closed set of kinds by which everything is decided, whatever the texts are."""

import pytest

from fmri_jax.errors import InputError
from fmri_jax.evaluation import notes
from fmri_jax.evaluation.notes import Note


def test_warnings_come_first_and_the_gravest_kind_before_the_others():
    given = [
        Note("noise_ceiling", "info", ""),
        Note("chance", "warning", "b"),
        Note("simulated", "warning", ""),
        Note("chance", "info", ""),
        Note("shared_images", "warning", ""),
        Note("chance", "warning", "a"),
    ]
    found = notes.ordered(given)
    assert [note.kind for note in found[:2]] == ["shared_images", "simulated"]
    assert [note.text for note in found[2:4]] == ["b", "a"]  # of one kind in their order
    assert [note.kind for note in found[4:]] == ["chance", "noise_ceiling"]


def test_notes_of_other_words_are_the_same_and_of_other_values_are_not():
    note = Note("chance", "info", "Above chance.", {"p": 0.01})
    assert note == Note("chance", "info", "Better than guessing.", {"p": 0.01})
    assert note != Note("chance", "info", "Above chance.", {"p": 0.02})


def test_only_images_shown_in_training_make_a_run_know_its_test_images():
    known = {kind for kind in notes.KINDS if notes.know_test_images([Note(kind, "warning", "")])}
    assert known == {"shared_images", "leaked_images"}


@pytest.mark.parametrize(
    ("kind", "severity", "message"),
    [("chanse", "info", "did you mean 'chance'"), ("chance", "bad", "expected warning or info")],
)
def test_unknown_kinds_and_severities_are_rejected(kind, severity, message):
    with pytest.raises(InputError, match=message):
        Note(kind, severity, "")
