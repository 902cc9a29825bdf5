"""Components of a Gaussian kernel against scikit-learn's kernel PCA and kernel ridge regression."""

import numpy as np
import pytest
from sklearn.decomposition import KernelPCA
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import KernelCenterer

from fmri_jax.errors import InputError
from fmri_jax.linear import dual_ridge, kernel


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 3)).astype(np.float32)
    y = np.c_[np.cos(3 * x[:, 0]), x[:, 1] * x[:, 2], x[:, 0] ** 2].astype(np.float32)
    return x, y, rng.standard_normal((7, 3)).astype(np.float32)


def components(x, y):
    return kernel.fit(x, np.asarray(dual_ridge.gram(y)))


def test_components_are_those_of_scikit_learn(data):
    x, y, new = data
    fitted = components(x, y)
    gamma = 1 / (2 * float(fitted.width) ** 2)
    peer = KernelPCA(kernel="rbf", gamma=gamma, n_components=30).fit(x.astype(np.float64))
    there, here = peer.transform(new), fitted(new)[:, ::-1]
    scale = np.abs(here[:, 0] / there[:, 0]).mean()
    np.testing.assert_allclose(
        np.abs(here[:, :20]), scale * np.abs(there[:, :20]), atol=1e-3 * np.abs(here).max()
    )
    assert fitted(x).shape == here.shape[:0] + (40, fitted.directions.shape[1])
    np.testing.assert_allclose(fitted(x).var(axis=0).mean(), 1, rtol=1e-3)


@pytest.mark.parametrize("alpha", [0.01, 3.0])
def test_ridge_of_components_is_kernel_ridge(data, alpha):
    x, y, new = data
    fitted = components(x, y)
    unit = np.square(fitted(x)).sum() / np.trace(_centred(x, x, fitted))
    mapped = dual_ridge.decompose(fitted(x)).replace(alphas={"": np.float32(alpha * unit)})
    mean = y.mean(axis=0)
    found = np.asarray(mapped.deviations(fitted(new), "", y - mean)) + mean
    peer = KernelRidge(alpha=alpha, kernel="precomputed").fit(_centred(x, x, fitted), y - mean)
    expected = peer.predict(_centred(x, new, fitted)) + mean
    np.testing.assert_allclose(found, expected, atol=3e-3)


def _centred(x, new, fitted):
    """scikit-learn's kernel of new and training responses, centred by training."""
    gamma = 1 / (2 * float(fitted.width) ** 2)
    centre = KernelCenterer().fit(rbf_kernel(x.astype(np.float64), gamma=gamma))
    return centre.transform(rbf_kernel(new.astype(np.float64), x, gamma=gamma))


def test_the_width_is_that_of_the_least_error_of_fits_without_each_stimulus(data):
    x, y, _ = data
    y = y[:, :1] - y[:, :1].mean()
    distances = np.sqrt(((x[:, None] - x) ** 2).sum(axis=-1).astype(np.float64))
    scale = np.sqrt((distances**2).sum() / (40 * 39))
    least = []
    for width in scale * np.array(kernel.WIDTHS):
        found = np.exp(-(distances**2) / (2 * width**2))
        centre = np.eye(40) - 1 / 40
        unit = np.trace(centre @ found @ centre) / 40
        errors = []
        for penalty in kernel.PENALTIES:
            hat = centre @ found @ centre
            hat = hat @ np.linalg.inv(hat + penalty * unit * np.eye(40)) + 1 / 40
            errors.append((((y - hat @ y)[:, 0] / (1 - np.diag(hat))) ** 2).sum())
        least.append(min(errors))
    expected = scale * kernel.WIDTHS[int(np.argmin(least))]
    np.testing.assert_allclose(components(x, y).width, expected, rtol=1e-5)
    straight = components(x, x)
    assert components(x, y).width < straight.width  # what is linear asks for a wide kernel


def test_responses_that_never_differ_are_rejected():
    with pytest.raises(InputError, match="are the same"):
        kernel.fit(np.ones((5, 3), np.float32), np.eye(5))
