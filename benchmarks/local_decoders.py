"""Local decoders: this package beside scikit-learn, in one process and in alternation.

    python -m benchmarks.local_decoders                  # nilearn's size: OMP and Bayesian ridge
    python -m benchmarks.local_decoders --targets 36     # a quick look at fewer targets
    python -m benchmarks.local_decoders --large          # 50,000 voxels x 10,000 targets, only ours

scikit-learn fits one target after another, as nilearn's Miyawaki example does. Its targets are
split into as many parts as there are repeats, and ours runs once before each part, so that both see
the same machine. Every figure printed was measured in this run; nothing is extrapolated. All data
are random. Ours computes in float32. scikit-learn gets float64, NumPy's default, unless
`--peer-dtype float32` is given, with which its OMP pipeline is about three times faster.
"""

import argparse
import resource
import statistics
import time
import warnings
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.linear import LinearModel, bayesian_ridge, fit_selected, fit_selected_sparse
from fmri_jax.linear.matching_pursuit.candidates_gram import AHEAD, worthwhile


def main() -> None:
    options = parse()
    print(f"{jax.devices()[0].device_kind}, {len(jax.devices())} device(s), jax {jax.__version__}")
    if options.large:
        large(options)
        return
    X, Y = random_problem(options.samples, options.voxels, options.targets)
    print(f"{X.shape[0]} trials, {X.shape[1]} voxels, {Y.shape[1]} targets of random numbers;")
    print(f"ours in float32, scikit-learn in {options.peer_dtype}")
    chosen = ("omp", "bayesian") if options.solver == "all" else (options.solver,)
    if "omp" in chosen:
        omp_pipeline(X, Y, options)
    if "bayesian" in chosen:
        shared_bayesian_ridge(X[:, : options.selected], Y, options)
    if "own" in chosen:
        own_bayesian_ridge(X, Y, options)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--solver", choices=("all", "omp", "bayesian", "own"), default="all")
    parser.add_argument("--samples", type=int, default=1320, help="trials")
    parser.add_argument("--voxels", type=int, default=5438)
    parser.add_argument("--targets", type=int, default=361, help="decoders")
    parser.add_argument("--selected", type=int, default=500, help="voxels a decoder, by F-test")
    parser.add_argument("--atoms", type=int, default=10, help="nonzero coefficients of OMP")
    parser.add_argument("--repeats", type=int, default=6, help="of ours; parts of scikit-learn")
    parser.add_argument("--peer-dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--large", action="store_true", help="50,000 voxels x 10,000 targets")
    return parser.parse_args()


def omp_pipeline(X: np.ndarray, Y: np.ndarray, options: argparse.Namespace) -> None:
    from sklearn.feature_selection import SelectKBest, f_regression
    from sklearn.linear_model import OrthogonalMatchingPursuit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    peer_X = X.astype(options.peer_dtype)

    def ours() -> LinearModel:
        return fit_selected(X, Y, "omp", options.selected, n_nonzero=options.atoms)

    def theirs(target: np.ndarray) -> np.ndarray:
        pipeline = make_pipeline(
            SelectKBest(f_regression, k=options.selected),
            StandardScaler(),
            OrthogonalMatchingPursuit(n_nonzero_coefs=options.atoms),
        ).fit(peer_X, target)
        coef = np.zeros(X.shape[1])
        coef[pipeline[0].get_support()] = pipeline[2].coef_ / pipeline[1].scale_
        return coef

    print(f"\nF-test {options.selected}, standardise, OMP {options.atoms}:")
    seconds = compare(ours, theirs, Y.astype(options.peer_dtype), options.repeats)
    omp_on_paper(X.shape, Y.shape[1], options, seconds)


def shared_bayesian_ridge(X: np.ndarray, Y: np.ndarray, options: argparse.Namespace) -> None:
    from sklearn.linear_model import BayesianRidge

    peer_X = X.astype(options.peer_dtype)
    print(f"\nBayesian ridge on {X.shape[1]} voxels that all decoders share:")
    compare(
        lambda: bayesian_ridge(X, Y),
        lambda target: BayesianRidge().fit(peer_X, target).coef_,
        Y.astype(options.peer_dtype),
        options.repeats,
    )


def own_bayesian_ridge(X: np.ndarray, Y: np.ndarray, options: argparse.Namespace) -> None:
    from sklearn.feature_selection import SelectKBest, f_regression
    from sklearn.linear_model import BayesianRidge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    peer_X = X.astype(options.peer_dtype)

    def theirs(target: np.ndarray) -> np.ndarray:
        pipeline = make_pipeline(
            SelectKBest(f_regression, k=options.selected), StandardScaler(), BayesianRidge()
        ).fit(peer_X, target)
        coef = np.zeros(X.shape[1])
        coef[pipeline[0].get_support()] = pipeline[2].coef_ / pipeline[1].scale_
        return coef

    print(f"\nF-test {options.selected}, standardise, Bayesian ridge on each decoder's own voxels:")
    compare(
        lambda: fit_selected(X, Y, "bayesian_ridge", options.selected),
        theirs,
        Y.astype(options.peer_dtype),
        options.repeats,
    )


