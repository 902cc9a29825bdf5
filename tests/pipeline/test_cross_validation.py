"""Which training images folds reconstruct beside their test images."""

import dataclasses

import jax
import numpy as np
import pytest

from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.methods import RunContext
from fmri_jax.pipeline import cross_validation, fold_images
from fmri_jax.pipeline.run_record import RunRecord
from fmri_jax.pipeline.training_sample import training_sample
from fmri_jax.training import needs
from fmri_jax.training.mesh import make_mesh

ROWS = 50  # over all folds, and more where they do not divide


def two_trials_each(n_stimuli: int) -> Recording:
    """Two trials of each of `n_stimuli` images."""
    rng = np.random.default_rng(0)
    return Recording(
        fmri=rng.normal(size=(2 * n_stimuli, 3)).astype(np.float32),
        stimulus=np.tile(np.arange(n_stimuli, dtype=np.int32), 2),
        images=rng.integers(0, 256, (n_stimuli, 4, 4, 1), dtype=np.uint8),
        run=np.repeat(np.arange(2, dtype=np.int32), n_stimuli),
        rois={},
        stimulus_names=tuple(map(str, range(n_stimuli))),
        split=np.full(2 * n_stimuli, "train"),
    )


def samples(recording: Recording, options: PreparationConfig) -> list[np.ndarray]:
    """The stimuli of the training sample of each fold."""
    parts = list(folds(recording, options))
    n = -(-ROWS // len(parts))
    return [training_sample(part, i, n).stimulus for i, part in enumerate(parts)]


@pytest.mark.parametrize(
    "n_stimuli, n_folds, distinct",
    [(20, 0, 20), (81, 9, 50), (81, 0, 80), (400, 10, 50), (50, 5, 42), (20, 2, 20)],
)
def test_folds_together_show_many_training_images_evenly(n_stimuli, n_folds, distinct):
    """The same positions in every fold showed 6 of 20 images, and 2 of 81."""
    found = samples(
        two_trials_each(n_stimuli), PreparationConfig(split="stimulus", n_folds=n_folds)
    )
    shown = np.bincount(np.concatenate(found), minlength=n_stimuli)
    assert np.count_nonzero(shown) >= distinct
    assert shown.max() <= shown.sum() / n_stimuli + 2
    share = [part.mean() for part in np.array_split(shown, 5)]
    assert min(share) > 0.6 * np.mean(share)


def test_each_fold_spreads_its_sample_and_leaves_out_what_it_tests():
    recording = two_trials_each(200)
    options = PreparationConfig(split="stimulus", n_folds=4)
    for part, stimuli in zip(folds(recording, options), samples(recording, options), strict=True):
        assert len(set(stimuli.tolist())) == 13 and (np.diff(stimuli) > 0).all()
        assert not set(stimuli.tolist()) & set(part.tests["test"].stimulus.tolist())
        assert np.diff(stimuli).max() < 3 * 200 / 13


def test_runs_that_repeat_all_images_take_turns_too():
    found = samples(two_trials_each(60), PreparationConfig(split="run"))
    assert len(np.unique(np.concatenate(found))) == 2 * 25


def test_the_only_fold_shows_the_first_the_last_and_those_evenly_between():
    recording = two_trials_each(101)
    given = np.where(recording.stimulus < 99, "train", "test")
    found = samples(dataclasses.replace(recording, split=given), PreparationConfig())
    np.testing.assert_array_equal(found, [np.arange(0, 99, 2)])


class Grey:
    """A method that learns nothing."""

    def fit(self, trials, context):
        del trials, context
        return self

    def reconstruct(self, fmri):
        return np.full((len(fmri), 4, 4, 1), 0.5, np.float32)


def test_a_stored_fold_keeps_its_rows(tmp_path, monkeypatch):
    part = next(folds(two_trials_each(9), PreparationConfig(split="stimulus", n_folds=3)))
    context = RunContext(tmp_path, part.name, jax.random.key(0), make_mesh(1), progress=False)

    def rows():
        return cross_validation.run_fold(part, 0, 2, Grey(), context, RunRecord(tmp_path))

    before = rows()
    monkeypatch.setattr(cross_validation, "training_sample", lambda fold, number, n: fold.train)
    np.testing.assert_array_equal(rows().stimulus, before.stimulus)


def test_rows_are_taken_by_bools_and_by_indices(tmp_path):
    part = next(folds(two_trials_each(9), PreparationConfig(split="stimulus", n_folds=3)))
    context = RunContext(tmp_path, part.name, jax.random.key(0), make_mesh(1), progress=False)
    rows = cross_validation.run_fold(part, 0, 2, Grey(), context, RunRecord(tmp_path))
    chosen = np.flatnonzero(rows.split == "train")
    by_bool, by_index = rows.take(rows.split == "train"), rows.take(chosen[::-1])
    np.testing.assert_array_equal(by_bool.stimulus, by_index.stimulus[::-1])


def test_room_for_the_images_of_all_folds_is_looked_for_before_the_first_fit(tmp_path, monkeypatch):
    """Three folds of 3 images, twice each, and 2 of the training images."""
    part = next(folds(two_trials_each(9), PreparationConfig(split="stimulus", n_folds=3)))
    context = RunContext(tmp_path, part.name, jax.random.key(0), make_mesh(1), progress=False)
    tested = {**part.tests, "train": training_sample(part, 0, 2)}
    one = fold_images.needed(tested)
    assert fold_images.needed(tested, 3) == dataclasses.replace(one, disk=3 * one.disk)
    monkeypatch.setattr(needs, "_free_on_disk", lambda folder: 3 * one.disk - 1)
    monkeypatch.setattr(Grey, "fit", lambda *_: pytest.fail("it was fitted"))
    with pytest.raises(InputError, match="keeping the images of 3 folds takes at least .* of room"):
        cross_validation.run_fold(part, 0, 2, Grey(), context, RunRecord(tmp_path), left=3)
