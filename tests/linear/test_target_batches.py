"""Which solvers are split over devices: batches of LAPACK's not over the cores of a CPU."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from fmri_jax.linear import bayesian_ridge, fit_selected, sparse_logistic, target_batches
from fmri_jax.linear.feature_ridge import fitted, selected
from fmri_jax.linear.feature_ridge.fitted import Options
from fmri_jax.linear.feature_ridge.responses import prepare

OWN = np.tile(np.arange(3, dtype=np.int32), (4, 1))  # features of each target
SPLIT = {  # of X (trials, voxels), Y (trials, targets) and a mesh
    "logistic": lambda X, Y, mesh: sparse_logistic(X, Y, mesh=mesh),
    "Bayesian ridge": lambda X, Y, mesh: bayesian_ridge(X, Y, OWN, mesh=mesh),
    "of chosen voxels": lambda X, Y, mesh: fit_selected(X, Y, "bayesian_ridge", 3, mesh=mesh),
}


@pytest.fixture
def cores():
    return jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))


def test_one_core_takes_all_and_accelerators_share(cores):
    assert target_batches.for_solving(None) is None and target_batches.for_solving(cores) is None
    one = jax.make_mesh((1,), ("data",), devices=jax.devices()[:1])
    gpus = SimpleNamespace(size=2, devices=np.array([SimpleNamespace(platform="gpu")] * 2))
    assert target_batches.for_solving(one) is one and target_batches.for_solving(gpus) is gpus


@pytest.mark.parametrize("solve", SPLIT.values(), ids=SPLIT)
def test_solvers_with_batches_of_lapack_s_do_not_split_over_cores(solve, cores, monkeypatch):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(12, 5)).astype(np.float32), rng.random((12, 4)).astype(np.float32)

    def program() -> str:
        return str(jax.make_jaxpr(lambda X, Y: solve(X, Y, cores))(X, Y))

    assert "shard_map" not in program()
    monkeypatch.setattr(target_batches, "_of_cpu", lambda mesh: False)
    assert "shard_map" in program()


def test_nor_does_ridge_of_voxels_of_each_unit_s_own(cores, monkeypatch):
    monkeypatch.delattr(selected, "_solve_on_devices")
    rng = np.random.default_rng(0)
    responses = prepare(rng.normal(size=(12, 5)).astype(np.float32), np.arange(12))
    targets = rng.normal(size=(12, 3)).astype(np.float32)
    found = fitted.fit(responses, targets, Options(2, 1.0), cores).model
    assert np.isfinite(found.values).all()
    monkeypatch.setattr(target_batches, "_of_cpu", lambda mesh: False)
    with pytest.raises(NameError, match="_solve_on_devices"):
        fitted.fit(responses, targets, Options(2, 1.0), cores)
