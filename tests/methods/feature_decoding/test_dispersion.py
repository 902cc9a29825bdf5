"""Each correction against its formula in plain NumPy."""

import numpy as np
import pytest

from fmri_jax.methods.feature_decoding import dispersion

SHAPES = {"map": (5, 4, 3, 6), "dense": (5, 9)}


def spatial_deviation(image: np.ndarray, ddof: int) -> float:
    """s(t) of one image, channel by channel."""
    if image.ndim == 1:
        return image.std(ddof=ddof)
    return float(np.mean([image[..., c].std(ddof=ddof) for c in range(image.shape[-1])]))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_published_variants(shape):
    rng = np.random.default_rng(0)
    decoded = rng.standard_normal(shape).astype(np.float32) + 1
    mean = rng.standard_normal(shape[1:]).astype(np.float32)
    gain = rng.uniform(1, 3, shape[-1]).astype(np.float32)
    for how, formula in {
        "none": lambda t: t,
        "out_of_fold": lambda t: mean + gain * (t - mean),
        "spatial": lambda t: t * 2.5 / spatial_deviation(t, 0),
        "spatial_centred": lambda t: (t - t.mean()) * 2.5 / spatial_deviation(t, 1) + t.mean(),
        "train_mean_centred": lambda t: (
            (t - mean - (t - mean).mean()) * 2.5 / spatial_deviation(t - mean, 1)
            + (t - mean).mean()
            + mean
        ),
    }.items():
        found = dispersion.corrected(decoded, mean, gain, np.float32(2.5), how)
        expected = np.stack([formula(t.astype(np.float64)) for t in decoded])
        np.testing.assert_allclose(found, expected, atol=2e-5, err_msg=how)
        alone = dispersion.corrected(decoded[2:3], mean, gain, np.float32(2.5), how)
        np.testing.assert_allclose(alone[0], found[2], atol=1e-6, err_msg=how)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("how", "ddof"), [("spatial", 0), ("spatial_centred", 1)])
def test_true_features_are_left_as_they_are(shape, how, ddof):
    """What is expected is measured as what is found: of one true image both are the same."""
    true = np.random.default_rng(0).standard_normal((1, *shape[1:])).astype(np.float32)
    expected = dispersion.spread(true, how)
    np.testing.assert_allclose(expected[0], spatial_deviation(true[0], ddof), rtol=1e-5)
    found = dispersion.corrected(true, 0 * true[0], np.ones(shape[-1]), expected[0], how)
    np.testing.assert_allclose(found, true, atol=1e-5)


def test_an_image_without_any_variation_stays_finite():
    flat = np.full((2, 3, 3, 4), 0.5, np.float32)
    for how in ("spatial", "spatial_centred", "train_mean_centred"):
        found = dispersion.corrected(flat, 0 * flat[0], np.ones(4, np.float32), 1.0, how)
        np.testing.assert_allclose(found, flat)


@pytest.mark.parametrize("how", ["none", "out_of_fold", "spatial", "train_mean_centred"])
def test_a_map_of_one_position_does_not_vary(how):
    """As deep layers of small images have it."""
    true = np.random.default_rng(0).standard_normal((3, 1, 1, 5)).astype(np.float32)
    np.testing.assert_array_equal(dispersion.spread(true, how), np.zeros(3))
