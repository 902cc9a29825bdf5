"""Training and test trials as plain arrays, against the recording and the pipeline's own folds."""

import dataclasses

import numpy as np
import pytest

import fmri_jax as fj
from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.errors import InputError


@pytest.fixture(scope="module")
def recording():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 8, 8, 3), np.uint8)
    images[3] = images[2]  # the same picture under two numbers
    stimulus = np.tile(np.arange(12), 4).astype(np.int32)
    return fj.data.Recording(
        fmri=rng.standard_normal((48, 6)).astype(np.float32),
        stimulus=stimulus,
        images=images,
        run=np.repeat(np.arange(4), 12).astype(np.int32),
        rois={"V1": np.arange(6) < 2, "V2": np.arange(6) == 4},
        stimulus_names=tuple(f"image {i}" for i in range(12)),
        split=np.where(stimulus >= 10, "test", "train"),
    )


def test_no_image_is_on_both_sides_and_named_test_trials_stay_out(recording):
    train, test = fj.train_test_split(recording, test_size=0.3, random_state=1)
    assert len(np.unique(test.stimulus)) == 3 and len(train) + len(test) == 40
    assert not set(train.stimulus) & set(test.stimulus)
    assert max(*train.stimulus, *test.stimulus) < 10
    assert not (set(map(bytes, train.images)) & set(map(bytes, test.images)))
    again = fj.train_test_split(recording, test_size=3, random_state=1)[1]
    np.testing.assert_array_equal(again.fmri, test.fmri)
    others = [fj.train_test_split(recording, random_state=seed)[1] for seed in range(5)]
    assert len({tuple(np.unique(other.stimulus)) for other in others}) > 1


def test_groups_are_left_out_as_a_whole(recording):
    photograph = tuple("abc"[i // 4] for i in range(12))
    grouped = dataclasses.replace(recording, groups=photograph)
    train, test = fj.train_test_split(grouped, by="group", test_size=1)
    of = [{photograph[i] for i in trials.stimulus} for trials in (train, test)]
    assert len(of[1]) == 1 and not of[0] & of[1]
    assert len(set(test.units)) == 1 and len(set(train.units)) == 2
    alone, _ = fj.train_test_split(recording, test_size=1)
    assert len(set(alone.units)) == len(set(alone.stimulus))
    with pytest.raises(InputError, match="names no groups"):
        fj.train_test_split(recording, by="group")


def test_rows_are_the_recorded_ones(recording):
    train, test = fj.train_test_split(recording, by="run", test_size=1, roi="V1 + V2")
    assert len(np.unique(test.run)) == 1 and len(test) == 10
    voxels = recording.fmri[:, [0, 1, 4]]
    for part in (train, test):
        for row, stimulus, run, image in zip(
            part.fmri, part.stimulus, part.run, part.images, strict=True
        ):
            at = np.flatnonzero((voxels == row).all(axis=1))
            assert recording.run[at] == run
            np.testing.assert_array_equal(np.rint(255 * image), recording.images[stimulus])
            np.testing.assert_array_equal(recording.images[recording.stimulus[at][0]], 255 * image)


def test_given_split_and_averages_are_those_of_a_run(recording):
    train, test = fj.train_test_split(
        recording, by="given", average_repeats="test", image_size=4, roi="V1"
    )
    options = PreparationConfig(roi="V1", image_size=4, standardise=False, noise_scaling=False)
    fold = next(folds(recording, options))
    np.testing.assert_allclose(train.fmri, fold.train.fmri, atol=1e-6)
    np.testing.assert_allclose(test.fmri, fold.main_test().fmri, atol=1e-6)
    np.testing.assert_array_equal(test.images, fold.main_test().targets())
    np.testing.assert_array_equal(test.repeats, 4)
    assert train.images.dtype == np.float32 and train.images.shape == (40, 4, 4, 3)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"test_size": 1.0}, "test_size is 1.0: of 9 training stimuli"),
        ({"test_size": 0}, "leaves 0 to test on"),
        ({"by": "subject"}, "by='subject' is not known"),
        ({"average_repeats": "yes"}, "average_repeats='yes' is not known"),
        ({"roi": "V9"}, "'V9' does not exist"),
    ],
)
def test_what_cannot_be_split_is_rejected(recording, options, message):
    with pytest.raises(InputError, match=message):
        fj.train_test_split(recording, **options)
