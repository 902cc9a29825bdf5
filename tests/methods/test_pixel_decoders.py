"""Decoders of pixels that other methods begin with, against scikit-learn and the estimator."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from fmri_jax import MultiScaleDecoder
from fmri_jax.data.preparation.folds import Trials
from fmri_jax.errors import InputError
from fmri_jax.linear import pixel_bands
from fmri_jax.methods import local_pixels, pixel_decoders
from fmri_jax.methods.local_decoders import method as local_decoders
from fmri_jax.methods.local_decoders.training import TrainingSet, groups_of


@pytest.fixture(scope="module")
def trials() -> Trials:
    """24 trials of 12 random images of 32 pixels, 20 voxels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 32, 32, 3), np.uint8)
    stimulus = np.repeat(np.arange(12, dtype=np.int32), 2)
    fmri = rng.normal(size=(24, 20)).astype(np.float32)
    return Trials(fmri, stimulus, images, np.zeros(24, np.int32), tuple(map(str, range(12))))


def averages(trials) -> np.ndarray:
    """Of the two trials of each stimulus, which follow one another."""
    return trials.fmri.reshape(12, 2, -1).mean(axis=1)


def ridge_of_each_octave(fitted, images, rows, new) -> np.ndarray:
    """scikit-learn's answer with the penalties that were chosen."""
    linear = pytest.importorskip("sklearn.linear_model")
    found = {}
    for name, part in pixel_bands.coefficients(images).items():
        model = linear.Ridge(float(fitted.map.map.alphas[name])).fit(
            rows, part.reshape(len(rows), -1)
        )
        found[name] = model.predict(new).reshape(len(new), *part.shape[1:])
    return pixel_bands.images_of(found, 32, 32)


def test_ridge_of_each_octave_is_scikit_learns(trials):
    fitted, left_out = pixel_decoders.fit("ridge", trials)
    rows, images, others = averages(trials), np.float32(trials.images / 255), np.arange(12) != 5
    expected = ridge_of_each_octave(fitted, images, rows, trials.fmri)
    np.testing.assert_allclose(fitted(jnp.asarray(trials.fmri)), expected, atol=1e-4)
    unseen = ridge_of_each_octave(fitted, images[others], rows[others], rows[[5]])
    np.testing.assert_allclose(left_out[[5]], unseen, atol=1e-4)
    single = dataclasses.replace(trials, stimulus=np.zeros(24, np.int32))
    with pytest.raises(InputError, match="expected at least two"):
        pixel_decoders.fit("ridge", single)


def test_local_decoders_are_their_estimators_blurred(trials):
    fitted, _ = pixel_decoders.fit("local", trials)
    squares = estimated(np.arange(12), trials).predict(trials.fmri)
    made = fitted(jnp.asarray(trials.fmri))
    np.testing.assert_allclose(made, blurred(squares), atol=2e-4)
    assert made.std(axis=0).mean() > 0.02


@pytest.mark.parametrize("kind", ["ridge", "local"])
def test_they_are_fitted_once_and_kept(trials, kind):
    fitted, left_out = pixel_decoders.fit(kind, trials)
    assert pixel_decoders.fit(kind, trials)[0] is fitted
    assert left_out.shape == trials.images.shape
    again = type(fitted).restore(*fitted.state())
    fmri = jnp.asarray(trials.fmri)
    np.testing.assert_array_equal(again(fmri), fitted(fmri))
    assert (again.n_voxels, again.channels) == (20, 3)


@pytest.mark.parametrize("together", [None, np.arange(12) // 4])
def test_local_decoders_leave_out_what_belongs_together(trials, together):
    trials = dataclasses.replace(trials, together=together)
    _, made = pixel_decoders.fit("local", trials)
    groups = groups_of(trials.images) if together is None else together
    folds = GroupKFold(min(5, len(np.unique(groups)))).split(groups, groups=groups)
    for known, left_out in folds:
        images = np.float32(trials.images[known] / 255)
        training = TrainingSet(averages(trials)[known], images, np.arange(len(known)))
        decoders = local_decoders.fit(
            training, local_pixels.local_config(32, 32), jax.random.key(0)
        )
        squares = np.asarray(decoders.contrast(averages(trials)[left_out]))
        np.testing.assert_allclose(made[left_out], blurred(squares), atol=2e-4)


def blurred(images: np.ndarray) -> np.ndarray:
    """Over two pixels about each: half of its own value and a quarter of each neighbour's."""
    found = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    found = (found[:, :-2] + 2 * found[:, 1:-1] + found[:, 2:]) / 4
    return (found[:, :, :-2] + 2 * found[:, :, 1:-1] + found[:, :, 2:]) / 4


@pytest.mark.parametrize("width", [1, 2, 3, 4, 14])
def test_what_is_blurred_is_not_displaced(width):
    kernel = local_pixels._box(width)
    assert len(kernel) % 2 and kernel.sum() == pytest.approx(1)
    np.testing.assert_array_equal(kernel, kernel[::-1])


@pytest.mark.parametrize("change", ["together", "images"])
def test_local_decoders_need_two_groups(trials, change):
    of_one = {"together": np.zeros(12, int), "images": np.zeros_like(trials.images)}
    with pytest.raises(InputError, match="expected at least two groups"):
        pixel_decoders.fit("local", dataclasses.replace(trials, **{change: of_one[change]}))


def estimated(seen: np.ndarray, trials) -> MultiScaleDecoder:
    """Local decoders of 4 x 4 pixels, every second position, fitted to averages of some stimuli."""
    decoder = MultiScaleDecoder(
        scales=((4, 4),), stride=2, n_voxels=300, n_nonzero=20, weights="equal", clip=False
    )
    return decoder.fit(averages(trials)[seen], np.float32(trials.images[seen] / 255))
