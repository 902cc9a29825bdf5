"""Ridge of more rows than voxels, in blocks, against scikit-learn."""

import jax
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from fmri_jax.evaluation import ridge, tall_ridge

ALPHAS = np.array([3.0, 300.0])


@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_errors_of_left_out_targets_are_scikit_learns(monkeypatch, scale):
    """Of unequal groups of rows, in blocks that do not divide them; of no noise at all as well."""
    monkeypatch.setattr(tall_ridge, "BLOCK", 6)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (16, 2, 3, 1)).astype(np.uint8)
    shown = np.sort(rng.permutation(np.repeat(np.arange(16), 2))[:27])
    targets = images[shown].reshape(27, -1) / 255
    rows = targets @ rng.normal(size=(6, 9)) + scale * rng.normal(size=(27, 9)) + 4
    with jax.enable_x64(True):
        found = tall_ridge.components(rows, images, shown)
        errors = tall_ridge.left_out_errors(rows, images, shown, found, ALPHAS)
    for alpha, error in zip(ALPHAS, errors, strict=True):
        predicted = cross_val_predict(
            Ridge(alpha), rows, targets, groups=shown, cv=LeaveOneGroupOut()
        )
        assert error == pytest.approx(np.sum((predicted - targets) ** 2), rel=1e-8)


def test_both_solves_of_an_error_have_one_factorisation():
    """Two may wait for each other for ever, see `linear.target_batches.for_solving`."""
    rng = np.random.default_rng(0)
    images, shown = rng.integers(0, 256, (8, 2, 3, 1)).astype(np.uint8), np.repeat(np.arange(8), 2)
    rows = rng.normal(size=(16, 5)).astype(np.float32)
    found = tall_ridge.components(rows, images, shown)
    within = found.projected @ found.projected.T
    given = (found, within, rows, rng.normal(size=(16, 6)).astype(np.float32), ALPHAS)
    text = tall_ridge._errors.lower(*given, 16, 2).as_text()
    assert text.count("custom_call @lapack_sgetrf") == 1


def test_no_array_of_rows_by_rows_is_made(monkeypatch):
    """The largest array that a compiled part holds is of a block, whatever the number of rows."""
    sizes = []
    original = tall_ridge._errors

    def measured(*given):
        program = jax.make_jaxpr(original, static_argnums=6)(*given)
        inner = program.jaxpr.eqns[0].params["jaxpr"].jaxpr
        sizes.extend(v.aval.size for eqn in inner.eqns for v in eqn.outvars)
        return original(*given)

    monkeypatch.setattr(tall_ridge, "_errors", measured)
    monkeypatch.setattr(tall_ridge, "BLOCK", 8)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (90, 2, 3, 1)).astype(np.uint8)
    fmri = rng.normal(size=(90, 9)).astype(np.float32)
    fitted = ridge.ridge(fmri, np.arange(90), images, penalties=(1.0, 10.0))
    assert fitted.reconstruct(fmri).shape == (90, 2, 3, 1) and 0 < max(sizes) <= 9 * 9
