"""Recovery check and duplicates, on cases with a known answer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
import skimage.transform

from fmri_jax.errors import InputError
from fmri_jax.evaluation import baselines, metrics
from fmri_jax.evaluation.duplicates import find_duplicates
from fmri_jax.evaluation.recovery import noiseless_voxels, recovery_scores
from fmri_jax.evaluation.training_span import project_onto_span


def crops(n: int, side: int = 48, seed: int = 0) -> np.ndarray:
    """(n, side, side, 3) uint8 crops of photographs that scikit-image bundles."""
    photos = [skimage.data.astronaut(), skimage.data.coffee()[:, :400]]
    rng = np.random.default_rng(seed)
    places = rng.integers(0, 400 - side, (n, 2))
    return np.stack([photos[k % 2][i : i + side, j : j + side] for k, (i, j) in enumerate(places)])


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    small = np.stack([skimage.transform.resize(image, (8, 8)) for image in crops(60)])
    return small[:48].astype(np.float32), small[48:].astype(np.float32)


def test_a_stage_that_keeps_everything_recovers_everything(images):
    _, targets = images
    perfect = recovery_scores(lambda features: features[:, ::-1], targets[:, ::-1], targets)
    assert perfect["pixel_correlation"] == pytest.approx(1)
    assert perfect["identification_10way"] == 1 and perfect["mse"] == 0
    broken = recovery_scores(lambda features: jnp.full(targets.shape, 0.5), targets, targets)
    assert broken["identification_2way"] == 0.5 and broken["pixel_correlation"] == 0


def test_ridge_on_noiseless_voxels_reaches_the_span_of_training(images):
    """With nothing lost, the linear method is as good as any linear method can be."""
    training, targets = images
    with jax.enable_x64(True):
        rows, test_rows = noiseless_voxels(training, targets, n_voxels=4000)
        fitted = baselines.ridge(rows.astype(float), np.arange(48), training, penalties=(1e-10,))
        decoded = fitted.reconstruct(test_rows.astype(float)).astype(np.float32)
    bound = project_onto_span(training, targets)
    reached = np.mean(metrics.mse(jnp.asarray(targets), jnp.asarray(decoded)))
    limit = np.mean(metrics.mse(jnp.asarray(targets), jnp.asarray(bound)))
    assert limit < reached < 1.3 * limit
    # More voxels than pixels, more images than pixels: nothing is lost at all.
    many = np.concatenate([training, np.random.default_rng(1).uniform(size=(200, 8, 8, 3))])
    np.testing.assert_allclose(project_onto_span(many, targets), targets, atol=1e-5)


def test_noiseless_voxels_are_standardised_by_training(images):
    training, targets = images
    rows, test_rows = noiseless_voxels(training, targets, n_voxels=30, seed=1)
    assert rows.shape == (48, 30) and test_rows.shape == (12, 30)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(rows.std(axis=0), 1, atol=1e-4)
    alone = noiseless_voxels(training, targets[:1], n_voxels=30, seed=1)[1]
    np.testing.assert_allclose(alone[0], test_rows[0], atol=1e-4)


def test_copies_are_found_and_other_crops_are_not():
    training = crops(20)
    fresh = crops(6, seed=1)
    shifted = np.roll(training[4], 1, axis=0)
    brighter = np.clip(training[9] * 1.1, 0, 255).astype(np.uint8)
    test = np.stack([*fresh, training[13], shifted, brighter])
    found = find_duplicates(training, test)
    assert [(pair.test, pair.train, pair.exact) for pair in found] == [
        (6, 13, True),
        (7, 4, False),
        (8, 9, False),
    ]
    assert found[0].correlation == pytest.approx(1)
    assert find_duplicates(training, fresh) == []
    assert len(find_duplicates(training, fresh, min_correlation=-1)) == 20 * 6


def test_two_copies_in_training_are_two_pairs():
    training = crops(5)
    pairs = find_duplicates(np.concatenate([training, training[2:3]]), training[2:3])
    assert [(pair.train, pair.exact) for pair in pairs] == [(2, True), (5, True)]


def test_images_of_another_size_are_refused():
    with pytest.raises(InputError, match="expected the same"):
        find_duplicates(crops(3), crops(3, side=32))
