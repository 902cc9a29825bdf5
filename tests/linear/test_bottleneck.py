"""A linear bottleneck against scikit-learn, fitted anew where a stimulus is left out."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV

from fmri_jax.errors import InputError
from fmri_jax.linear import bottleneck, dual_ridge

STIMULI, REPEATS, VOXELS, UNITS, RANK = 30, 2, 50, 40, 3


@pytest.fixture(scope="module")
def data():
    """Targets of rank 3, which voxels see in noise; and as much of new stimuli."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(RANK, UNITS)) * np.array([[3.0], [2.0], [1.5]])
    hidden = rng.normal(size=(2 * STIMULI, RANK))
    seen = hidden @ rng.normal(size=(RANK, VOXELS))
    targets = np.float32(hidden @ mixed)
    row = np.repeat(np.arange(STIMULI), REPEATS)
    fmri = np.float32(seen[row] + rng.normal(size=(len(row), VOXELS)))
    rows = fmri.reshape(STIMULI, REPEATS, -1).mean(axis=1)
    new = np.float32(seen[STIMULI:] + 0.7 * rng.normal(size=(STIMULI, VOXELS)))
    gram = np.asarray(dual_ridge.gram(targets[:STIMULI]), np.float64)
    alphas = dual_ridge.with_penalties(dual_ridge.decompose(rows), {"": gram}).alphas
    return rows, fmri, row, targets[:STIMULI], new, targets[STIMULI:], gram, float(alphas[""])


def without_sign_and_scale(codes: np.ndarray) -> np.ndarray:
    return codes * np.sign(codes[0]) / np.linalg.norm(codes)


def test_numbers_are_the_main_directions_of_ridge_s_predictions(data) -> None:
    rows, fmri, row, targets, new, _, gram, alpha = data
    narrow, _ = bottleneck.fit(rows, gram, 2, fmri, row)
    ridge = Ridge(alpha=alpha).fit(rows, targets)
    predicted = ridge.predict(rows) - targets.mean(axis=0)
    axes = np.linalg.svd(predicted, full_matrices=False)[2][:2]
    expected = (ridge.predict(new) - targets.mean(axis=0)) @ axes.T
    found = narrow(new)
    assert found.shape == (STIMULI, 2) and found.dtype == np.float32
    parts = without_sign_and_scale(found), without_sign_and_scale(expected)
    np.testing.assert_allclose(*parts, atol=1e-4)


def test_training_rows_get_what_a_map_without_their_stimulus_predicts(data) -> None:
    rows, fmri, row, targets, _, _, gram, alpha = data
    narrow, codes = bottleneck.fit(rows, gram, 2, fmri, row)
    assert codes.var(axis=0).mean() == pytest.approx(1, rel=1e-4)
    # The projected targets, from what the whole map makes of the very responses.
    predicted = Ridge(alpha=alpha).fit(rows, targets).predict(rows) - targets.mean(axis=0)
    axes = np.linalg.svd(predicted, full_matrices=False)[2][:2].T
    true = (targets - targets.mean(axis=0)) @ axes
    expected = np.empty(codes.shape)
    for i in range(STIMULI):
        keep = np.arange(STIMULI) != i
        expected[row == i] = Ridge(alpha=alpha).fit(rows[keep], true[keep]).predict(fmri[row == i])
    parts = without_sign_and_scale(codes), without_sign_and_scale(expected)
    np.testing.assert_allclose(*parts, atol=2e-4)
    assert np.abs(codes - narrow(fmri)).max() > 0.05  # a map that knows them would flatter


def test_as_many_numbers_as_the_targets_have_dimensions_lose_nothing(data) -> None:
    rows, fmri, row, targets, new, wanted, gram, _ = data
    penalties = np.logspace(-2, 3, 12)

    def explained(k: int) -> float:
        narrow, codes = bottleneck.fit(rows, gram, k, fmri, row)
        fitted = RidgeCV(penalties).fit(codes, targets[row])
        predicted = fitted.predict(narrow(new))
        assert np.linalg.matrix_rank(predicted - predicted.mean(axis=0), tol=1e-2) == k
        return 1 - np.sum((predicted - wanted) ** 2) / np.sum((wanted - wanted.mean(axis=0)) ** 2)

    everything = RidgeCV(penalties).fit(fmri, targets[row]).predict(new)
    whole = 1 - np.sum((everything - wanted) ** 2) / np.sum((wanted - wanted.mean(axis=0)) ** 2)
    one, two, three = map(explained, (1, 2, 3))
    assert one + 0.1 < two < three and three > whole - 0.02


def test_more_numbers_than_predictions_have_directions_are_rejected(data) -> None:
    rows, fmri, row, _, _, _, gram, _ = data
    with pytest.raises(InputError, match="varies in 3 directions"):
        bottleneck.fit(rows, gram, RANK + 1, fmri, row)
