import jax
import numpy as np
import pytest
from sklearn.linear_model import OrthogonalMatchingPursuit

from fmri_jax.errors import InputError
from fmri_jax.linear import fit_selected_sparse, omp, omp_sparse
from fmri_jax.linear.matching_pursuit.candidates_gram import worthwhile
from tests.linear.peers import each_target, same_supports


@pytest.mark.parametrize(
    "options", [{"n_nonzero": 10}, {}, {"tol": 800.0}], ids=["atoms", "default", "tol"]
)
def test_same_supports_and_coefficients(random_problem, options):
    X, Y = random_problem
    coef, intercept = omp(X, Y, **options)
    peer = OrthogonalMatchingPursuit(
        n_nonzero_coefs=options.get("n_nonzero"), tol=options.get("tol")
    )
    theirs, their_intercept = each_target(peer, X, Y)
    assert same_supports(coef, theirs)
    assert len(set((theirs != 0).sum(0))) > 1 or "tol" not in options  # stops differ by target
    np.testing.assert_allclose(coef, theirs, atol=1e-4)
    np.testing.assert_allclose(intercept, their_intercept, atol=1e-3)


def test_no_part_of_it_is_lapacks(random_problem):
    """Whose batches never end where as many programs as XLA has threads solve them at once."""
    X, Y = random_problem
    for solve in (omp_sparse, fit_selected_sparse):
        text = jax.jit(lambda X, Y, solve=solve: solve(X, Y, n_nonzero=10)).lower(X, Y).as_text()
        assert "lapack" not in text


def test_float64(random_problem):
    with jax.enable_x64(True):
        X, Y = (values.astype(np.float64) for values in random_problem)
        coef, intercept = omp(X, Y, 10)
        theirs, their_intercept = each_target(OrthogonalMatchingPursuit(n_nonzero_coefs=10), X, Y)
        assert coef.dtype == np.float64
        assert same_supports(coef, theirs)
        np.testing.assert_allclose(coef, theirs, atol=1e-8)
        np.testing.assert_allclose(intercept, their_intercept, atol=1e-8)


def test_own_features_of_each_target(random_problem):
    X, Y = random_problem
    rng = np.random.default_rng(1)
    selected = np.sort([rng.permutation(X.shape[1])[:20] for _ in range(Y.shape[1])], axis=1)
    coef, _ = omp(X, Y, 5, selected=selected)
    theirs, _ = each_target(OrthogonalMatchingPursuit(n_nonzero_coefs=5), X, Y, selected)
    assert same_supports(coef, theirs)
    np.testing.assert_allclose(coef, theirs, atol=1e-4)


def test_more_voxels_than_trials_on_the_real_recording(miyawaki):
    X, Y = miyawaki
    coef, intercept = omp(X, Y, 10)
    theirs, their_intercept = each_target(OrthogonalMatchingPursuit(n_nonzero_coefs=10), X, Y)
    assert same_supports(coef, theirs)
    np.testing.assert_allclose(coef, theirs, atol=1e-4)
    np.testing.assert_allclose(intercept, their_intercept, atol=1e-4)


def test_near_ties_fall_back_to_full_precision():
    """Atoms that bfloat16 cannot tell apart: proposals alone would choose at random."""
    rng = np.random.default_rng(3)
    base = rng.standard_normal((96, 4))
    X = np.repeat(base, 16, axis=1) + 1e-3 * rng.standard_normal((96, 64))
    Y = base @ rng.standard_normal((4, 5)) + 0.1 * rng.standard_normal((96, 5))
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    coef, _ = omp(X, Y, 4)
    theirs, _ = each_target(OrthogonalMatchingPursuit(n_nonzero_coefs=4), X, Y)
    assert same_supports(coef, theirs)
    bfloat16 = np.asarray(jax.numpy.asarray(X, jax.numpy.bfloat16), np.float32)
    coarse, _ = each_target(OrthogonalMatchingPursuit(n_nonzero_coefs=4), bfloat16, Y)
    assert not same_supports(coarse, theirs)


def test_degenerate_columns_and_targets(random_problem):
    X, Y = (values.copy() for values in random_problem)
    X[:, 3] = 0.1  # not representable: its computed variance is not zero
    X[:, 30] = X[:, 7]
    Y[:, 2] = 5.0
    coef, intercept = (np.asarray(part) for part in omp(X, Y, 10))
    theirs, _ = each_target(OrthogonalMatchingPursuit(n_nonzero_coefs=10), X, Y)
    assert np.all(coef[3] == 0) and np.all(coef[:, 2] == 0) and intercept[2] == 5
    assert np.all(coef[30] == 0)  # of two equal columns the first
    merged = theirs.copy()
    merged[7] += merged[30]
    merged[30] = 0
    others = np.arange(Y.shape[1]) != 2
    np.testing.assert_allclose(coef[:, others], merged[:, others], atol=1e-4)


