"""Per-image metrics against SciPy, scikit-image and scikit-learn."""

import jax
import numpy as np
import pytest
import skimage.data
import skimage.filters
import skimage.metrics
import skimage.transform
import sklearn.metrics

from fmri_jax.arrays import in_blocks
from fmri_jax.errors import InputError
from fmri_jax.evaluation import binary, metrics
from fmri_jax.evaluation.images import as_images, as_pair, image_ids


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    """Three 64-pixel crops of real photographs, (3, 64, 64, 3) float64 in [0, 1]."""
    astronaut = skimage.data.astronaut() / 255.0
    return np.stack([astronaut[i : i + 256 : 4, i : i + 256 : 4] for i in (0, 100, 200)])


def distort(images: np.ndarray, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.1, images.shape)
    return np.clip(0.6 * images + 0.1 + noise, 0, 1)


def test_pixel_correlation_is_numpys(photographs):
    decoded = distort(photographs)
    expected = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(photographs, decoded, strict=True)
    ]
    found = metrics.pixel_correlation(photographs.astype(np.float32), decoded.astype(np.float32))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with jax.enable_x64(True):
        found = metrics.pixel_correlation(photographs, decoded)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("level", [0.0, 0.1, 1 / 3, 1.0])
def test_correlation_with_a_constant_image_is_zero(photographs, level):
    constant = np.full(photographs.shape, level, np.float32)
    assert np.all(metrics.pixel_correlation(photographs.astype(np.float32), constant) == 0)
    nearly = constant + np.float32(1e-8)
    assert np.all(np.isfinite(metrics.pixel_correlation(nearly, nearly)))


def test_one_bright_pixel_is_not_constant():
    image = np.zeros((1, 64, 64, 3), np.float32)
    image[0, 3, 4, 1] = 1 / 255
    np.testing.assert_allclose(metrics.pixel_correlation(image, image), 1, atol=1e-6)


