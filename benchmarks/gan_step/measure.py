"""Alternating measurement in one process: wall time, processor time, page faults."""

import dataclasses
import resource
import statistics
import time
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import torch

WARM_UP = 3  # rounds before the first that counts
# Seconds before each contender's turn: PyTorch's threads go on spinning for a while after their
# last task, and whatever ran next on as many cores took 4 % longer.
PAUSE = 0.05
MATRIX = {"cpu": 2048, "gpu": 8192}  # rows of the square matrices whose product is the peak

Run = Callable[[int], object]  # takes so many steps, and waits for the last one


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one step took.

    Attributes:
        wall: seconds on the clock, which other people's work on the machine lengthens.
        processor: seconds of processor time over all threads, which it lengthens much less.
        faults: pages that the kernel had to hand out.
    """

    wall: float
    processor: float
    faults: int


def cost_of(run: Run, steps: int = 1) -> Cost:
    """What each of some steps took; between them the host need not wait for the device."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    run(steps)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall / steps, used / steps, (after.ru_minflt - before.ru_minflt) // steps)


def alternate(contenders: Mapping[str, Run], repeats: int, steps: int = 1) -> dict[str, list[Cost]]:
    """Each contender in turn and after a pause, `repeats` times; first, rounds that do not count.

    Those rounds settle where in the kept memory each contender's arrays lie: until then a run takes
    pages from the kernel, as the first steps of a training do, too.
    """
    for run in (*contenders.values(),) * WARM_UP:
        run(1)
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            time.sleep(PAUSE)
            costs[name].append(cost_of(run, steps))
    return costs


def ratio(ours: list[Cost], theirs: list[Cost], what: str) -> str:
    """Ratio of the best rounds; then the median, smallest and largest ratio within a round."""
    mine, other = ([getattr(cost, what) for cost in costs] for costs in (ours, theirs))
    rounds = [a / b for a, b in zip(mine, other, strict=True)]
    return (
        f"{min(mine) / min(other):.2f} of the best, median of rounds "
        f"{statistics.median(rounds):.2f} ({min(rounds):.2f} to {max(rounds):.2f})"
    )


def best_and_median(costs: list[Cost], what: str) -> tuple[float, float]:
    values = [getattr(cost, what) for cost in costs]
    return min(values), statistics.median(values)


def matrix_peak(dtype: str, device: str, repeats: int = 8) -> float:
    """FLOP/s of the better of JAX's and PyTorch's matrix product, best of the repeats."""
    rows = MATRIX[jax.default_backend()]
    values = np.random.default_rng(0).standard_normal((rows, rows), np.float32)
    a, b = jnp.asarray(values, dtype), torch.tensor(values, device=device).to(getattr(torch, dtype))
    product = jax.jit(jnp.matmul)

    def ours(steps: int) -> None:
        for _ in range(steps):
            c = product(a, a)
        c.block_until_ready()

    def theirs(steps: int) -> None:
        for _ in range(steps):
            b @ b
        wait(device)

    steps = 1 if device == "cpu" else 20
    best = min(cost_of(run, steps).wall for _ in range(repeats) for run in (ours, theirs))
    return 2 * rows**3 / best


def wait(device: str) -> None:
    """Until PyTorch's device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
