"""Feature decoding: ridge from voxels to units, beside fastl2lir and himalaya, in alternation.

    python -m benchmarks.feature_decoding --peers ENV/bin/python         # 500 voxels per unit
    python -m benchmarks.feature_decoding --peers ENV/bin/python --all-voxels [--choose]
    python -m benchmarks.feature_decoding --conv1-1     # only ours: memory for 3.2 million units

ENV is an environment of its own with the peers (fastl2lir 0.11 needs NumPy < 2.3):

    python -m venv ENV && ENV/bin/pip install "numpy<2.3" fastl2lir himalaya scikit-learn

The size is that of Shen et al. (2019): 6,000 trials of 1,200 images, 11,726 voxels, 500 of them per
unit, penalty 100, float32 on both sides. fastl2lir computes the Gram matrix in every call, of which
the published pipeline makes one per channel (196 units in conv5, 50,176 in conv1); ours once per
subject. So two ratios are printed: of its whole call, and of its loop over units alone, without
Gram matrix and correlations (ours with correlations). All data are random, and what both sides
computed is compared.
"""

import argparse
import pathlib
import resource
import subprocess
import tempfile
import time

import jax
import numpy as np

from benchmarks.local_decoders import matrix_peak
from fmri_jax.linear.feature_ridge import Options, fit_layer, fitted, prepare, selected

CONV1_1 = 64 * 224 * 224


def main() -> None:
    options = parse()
    print(f"{jax.devices()[0].device_kind}, {len(jax.devices())} device(s), jax {jax.__version__}")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        options.folder = pathlib.Path(folder)
        X, Y, stimulus, X_test = random_problem(options)
        if options.conv1_1:
            memory(X, Y, stimulus, options)
            return
        peers = Peers(options, {"X": X, "Y": Y, "stimulus": stimulus, "X_test": X_test})
        if options.all_voxels:
            all_voxels(X, Y, stimulus, X_test, peers, options)
        else:
            own_voxels(X, Y, stimulus, peers, options)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peers", help="interpreter that has fastl2lir and himalaya")
    parser.add_argument("--all-voxels", action="store_true", help="beside himalaya")
    parser.add_argument("--choose", action="store_true", help="the penalty, of 13")
    parser.add_argument("--conv1-1", action="store_true", help="memory for 3.2 million units")
    parser.add_argument("--stimuli", type=int, default=1200)
    parser.add_argument("--trials", type=int, default=6000)
    parser.add_argument("--voxels", type=int, default=11726)
    parser.add_argument("--units", type=int, default=8192)
    parser.add_argument("--selected", type=int, default=500, help="voxels per unit")
    parser.add_argument("--peer-units", type=int, default=196, help="in a call of fastl2lir")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alpha", type=float, default=100.0)
    parser.add_argument("--folder", help="for temporary files")
    return parser.parse_args()


def random_problem(options: argparse.Namespace) -> tuple[np.ndarray, ...]:
    """z-scored responses that share 50 latent causes with the units, and trial noise."""
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.standard_normal(shape, dtype=np.float32)  # noqa: E731
    stimulus = rng.permutation(np.arange(options.trials) % options.stimuli)
    latent, mixing = draw(options.stimuli, 50), draw(50, options.voxels)
    X = latent[stimulus] @ mixing / 7 + 2 * draw(options.trials, options.voxels)
    X_test = draw(50, 50) @ mixing / 7 + draw(50, options.voxels)
    Y = latent @ draw(50, options.units) / 7 + draw(options.stimuli, options.units)
    mean, deviation = X.mean(axis=0), X.std(axis=0, ddof=1)
    X, X_test = ((values - mean) / deviation for values in (X, X_test))
    return X, Y - Y.mean(axis=0), stimulus, X_test


