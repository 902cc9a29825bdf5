"""The other side of `benchmarks.feature_decoding`, run by an interpreter that has the peers.

Reads the problem's folder from the command line, then one order per line: `fastl2lir UNITS`,
`himalaya`, `himalaya_cv`; answers each with its wall and processor seconds, of all and of its loop
over units, and leaves the result in the folder.
"""

import pathlib
import sys
import time
from collections.abc import Iterator

import numpy as np


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    X, Y, stimulus, X_test = (
        np.load(folder / f"{name}.npy") for name in ("X", "Y", "stimulus", "X_test")
    )
    alpha, k = np.load(folder / "options.npy")
    for line in sys.stdin:
        name, *arguments = line.split()
        clock = Clock()
        if name == "fastl2lir":
            result = fastl2lir(X, Y[stimulus, : int(arguments[0])], alpha, int(k), clock)
        else:
            result = himalaya(X, Y[stimulus], X_test, alpha, stimulus, name == "himalaya_cv")
        whole = now() - clock.start
        np.savez(folder / f"{name}.npz", **result)
        print("seconds", *whole, *clock.in_loop, flush=True)


class Clock:
    """Wall and processor seconds since its making, and of the last loop it ran."""

    def __init__(self) -> None:
        self.start, self.in_loop = now(), np.zeros(2)

    def loop(self, values: range) -> Iterator[int]:
        """Times a loop over values."""
        start = now()
        yield from values
        self.in_loop = now() - start


def now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def fastl2lir(X: np.ndarray, Y: np.ndarray, alpha: float, k: int, clock: Clock) -> dict:
    import fastl2lir.fastl2lir

    # Its progress bar goes over the units.
    fastl2lir.fastl2lir.tqdm = clock.loop
    model = fastl2lir.FastL2LiR()
    model.fit(X, Y, alpha=alpha, n_feat=k, dtype=np.float32)  # as published
    return {"W": model.W, "b": model.b[0]}


def himalaya(
    X: np.ndarray,
    Y: np.ndarray,
    X_test: np.ndarray,
    alpha: float,
    stimulus: np.ndarray,
    choose: bool,
) -> dict:
    from himalaya.kernel_ridge import KernelRidge, KernelRidgeCV
    from sklearn.model_selection import GroupKFold

    mean = Y.mean(axis=0)
    if not choose:
        model = KernelRidge(alpha=alpha).fit(X, Y - mean)
        return {"prediction": model.predict(X_test) + mean}
    folds = list(GroupKFold(5).split(X, groups=stimulus))
    penalties = np.load(pathlib.Path(sys.argv[1]) / "penalties.npy")
    one = {"local_alpha": False}  # penalty for all units
    model = KernelRidgeCV(alphas=penalties, cv=folds, solver_params=one).fit(X, Y - mean)
    return {"prediction": model.predict(X_test) + mean, "alphas": model.best_alphas_}


if __name__ == "__main__":
    main()
