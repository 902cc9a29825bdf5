"""The order of trials, and images from a folder."""

import numpy as np
import pytest
from PIL import Image

from fmri_jax.datasets.simulated import VirtualSubjectConfig, protocol
from fmri_jax.errors import InputError

EARLY = ("V1", "V2", "V3", "V4")


def config(**options) -> VirtualSubjectConfig:
    return VirtualSubjectConfig(areas=EARLY, image_size=16, **options)


@pytest.fixture(scope="module")
def sets() -> list[protocol.StimulusSet]:
    return protocol.stimulus_sets(
        config(n_training=120, n_test=12, training_repeats=3), np.random.default_rng(0)
    )


@pytest.fixture(scope="module")
def schedule(sets) -> protocol.Schedule:
    return protocol.schedule(sets, np.random.default_rng(0))


def test_every_image_is_shown_as_often_as_its_set_says(sets, schedule):
    counts = np.bincount(schedule.stimulus)
    expected = np.concatenate([np.full(len(s.images), s.repeats) for s in sets])
    np.testing.assert_array_equal(counts, expected)
    assert [s.split for s in sets] == ["train", "test", "shapes", "letters"]
    assert [(len(s.images), s.repeats) for s in sets] == [(120, 3), (12, 24), (40, 20), (10, 12)]


def test_crops_of_one_photograph_are_one_group(sets):
    train, test, shapes, letters = sets
    assert set(test.groups) == {"coffee", "chelsea", "china", "grace_hopper"}
    assert all(name.startswith(group) for name, group in zip(test.names, test.groups, strict=True))
    assert not set(train.groups) & set(test.groups) and set(shapes.groups) == {""}


def test_trials_carry_the_split_of_their_image(sets, schedule):
    of_image = np.concatenate([np.repeat(s.split, len(s.images)) for s in sets])
    np.testing.assert_array_equal(schedule.split, of_image[schedule.stimulus])


def test_no_run_is_long_mixed_or_shows_an_image_twice(schedule):
    assert (np.diff(schedule.run) >= 0).all() and schedule.run.dtype == np.int32
    for run in range(schedule.run.max() + 1):
        trials = schedule.run == run
        assert 1 <= trials.sum() <= protocol.TRIALS_A_RUN
        assert len(set(schedule.split[trials])) == 1
        assert len(set(schedule.stimulus[trials])) == trials.sum()
    assert schedule.run.max() + 1 == 3 * 3 + 24 + 20 + 12


def test_runs_of_all_sets_are_spread_over_the_recording(schedule):
    position = np.linspace(0, 1, len(schedule.split))
    for split in ("train", "test", "shapes", "letters"):
        assert 0.3 < position[schedule.split == split].mean() < 0.7


def test_artificial_sets_can_be_left_out():
    few = config(n_training=20, n_test=4, shape_repeats=0, letter_repeats=0)
    sets = protocol.stimulus_sets(few, np.random.default_rng(0))
    assert [s.split for s in sets] == ["train", "test"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve photographs, two of which are copies of the first."""
    path = tmp_path_factory.mktemp("photographs")
    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 24, 3), dtype=np.uint8)
    pixels[[5, 9]] = pixels[0]
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(path / f"{i:02d}.png")
    return path


def test_photographs_of_a_folder_are_divided_without_copies(folder):
    options = config(images=str(folder), n_training=7, n_test=3)
    train, test, *_ = protocol.stimulus_sets(options, np.random.default_rng(0))
    assert train.images.shape == (7, 16, 16, 3) and test.images.shape == (3, 16, 16, 3)
    assert len(set(train.names) | set(test.names)) == 10
    pixels = {image.tobytes() for image in np.concatenate([train.images, test.images])}
    assert len(pixels) == 10
    again, *_ = protocol.stimulus_sets(options, np.random.default_rng(0))
    assert again.names == train.names


@pytest.mark.parametrize("n_training", [8, 500])
def test_too_few_photographs_are_counted(folder, n_training):
    options = config(images=str(folder), n_training=n_training, n_test=3)
    with pytest.raises(InputError, match="holds 1[02] .*images"):
        protocol.stimulus_sets(options, np.random.default_rng(0))