class Peers:
    """The peers' interpreter, waiting for orders."""

    def __init__(self, options: argparse.Namespace, arrays: dict[str, np.ndarray]) -> None:
        self.folder = options.folder
        penalties = np.geomspace(1e-3, 1e3, 13) * options.voxels
        more = {"options": np.array([options.alpha, options.selected]), "penalties": penalties}
        for name, array in (arrays | more).items():
            np.save(self.folder / f"{name}.npy", array)
        script = pathlib.Path(__file__).with_name("feature_decoding_peers.py")
        self.process = subprocess.Popen(
            [options.peers, script, self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, order: str) -> np.ndarray:
        """Wall and processor seconds of an order (2,), and of its loop over units (2,)."""
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("seconds"):
                return np.array(line.split()[1:], float)
        raise SystemExit(f"the peers' interpreter failed at {order!r}: run it by hand")

    def result(self, name: str) -> dict[str, np.ndarray]:
        """The arrays that an order has left."""
        with np.load(self.folder / f"{name}.npz") as data:
            return dict(data)


def now() -> np.ndarray:
    """Wall and processor seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def own_voxels(X, Y, stimulus, peers: Peers, options: argparse.Namespace) -> None:
    start, many = now(), options.peer_units
    problem = selected.pose(prepare(X, stimulus), options.selected, options.alpha)
    print(f"once for all units: {(now() - start)[0]:.1f} s", flush=True)
    selected.solve(problem, Y[:, :128])
    ours, theirs = [], []
    for _ in range(options.rounds):
        start = now()
        model = selected.solve(problem, Y)
        ours.append((now() - start) / Y.shape[1])
        theirs.append(peers(f"fastl2lir {many}") / many)
    report("seconds per unit, its loop", "fastl2lir", ours, [both[2:] for both in theirs])
    report(f"seconds per unit, its call with {many} units", "fastl2lir", ours, theirs)
    found = peers.result("fastl2lir")
    coef = np.asarray(model.dense(X.shape[1]).coef[:, :many])
    other = np.any((coef != 0) != (found["W"] != 0), axis=0)
    difference = np.abs(coef - found["W"])[:, ~other].max()
    print(
        f"  largest difference of a coefficient {difference:.1e}; other voxels: {other.sum()} units"
    )
    work = 2 * options.stimuli * options.voxels + options.selected**3 / 3
    floor = work / matrix_peak(np.float32)
    print(f"  on paper {work / 1e6:.0f} MFLOP per unit, {floor * 1e3:.2f} ms at the matrix peak")


def all_voxels(X, Y, stimulus, X_test, peers: Peers, options: argparse.Namespace) -> None:
    order = "himalaya_cv" if options.choose else "himalaya"
    chosen = Options(None, "loo" if options.choose else options.alpha)
    ours, theirs = [], []
    for _ in range(options.rounds):
        start = now()
        model = fitted.fit(prepare(X, stimulus), Y, chosen)
        prediction = np.asarray(model.predict(X_test))
        ours.append(now() - start)
        theirs.append(peers(order))
    report(
        f"fit and predict {Y.shape[1]} units, penalty {model.penalty:.4g}: s", order, ours, theirs
    )
    found = peers.result(order)
    r = np.corrcoef(prediction.ravel(), found["prediction"].ravel())[0, 1]
    difference = np.abs(prediction - found["prediction"]).max()
    print(f"  largest difference of a prediction {difference:.1e}, correlation {r:.6f}")


def report(what: str, peer: str, ours: list[np.ndarray], theirs: list[np.ndarray]) -> None:
    print(f"{what}, median of {len(ours)} rounds:")
    for index, clock in enumerate(("wall", "processor")):
        a, b = (np.array(seconds)[:, index] for seconds in (ours, theirs))
        middle, low, high = (f(b / a) for f in (np.median, np.min, np.max))
        print(f"  {clock}: ours {np.median(a):.4g}, {peer} {np.median(b):.4g}, ", end="")
        print(f"ratio {middle:.3g} (rounds {low:.3g} to {high:.3g})", flush=True)


def memory(X, Y, stimulus, options: argparse.Namespace) -> None:
    """The first blocks of conv1_1; each block takes the same memory."""

    class Enough(Exception):
        pass

    def targets(start: int, stop: int) -> np.ndarray:
        if start >= 3 * fitted.UNITS:
            raise Enough
        return np.resize(Y, (len(Y), stop - start))

    responses = prepare(X, stimulus)
    del X
    try:
        fit_layer(responses, targets, options.folder / "layer", units=CONV1_1)
    except Enough:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{CONV1_1:,} units: peak memory of the process after three blocks {peak:.2f} GiB")


if __name__ == "__main__":
    main()
