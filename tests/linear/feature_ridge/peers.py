"""fastl2lir's formulas in float64 NumPy, and problems with repeated trials."""

import numpy as np


def problem(stimuli=16, repeats=3, voxels=40, units=7, seed=0, noise=1.0, offset=0.0):
    """X (trials, voxels) in random order, Y (stimuli, units), stimulus (trials,)."""
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((stimuli, 6))
    stimulus = rng.permutation(np.repeat(np.arange(stimuli), repeats))
    X = latent[stimulus] @ rng.standard_normal((6, voxels))
    X = offset + X + noise * rng.standard_normal(X.shape)
    Y = 2 + latent @ rng.standard_normal((6, units)) + 0.3 * rng.standard_normal((stimuli, units))
    return X.astype(np.float32), Y.astype(np.float32), stimulus


def fastl2lir(X, Y, alpha, n_feat):
    """W (voxels, units), b (units,) by PyFastL2LiR's README and code (0.11), trial by trial."""
    X, Y = np.asarray(X, np.float64), np.asarray(Y, np.float64)
    voxels = X.shape[1]
    ones = np.hstack([X, np.ones((len(X), 1))])
    W, b = np.zeros((voxels, Y.shape[1])), np.zeros(Y.shape[1])
    centred = X - X.mean(0)
    length = np.linalg.norm(centred, axis=0)
    for unit, y in enumerate(Y.T):
        chosen = np.arange(voxels)
        if n_feat < voxels:
            r = np.where(length > 0, np.abs(centred.T @ y) / np.maximum(length, 1e-9), 0)
            chosen = np.argsort(r, kind="stable")[voxels - n_feat :]
        own = ones[:, [*chosen, voxels]]
        found = np.linalg.solve(own.T @ own + alpha * np.eye(len(own.T)), own.T @ y)
        W[chosen, unit], b[unit] = found[:-1], found[-1]
    return W, b


def dense(model, voxels):
    """(coef (voxels, units), intercept (units,)) of a sparse fit."""
    coef, intercept = model.dense(voxels)
    return np.asarray(coef), np.asarray(intercept)