def compare(
    ours: Callable[[], LinearModel],
    theirs: Callable[[np.ndarray], np.ndarray],
    Y: np.ndarray,
    repeats: int,
) -> float:
    """Prints both times, their ratio, the memory and the agreement; returns our median seconds."""
    start = time.perf_counter()
    model = jax.block_until_ready(ours())
    first = time.perf_counter() - start
    jax.block_until_ready(ours())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    our_seconds, our_work, their_seconds, their_work, coef = [], [], 0.0, 0.0, []
    for part in np.array_split(np.arange(Y.shape[1]), repeats):
        start, work = time.perf_counter(), time.process_time()
        jax.block_until_ready(ours())
        our_seconds.append(time.perf_counter() - start)
        our_work.append(time.process_time() - work)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start, work = time.perf_counter(), time.process_time()
            coef += [theirs(Y[:, t]) for t in part]
            their_seconds += time.perf_counter() - start
            their_work += time.process_time() - work
    median = statistics.median(our_seconds)
    peer = np.stack(coef, axis=1)
    difference = np.abs(np.asarray(model.coef) - peer).max()
    other = np.any((np.asarray(model.coef) != 0) != (peer != 0), axis=0).sum()
    print(f"  compile {first - median:8.2f} s (first call less a median run)")
    print(f"  ours    {median:8.3f} s (median of {repeats}: {spread(our_seconds)})")
    print(f"  sklearn {their_seconds:8.1f} s (all {Y.shape[1]} targets)")
    print(
        f"  ratio   {their_seconds / median:8.0f} "
        f"({their_seconds / max(our_seconds):.0f} to {their_seconds / min(our_seconds):.0f})"
    )
    work = statistics.median(our_work)
    print(
        f"  processor time, all cores: ours {work:.3f} s, scikit-learn {their_work:.1f} s, "
        f"ratio {their_work / work:.0f}"
    )
    print(f"  peak memory of the process before scikit-learn ran: {memory:.2f} GiB")
    print(
        f"  largest difference of a coefficient {difference:.1e}; other supports: {other} targets"
    )
    return median


def omp_on_paper(
    shape: tuple[int, int], targets: int, options: argparse.Namespace, seconds: float
) -> None:
    """FLOPs that the algorithm needs, beside what it took."""
    n, p = shape
    product, peak = 2 * n * p * targets, matrix_peak(jnp.float32)
    peaks = f"{peak / 1e9:.0f} GFLOP/s float32"
    if worthwhile(p, options.selected):
        rest = 2 * n * options.selected * AHEAD * targets
        floor = (product + rest) / peak
        what = f"one product and {AHEAD} Gram columns per target, without those not foreseen"
    else:
        coarse = matrix_peak(jnp.bfloat16)
        rest = (options.atoms - 1) * product
        floor = product / peak + rest / coarse
        peaks += f", {coarse / 1e9:.0f} bfloat16"
        what = f"{options.atoms} products, one float32, the rest bfloat16"
    print(f"  on paper {(product + rest) / 1e9:.1f} GFLOP: {what};")
    print(
        f"  at the matrix peaks measured ({peaks}) it takes {floor:.3f} s, {floor / seconds:.0%} "
        "of the run"
    )


def matrix_peak(dtype: jnp.dtype, size: int = 2048) -> float:
    """FLOP/s of the best of five square matrix products."""
    a = jnp.asarray(np.random.default_rng(0).standard_normal((size, size)), dtype)
    product = jax.jit(lambda a: jnp.matmul(a, a, preferred_element_type=jnp.float32))
    product(a).block_until_ready()
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        product(a).block_until_ready()
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def large(options: argparse.Namespace) -> None:
    """More targets than fit at once, in blocks and with sparse coefficients."""
    X, Y = random_problem(options.samples, 50_000, 10_000)
    start = time.perf_counter()
    model = jax.block_until_ready(
        fit_selected_sparse(X, Y, "omp", options.selected, n_nonzero=options.atoms)
    )
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{X.shape[1]} voxels x {Y.shape[1]} targets, {X.shape[0]} trials: {seconds:.1f} s with")
    print(f"compilation, peak memory {memory:.2f} GiB,")
    print(
        f"coefficients {model.values.shape}, all finite: {bool(jnp.isfinite(model.values).all())}"
    )


def random_problem(samples: int, voxels: int, targets: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((samples, voxels), dtype=np.float32)
    return X, rng.standard_normal((samples, targets), dtype=np.float32)


def spread(values: list[float]) -> str:
    return f"{min(values):.3f} to {max(values):.3f}"


if __name__ == "__main__":
    main()
