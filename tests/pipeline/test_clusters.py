"""Folds that leave out clusters of similar images: of those that training shows, and no others."""

import dataclasses

import numpy as np
import pytest

from fmri_jax.data.preparation.folds import folds
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.pipeline import diagnostics
from fmri_jax.pipeline.experiment_config import default_config, read


def clusters_of(recording, n_folds: int):
    config = default_config("gan", "virtual_subject").to_dict()
    config["preparation"] |= {"split": "cluster", "n_folds": n_folds}
    options = read(config)
    groups = diagnostics.clusters(options, recording)
    return groups, list(folds(recording, options.preparation, groups))


def six_in_training(copies: bool = False):
    """Six training images in two runs, beside 40 that only a test set shows, or copies of them."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (46, 8, 8, 1), dtype=np.uint8)
    if copies:
        images[6:] = images[np.arange(40) % 6]
    stimulus = np.concatenate([np.arange(46), np.arange(46)]).astype(np.int32)
    split = "train" if copies else np.where(stimulus < 6, "train", "test")
    return Recording(
        fmri=rng.normal(size=(92, 12)).astype(np.float32),
        stimulus=stimulus,
        images=images,
        run=np.repeat(np.arange(2, dtype=np.int32), 46),
        rois={},
        stimulus_names=tuple(map(str, range(46))),
        split=np.broadcast_to(split, 92).astype(str),
    )


@pytest.mark.parametrize("copies", [False, True])
def test_clusters_are_those_of_the_images_that_training_shows(copies):
    """Test images made groups of their own, and training held fewer than were asked for."""
    recording = six_in_training(copies)
    groups, parts = clusters_of(recording, n_folds=3)
    assert len(parts) == 3 and set(groups[:6]) == {0, 1, 2} and set(groups[6:]) == {-1}
    tested = np.concatenate([np.unique(part.tests["test"].stimulus) for part in parts])
    assert sorted(tested) == list(range(6))
    assert len(clusters_of(recording, n_folds=0)[1]) == 6  # no more than there are images


@pytest.mark.parametrize("n_folds", [1, 7, -2])
def test_numbers_of_clusters_that_cannot_be_are_named_by_their_option(n_folds):
    sentence = f"config.preparation.n_folds is {n_folds} .* 6 different images: expected from 2"
    with pytest.raises(InputError, match=sentence):
        clusters_of(six_in_training(), n_folds)
    recording = six_in_training()
    one = dataclasses.replace(recording, split=np.where(recording.stimulus < 1, "train", "test"))
    with pytest.raises(InputError, match="training shows 1 image: expected at least two"):
        clusters_of(one, 0)
