"""Projection onto the span of the training images, and duplicates, with known answers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
import skimage.transform

from fmri_jax.errors import InputError
from fmri_jax.evaluation import baselines, metrics
from fmri_jax.evaluation.duplicates import find_duplicates
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


def noiseless_voxels(
    training: np.ndarray, test: np.ndarray, n_voxels: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Voxels (m, n_voxels) and (n, n_voxels) that are random linear views of the pixels.

    Standardised by the training rows. With as many voxels as pixels nothing is lost: whatever a
    method fails to reconstruct from them it would fail to reconstruct from any recording.
    """
    n_pixels = int(np.prod(training.shape[1:]))
    views = np.random.default_rng(seed).standard_normal((n_pixels, n_voxels), np.float32)
    rows, test_rows = (images.reshape(len(images), -1) @ views for images in (training, test))
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    return (rows - mean) / deviation, (test_rows - mean) / deviation


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
