"""The other side of `benchmarks.feature_decoding`, run by an interpreter that has the peers.

Reads the problem's folder from the command line, then one order per line: `fastl2lir UNITS`,
`himalaya`, `himalaya_cv`; answers each with its seconds, and leaves the result in the folder.
"""

import pathlib
import sys
import time

import numpy as np


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    X, Y, stimulus, X_test = (
        np.load(folder / f"{name}.npy") for name in ("X", "Y", "stimulus", "X_test")
    )
    alpha, k = np.load(folder / "options.npy")
    for line in sys.stdin:
        name, *arguments = line.split()
        start = time.perf_counter()
        if name == "fastl2lir":
            result = fastl2lir(X, Y[stimulus, : int(arguments[0])], alpha, int(k))
        else:
            result = himalaya(X, Y[stimulus], X_test, alpha, stimulus, name == "himalaya_cv")
        seconds = time.perf_counter() - start
        np.savez(folder / f"{name}.npz", **result)
        print(f"seconds {seconds}", flush=True)


def fastl2lir(X: np.ndarray, Y: np.ndarray, alpha: float, k: int) -> dict:
    from fastl2lir import FastL2LiR

    model = FastL2LiR()
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
    model = KernelRidgeCV(alphas=penalties, cv=folds).fit(X, Y - mean)
    return {"prediction": model.predict(X_test) + mean, "alphas": model.best_alphas_}


if __name__ == "__main__":
    main()