@pytest.mark.parametrize("shape", [(64, 64, 3), (37, 52, 3), (11, 11, 1), (10, 10, 1), (5, 8, 1)])
def test_ssim_is_scikit_images(shape):
    rng = np.random.default_rng(1)
    targets = rng.uniform(size=(2, *shape))
    decoded = np.clip(targets + rng.normal(0, 0.2, targets.shape), 0, 1)
    window = min(11, (min(shape[:2]) - 1) // 2 * 2 + 1)
    expected = [
        skimage.metrics.structural_similarity(
            a,
            b,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            win_size=window,
        )
        for a, b in zip(targets, decoded, strict=True)
    ]
    found = metrics.ssim(targets.astype(np.float32), decoded.astype(np.float32))
    np.testing.assert_allclose(found, expected, atol=2e-6)
    with jax.enable_x64(True):
        np.testing.assert_allclose(metrics.ssim(targets, decoded), expected, atol=1e-12)


def test_ssim_on_photographs_with_scikit_images_own_window(photographs):
    decoded = distort(photographs)
    expected = [
        skimage.metrics.structural_similarity(
            a,
            b,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
        )
        for a, b in zip(photographs, decoded, strict=True)
    ]
    found = metrics.ssim(photographs.astype(np.float32), decoded.astype(np.float32))
    np.testing.assert_allclose(found, expected, atol=2e-5)
    np.testing.assert_allclose(metrics.ssim(photographs, photographs), 1, atol=1e-6)


def test_detail_error_counts_doublings_of_neighbouring_differences(photographs):
    blurred = np.stack([skimage.filters.gaussian(p, 1.5, channel_axis=-1) for p in photographs])
    noisy = np.clip(photographs + np.random.default_rng(0).normal(0, 0.2, photographs.shape), 0, 1)
    expected = []
    for seen, decoded in zip(photographs, blurred, strict=True):
        energies = [
            sum(np.mean((image[1:] - image[:-1]) ** 2) for image in (x, x.swapaxes(0, 1)))
            + 2 / 255**2 / 12
            for x in (decoded, seen)
        ]
        expected.append(abs(np.log2(energies[0] / energies[1])))
    found = metrics.detail_error(photographs, blurred)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert np.all(found > 0.5) and np.all(metrics.detail_error(photographs, noisy) > 0.1)
    np.testing.assert_allclose(metrics.detail_error(photographs, photographs), 0, atol=1e-5)
    np.testing.assert_allclose(metrics.detail_error(blurred, photographs), expected, rtol=1e-4)


def test_mse_is_scikit_images(photographs):
    decoded = distort(photographs)
    expected = [
        skimage.metrics.mean_squared_error(a, b) for a, b in zip(photographs, decoded, strict=True)
    ]
    np.testing.assert_allclose(metrics.mse(photographs, decoded), expected, rtol=1e-5)


@pytest.fixture(scope="module")
def figures() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    targets = (rng.uniform(size=(6, 10, 10, 1)) < 0.3).astype(np.float32)
    return targets, np.clip(targets * 0.4 + rng.uniform(size=targets.shape) * 0.5, 0, 1)


def test_binary_scores_are_scikit_learns_on_pooled_pixels(figures):
    targets, decoded = figures
    pooled = np.asarray(binary.counts(targets, decoded)).sum(axis=0)
    truth, guess = targets.ravel() > 0.5, decoded.ravel() > 0.5
    assert pooled.sum() == truth.size
    assert binary.accuracy(pooled) == pytest.approx(sklearn.metrics.accuracy_score(truth, guess))
    for name in ("precision", "recall", "f1"):
        expected = getattr(sklearn.metrics, f"{name}_score")(truth, guess)
        assert binary.SCORES[name](pooled) == pytest.approx(expected)


def test_all_black_has_no_precision_and_zero_recall(figures):
    targets, _ = figures
    pooled = np.asarray(binary.counts(targets, np.zeros_like(targets))).sum(axis=0)
    assert np.isnan(binary.precision(pooled))
    assert binary.recall(pooled) == binary.f1(pooled) == 0
    assert binary.accuracy(pooled) == pytest.approx(1 - targets.mean())


def test_counts_pool_over_any_leading_axes(figures):
    each = np.asarray(binary.counts(*figures))
    np.testing.assert_allclose(binary.f1(each), [binary.f1(one) for one in each], equal_nan=True)


def test_images_of_another_convention_are_refused():
    good = np.full((2, 8, 8, 3), 0.5, np.float32)
    np.testing.assert_allclose(as_images(np.full((2, 8, 8, 3), 255, np.uint8), "x"), 1)
    with pytest.raises(InputError, match=r"spans \[0.5, 128\].*divide 8-bit images by 255"):
        as_images(np.where(np.arange(8)[:, None, None] == 3, 128, good), "targets")
    with pytest.raises(InputError, match="not finite"):
        as_images(np.where(np.arange(8)[:, None, None] == 3, np.nan, good), "targets")
    with pytest.raises(InputError, match=r"shape \(8, 8, 3\)"):
        as_images(good[0], "targets")
    with pytest.raises(InputError, match="same shape"):
        as_pair(good, good[:1])


def test_equal_images_share_a_number_across_stacks():
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (4, 5, 5, 3)).astype(np.uint8)
    first = images[[0, 1, 1, 2]] / np.float32(255)
    second = images[[3, 0]] * np.float32(1 / 255)  # rounds differently
    a, b = image_ids(first, second)
    assert a.tolist() == [0, 1, 1, 2] and b.tolist() == [3, 0]


def test_blocks_join_to_the_whole_and_share_one_shape():
    shapes = set()

    def double(rows: np.ndarray) -> dict[str, np.ndarray]:
        shapes.add(rows.shape)
        return {"doubled": 2 * rows}

    rows = np.arange(14.0).reshape(7, 2)
    np.testing.assert_array_equal(in_blocks(double, (rows,), 3)["doubled"], 2 * rows)
    assert shapes == {(3, 2)}


def test_detail_of_images_of_one_row_is_that_along_it():
    rows = np.random.default_rng(0).random((3, 1, 8, 1)).astype(np.float32)
    blurred = (rows + np.roll(rows, 1, axis=2)) / 2
    along = np.asarray(metrics.detail_error(rows, blurred))
    stacked = (np.repeat(images, 4, axis=1) for images in (rows, blurred))
    np.testing.assert_allclose(along, metrics.detail_error(*stacked), rtol=1e-4)
    np.testing.assert_array_equal(
        along, metrics.detail_error(rows.swapaxes(1, 2), blurred.swapaxes(1, 2))
    )
    np.testing.assert_array_equal(metrics.detail_error(rows[:, :, :1], blurred[:, :, :1]), [0] * 3)