@pytest.mark.parametrize("ahead", [False, True], ids=["products", "columns"])
def test_of_more_duplicates_than_candidates_the_first_is_taken(ahead):
    """In whatever order the voxels of a target are given."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 400 if ahead else 100)).astype(np.float32)
    X[:, 20:70] = X[:, 20:21]
    Y = X[:, 20:21] + 0.3 * rng.standard_normal((100, 1)).astype(np.float32)
    selected = np.arange(79, -1, -1)[None]
    assert worthwhile(X.shape[1], selected.shape[1]) == ahead
    assert omp_sparse(X, Y, 3, selected=selected).indices[0, 0] == 20
    assert fit_selected_sparse(X, Y, "omp", 80, n_nonzero=3).indices[0, 0] == 20


def test_stops_at_the_rank():
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((40, 3)) @ rng.standard_normal((3, 25))).astype(np.float32)
    Y = rng.standard_normal((40, 4)).astype(np.float32)
    model = omp_sparse(X, Y, 20)
    assert model.indices.shape == (4, 20)
    assert np.all((np.asarray(model.indices) >= 0).sum(1) == 3)
    best = np.linalg.lstsq(X - X.mean(0), Y - Y.mean(0), rcond=1e-5)[0]
    np.testing.assert_allclose(model.predict(X) - Y.mean(0), (X - X.mean(0)) @ best, atol=1e-4)


def test_exact_fit_stops_with_the_true_atoms():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 30)).astype(np.float32)
    truth = np.zeros((30, 3))
    truth[[1, 4, 9], [0, 0, 1]] = [2, -1, 0.5]
    coef, _ = omp(X, (X @ truth).astype(np.float32), 10)
    assert same_supports(np.abs(coef) > 1e-5, truth)
    np.testing.assert_allclose(coef, truth, atol=1e-5)


def test_blocks_and_devices_do_not_change_the_answer(random_problem):
    X, Y = random_problem
    Y = np.concatenate([Y, Y[:, ::-1] ** 2, np.abs(Y)], axis=1)[:, :17]
    whole = omp(X, Y, 4)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    for options in ({"block": 5}, {"mesh": mesh, "block": 2}):
        part = omp(X, Y, 4, **options)
        assert same_supports(part.coef, np.asarray(whole.coef))
        np.testing.assert_allclose(part.coef, whole.coef, atol=1e-6)


def test_sparse_equals_dense_and_works_inside_jit(random_problem):
    X, Y = random_problem
    dense, sparse = omp(X, Y, 10), jax.jit(lambda X, Y: omp_sparse(X, Y, 10))(X, Y)
    np.testing.assert_allclose(sparse.dense(X.shape[1]).coef, dense.coef, atol=1e-6)
    np.testing.assert_allclose(sparse.predict(X), dense.predict(X), atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_nonzero": 0}, "n_nonzero is 0"),
        ({"tol": -1.0}, "tol is -1.0"),
        ({"Y": np.zeros((79, 2))}, "X has 80 samples and Y has 79"),
        ({"Y": np.zeros(80)}, r"Y has shape \(80,\): expected \(samples, targets\)"),
        ({"selected": np.zeros((2, 3), int)}, r"expected \(6, k\)"),
        ({"selected": np.full((6, 3), 60)}, "indices from 0 to 59"),
    ],
)
def test_refusals(random_problem, change, message):
    X, Y = random_problem
    with pytest.raises(InputError, match=message):
        omp(**({"X": X, "Y": Y} | change))


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("unit", [2.0**-110, 2.0**-70, 2.0**70])
def test_the_unit_of_the_features_does_not_matter(random_problem, unit, own):
    X, Y = random_problem
    selected = np.tile(np.arange(20), (Y.shape[1], 1)) if own else None
    expected = np.asarray(omp(X, Y, 5, selected=selected).coef)
    found = np.asarray(omp(np.float32(unit) * X, Y, 5, selected=selected).coef) * unit
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("exponent", [-80, 66, 100])
@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
def test_targets_whose_squares_float32_cannot_hold(random_problem, exponent, own):
    X, Y = random_problem
    selected = np.tile(np.arange(20), (Y.shape[1], 1)) if own else None
    unit = np.float32(2.0**exponent)
    for options in ({"n_nonzero": 10}, {"tol": 0.0}):
        plain = omp(X, Y, selected=selected, **options)
        scaled = omp(X, Y * unit, selected=selected, **options)
        np.testing.assert_array_equal(scaled.coef / unit, plain.coef)
    if not own:
        plain, scaled = (fit_selected_sparse(X, y, "omp", 30) for y in (Y, Y * unit))
        np.testing.assert_array_equal(scaled.indices, plain.indices)
        np.testing.assert_array_equal(scaled.values / unit, plain.values)
