"""A random problem, and scikit-learn's answers, one target after another in float64."""

import warnings

import numpy as np
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def problem(seed=0, samples=80, features=60, targets=6):
    """A noisy random linear problem whose features have means and different scales."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((samples, features)) * rng.uniform(0.5, 3, features)
    X = X + rng.normal(0, 5, features)
    Y = X @ (rng.standard_normal((features, targets)) * (rng.random((features, targets)) < 0.2))
    Y = Y + rng.standard_normal((samples, targets)) * Y.std(0)
    return X.astype(np.float32), Y.astype(np.float32)


def each_target(estimator, X, Y, selected=None):
    """(coef (features, targets), intercept (targets,)) of `estimator` fitted to each target."""
    X, Y = np.asarray(X, np.float64), np.asarray(Y, np.float64)
    coef, intercept = np.zeros((X.shape[1], Y.shape[1])), np.zeros(Y.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for t in range(Y.shape[1]):
            own = slice(None) if selected is None else selected[t]
            fitted = estimator.fit(X[:, own], Y[:, t])
            coef[own, t], intercept[t] = fitted.coef_, fitted.intercept_
    return coef, intercept


def each_pipeline(estimator, X, Y, k):
    """The same for F-test, standardisation and estimator, in the units of X."""
    X, Y = np.asarray(X, np.float64), np.asarray(Y, np.float64)
    coef, intercept = np.zeros((X.shape[1], Y.shape[1])), np.zeros(Y.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for t in range(Y.shape[1]):
            pipe = make_pipeline(SelectKBest(f_regression, k=k), StandardScaler(), estimator)
            chosen, scaler, fitted = (step for _, step in pipe.fit(X, Y[:, t]).steps)
            own = chosen.get_support()
            coef[own, t] = fitted.coef_ / scaler.scale_
            intercept[t] = fitted.intercept_ - scaler.mean_ @ coef[own, t]
    return coef, intercept


def same_supports(ours, theirs):
    """Whether both have the same nonzero coefficients."""
    return np.array_equal(np.asarray(ours) != 0, theirs != 0)
