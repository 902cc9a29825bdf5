"""Alternating measurement in one process: wall time, processor time, page faults."""

import dataclasses
import resource
import statistics
import time
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import torch

WARM_UP = 3  # rounds before the first that counts
MATRIX = 2048  # rows of the square matrices whose product measures the peak


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


def cost_of(run: Callable[[], object]) -> Cost:
    """Runs once; `run` must wait for its own result."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    run()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, used, after.ru_minflt - before.ru_minflt)


def alternate(
    contenders: Mapping[str, Callable[[], object]], repeats: int
) -> dict[str, list[Cost]]:
    """Each contender in turn, `repeats` times, after some rounds that do not count.

    Those rounds settle where in the kept memory each contender's arrays lie: until then a run takes
    pages from the kernel, as the first steps of a training do, too.
    """
    for run in (*contenders.values(),) * WARM_UP:
        run()
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            costs[name].append(cost_of(run))
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


def matrix_peak(repeats: int = 8) -> float:
    """FLOP/s of the better of JAX's and PyTorch's float32 matrix product, best of the repeats."""
    a = jnp.ones((MATRIX, MATRIX))
    b = torch.ones(MATRIX, MATRIX)
    product = jax.jit(jnp.matmul)
    runs = (lambda: product(a, a).block_until_ready(), lambda: b @ b)
    best = min(cost_of(run).wall for _ in range(repeats) for run in runs)
    return 2 * MATRIX**3 / best
