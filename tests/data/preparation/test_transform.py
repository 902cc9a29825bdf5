"""Square root of spike counts: before averages and statistics, and in kept decoders."""

import dataclasses
import types

import numpy as np
import pytest

from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.data.preparation.transform import transformed
from fmri_jax.errors import InputError
from fmri_jax.methods.decoder import About, Decoder, identity


@pytest.fixture
def counts(make_recording):
    """A recording of Poisson counts, of larger means in later trials of an image."""
    recording = make_recording()
    rng = np.random.default_rng(0)
    mean = 1 + 30 * rng.random(recording.fmri.shape)
    return dataclasses.replace(recording, fmri=rng.poisson(mean).astype(np.float32))


def test_counts_are_transformed_trial_by_trial_before_anything_else(counts):
    options = PreparationConfig(transform="sqrt", noise_scaling=False)
    (fold,) = folds(counts, options)
    rooted = dataclasses.replace(counts, fmri=np.sqrt(counts.fmri))
    (expected,) = folds(rooted, PreparationConfig(noise_scaling=False))
    np.testing.assert_array_equal(fold.train.fmri, expected.train.fmri)
    np.testing.assert_array_equal(fold.tests["test"].fmri, expected.tests["test"].fmri)
    shown = counts.stimulus[counts.split == "test"]
    mean = np.sqrt(counts.fmri[counts.split == "test"])[shown == shown.min()].mean(axis=0)
    scale = fold.scale
    np.testing.assert_allclose(fold.tests["test"].fmri[0], (mean - scale.mean) / scale.std, 1e-4)


def test_the_root_of_counts_varies_alike_whatever_their_mean():
    counts = np.random.default_rng(0).poisson([20, 40, 160], (20_000, 3)).astype(np.float32)
    np.testing.assert_allclose(transformed(counts, "sqrt").var(axis=0), 0.25, rtol=0.05)
    assert transformed(counts, None) is counts


def test_negative_responses_are_rejected(make_recording):
    recording = make_recording()
    n = int((recording.fmri < 0).sum())
    with pytest.raises(InputError, match=f"transform is 'sqrt' and {n} of .* responses are neg"):
        list(folds(recording, PreparationConfig(transform="sqrt")))


@pytest.mark.parametrize("centring", [None, "centre"])
def test_a_kept_decoder_transforms_new_responses(counts, centring):
    options = PreparationConfig(transform="sqrt", run_centring=centring, average_repeats="none")
    run = np.arange(len(counts.fmri), dtype=np.int32) % 2
    counts = dataclasses.replace(counts, run=run)
    (fold,) = folds(counts, options)
    seen = []
    reconstructor = types.SimpleNamespace(
        image_shape=(1, 1, 1), reconstruct=lambda rows: seen.append(rows) or rows[:, :1, None, None]
    )
    about = About(
        "ridge", {}, identity(counts), "all", "all", preparation=dataclasses.asdict(options)
    )
    decoder = Decoder(reconstructor, fold.scale, about, fold.voxels)
    decoder.predict(counts)
    rows = np.sqrt(counts.fmri)
    if centring:  # by all trials that are given
        rows = rows - np.stack([rows[run == r].mean(axis=0) for r in (0, 1)])[run]
    else:
        trained = counts.split == "train"
        np.testing.assert_allclose(np.asarray(seen[0])[trained], fold.train.fmri, atol=1e-5)
    np.testing.assert_allclose(seen[0], (rows - fold.scale.mean) / fold.scale.std, atol=1e-4)
    if centring is None:
        with pytest.raises(InputError, match="are negative"):
            decoder.predict(-counts.fmri)
