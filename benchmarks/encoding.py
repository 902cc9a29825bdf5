"""Banded ridge with random search beside himalaya's, the same candidates, penalties and folds.

Both run in turn in one process; proved first: the same errors of left-out stimuli. himalaya's BLAS
gets one thread, which on a machine with other work is faster than two that wait for each other.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from himalaya.kernel_ridge import solve_multiple_kernel_ridge_random_search
from sklearn.model_selection import PredefinedSplit
from threadpoolctl import threadpool_limits

from fmri_jax.encoding import banded_ridge
from fmri_jax.linear.penalties import PENALTIES


def problem(stimuli: int, voxels: int, bands: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernels of random features, and responses made of them with as much noise."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(bands, stimuli, 300))
    features -= features.mean(axis=1, keepdims=True)
    weights = rng.dirichlet(np.full(bands, 0.3), voxels).T[:, None] * rng.normal(
        size=(bands, 300, voxels)
    )
    signal = np.einsum("bnf,bfv->nv", features, weights) / 3
    responses = signal + signal.std() * rng.normal(size=signal.shape)
    kernels = np.einsum("bnf,bmf->bnm", features, features) / 300
    return kernels.astype(np.float32), responses.astype(np.float32)


def timed(solve: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall time, processor time, and what `solve` returns."""
    wall, processor = time.perf_counter(), time.process_time()
    found = solve()
    return time.perf_counter() - wall, time.process_time() - processor, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stimuli", type=int, default=600)
    parser.add_argument("--voxels", type=int, default=1000)
    parser.add_argument("--bands", type=int, default=5)
    parser.add_argument("--candidates", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    kernels, responses = problem(given.stimuli, given.voxels, given.bands)
    weights = banded_ridge.candidate_weights(given.bands, given.candidates, seed=0)
    alphas, folds = np.asarray(PENALTIES, np.float32), np.arange(given.stimuli) % 5

    def ours() -> np.ndarray:
        found = banded_ridge.search(kernels, responses, weights, alphas, folds)
        return np.asarray(jax.block_until_ready(found).errors)

    def theirs() -> np.ndarray:
        with threadpool_limits(1, "blas"):
            _, _, scores, _ = solve_multiple_kernel_ridge_random_search(
                kernels,
                responses,
                n_iter=weights,
                alphas=alphas,
                cv=PredefinedSplit(folds),
                fit_intercept=True,
                return_weights="dual",
                n_alphas_batch=1,
                progress_bar=False,
            )
        return -scores.max(axis=0)

    np.testing.assert_allclose(ours(), theirs(), rtol=1e-2)  # float32; and compiles
    for _ in range(given.rounds):
        wall, processor, _ = timed(ours)
        their_wall, their_processor, _ = timed(theirs)
        print(
            f"ours {wall:.1f} s ({processor:.1f} of processor time), himalaya {their_wall:.1f} "
            f"({their_processor:.1f}): {wall / their_wall:.2f}, {processor / their_processor:.2f}"
        )


if __name__ == "__main__":
    main()
