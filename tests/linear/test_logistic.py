import jax
import numpy as np
import pytest
from scipy.optimize import approx_fprime

from fmri_jax.errors import InputError
from fmri_jax.linear import f_test, select, sparse_logistic

OFFSET, PRUNED = 0.01, 1e8


def standardised(X):
    centred = X - X.mean(0)
    return centred / np.where(np.ptp(X, 0) == 0, 1, centred.std(0))


def variational(X, y, trials, max_iter, tol):
    """The textbook iteration for one target, by explicit inverses in float64."""
    Z = np.column_stack([standardised(X), np.ones(len(X))])
    alpha = np.append(np.ones(X.shape[1]), OFFSET)
    xi, w, out = np.ones(len(X)), np.zeros(Z.shape[1]), np.zeros(Z.shape[1], bool)
    for _ in range(max_iter):
        omega = trials * np.tanh(xi / 2) / (2 * xi)
        S = np.linalg.inv(np.diag(alpha) + Z.T @ np.diag(omega) @ Z)
        old, w = w, S @ Z.T @ (trials * (y - 0.5))
        xi = np.sqrt([z @ (S + np.outer(w, w)) @ z for z in Z])
        with np.errstate(divide="ignore", invalid="ignore"):
            alpha = (1 - alpha * np.diag(S)) / w**2
        out |= ~(alpha < PRUNED)
        out[-1] = False
        alpha = np.where(out, PRUNED, alpha)
        alpha[-1] = OFFSET
        if np.abs(w - old).max() <= tol:
            break
    w = np.where(out, 0, w)
    scale = np.where(np.ptp(X, 0) == 0, 1, X.std(0))
    coef = w[:-1] / scale
    return coef, w[-1] - coef @ X.mean(0), (Z, alpha, xi)


def log_evidence_bound(log_alpha, log_xi, Z, y, trials):
    """Lower bound of the log evidence of a binomial model (Jaakkola & Jordan), up to a constant."""
    alpha, xi = np.exp(log_alpha), np.exp(log_xi)
    lam = np.tanh(xi / 2) / (4 * xi)
    A = np.diag(alpha) + 2 * trials * Z.T @ np.diag(lam) @ Z
    b = Z.T @ (trials * (y - 0.5))
    quadratic = 0.5 * b @ np.linalg.solve(A, b) - 0.5 * np.linalg.slogdet(A)[1]
    bound = trials * np.sum(-np.logaddexp(0, -xi) - xi / 2 + lam * xi**2)
    return quadratic + 0.5 * log_alpha.sum() + bound


def logistic_problem(trials=1, samples=80, features=12, targets=5):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((samples, features)) * rng.uniform(0.5, 2, features) + 1
    truth = np.zeros((features, targets))
    truth[rng.integers(0, features, (2, targets)), np.arange(targets)] = 1.5
    p = 1 / (1 + np.exp(-(X - X.mean(0)) @ truth))
    return X.astype(np.float32), (rng.binomial(trials, p) / trials).astype(np.float32), truth


@pytest.mark.parametrize("trials", [1, 4])
def test_equals_an_independent_implementation(trials):
    X, Y, _ = logistic_problem(trials)
    coef, intercept = (np.asarray(part) for part in sparse_logistic(X, Y, trials=trials))
    with jax.enable_x64(True):
        wide = X.astype(np.float64), Y.astype(np.float64)
        coef64, intercept64 = (np.asarray(p) for p in sparse_logistic(*wide, trials=trials))
    for t in range(Y.shape[1]):
        theirs, their_intercept, _ = variational(wide[0], wide[1][:, t], trials, 100, 1e-3)
        np.testing.assert_allclose(coef64[:, t], theirs, atol=1e-8)
        np.testing.assert_allclose(intercept64[t], their_intercept, atol=1e-8)
        np.testing.assert_allclose(coef[:, t], theirs, atol=1e-3)
        np.testing.assert_allclose(intercept[t], their_intercept, atol=1e-3)


def test_the_fixed_point_maximises_the_bound_of_the_evidence():
    """What both implementations iterate is right: no derivative of the bound is left."""
    X, Y, _ = logistic_problem(trials=4)
    X, y = X.astype(np.float64), Y[:, 0].astype(np.float64)
    coef, _, (Z, alpha, xi) = variational(X, y, 4, 5000, 1e-12)
    kept = np.append(coef != 0, True)
    Z, alpha = Z[:, kept], alpha[kept]

    def at(point):
        log_alpha = np.append(point[: len(alpha) - 1], np.log(OFFSET))  # the offset's is given
        return log_evidence_bound(log_alpha, point[len(alpha) - 1 :], Z, y, 4)

    point = np.concatenate([np.log(alpha[:-1]), np.log(xi)])
    np.testing.assert_allclose(approx_fprime(point, at, 1e-6), 0, atol=2e-4)
    assert np.abs(approx_fprime(point + 0.3, at, 1e-6)).max() > 0.1


def test_useless_voxels_drop_out_and_the_rest_predicts():
    X, Y, truth = logistic_problem(trials=4)
    model = sparse_logistic(X, Y, trials=4)
    coef = np.asarray(model.coef)
    assert np.all(coef[truth != 0] > 0.3)
    assert (coef[truth == 0] == 0).mean() > 0.5
    assert np.abs(coef[truth == 0]).max() < 0.4
    predicted = np.asarray(model.predict(X))
    assert predicted.min() >= 0 and predicted.max() <= 1
    assert all(np.corrcoef(p, y)[0, 1] > 0.6 for p, y in zip(predicted.T, Y.T, strict=True))


def test_constant_voxels_and_targets():
    X, Y, _ = (values.copy() for values in logistic_problem())
    X[:, 3], Y[:, 1] = 0.1, 1.0
    model = sparse_logistic(X, Y)
    assert np.all(np.asarray(model.coef)[3] == 0) and np.all(np.isfinite(model.coef))
    assert np.asarray(model.predict(X))[:, 1].min() > 0.95


def test_real_recording(miyawaki):
    X, Y = miyawaki[0], miyawaki[1][:, 11:89:20]
    selected = np.asarray(select(f_test(X, Y), 40))
    coef = np.asarray(sparse_logistic(X, Y, selected, max_iter=20).coef)
    for t in range(Y.shape[1]):
        own = X[:, selected[t]].astype(np.float64)
        theirs, _, _ = variational(own, Y[:, t].astype(np.float64), 1, 20, 1e-3)
        np.testing.assert_allclose(coef[selected[t], t], theirs, atol=1e-3)


@pytest.mark.usefixtures("as_accelerators")
def test_blocks_and_devices_do_not_change_the_answer():
    X, Y, _ = logistic_problem()
    whole = sparse_logistic(X, Y)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    for options in ({"block": 2}, {"mesh": mesh}):
        part = sparse_logistic(X, Y, **options)
        np.testing.assert_allclose(part.coef, whole.coef, atol=1e-4)


def test_refusals():
    X, Y, _ = logistic_problem()
    with pytest.raises(InputError, match="Y goes from"):
        sparse_logistic(X, Y * 2)
    with pytest.raises(InputError, match="trials has shape"):
        sparse_logistic(X, Y, trials=np.ones(3))
    for trials in (0, -1, np.array([1, 1, 0, 1, 1]), np.nan):
        with pytest.raises(InputError, match="expected positive counts"):
            sparse_logistic(X, Y, trials=trials)
    Y[4, 1] = np.nan
    with pytest.raises(InputError, match="Y holds 1 NaN or infinite .* row 4, column 1"):
        sparse_logistic(X, Y)
