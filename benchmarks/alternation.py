"""Two sides that do the same work in turn, and the ratio of their times."""

import statistics
import time
from collections.abc import Callable
from typing import Any


def compare(ours: Callable[[], Any], theirs: Callable[[], Any], peer: str, repeats: int) -> None:
    """Runs both in turn and prints the times of each round, then the median ratios.

    Args:
        ours: the work of this package, compiled.
        theirs: the same work of the peer.
        peer: its name.
        repeats: rounds.
    """
    ratios: list[tuple[float, float]] = []
    for _ in range(repeats):
        (mine, my_cpu), (other, other_cpu) = seconds(ours), seconds(theirs)
        ratios.append((other / mine, other_cpu / my_cpu))
        print(f"  ours {mine:.2f} s ({my_cpu:.2f} of processor), {peer} {other:.2f} s "
              f"({other_cpu:.2f})")  # fmt: skip
    for name, each in zip(("time", "processor time"), zip(*ratios, strict=True), strict=True):
        low, high = min(each), max(each)
        print(f"{peer} / ours, {name}: {statistics.median(each):.2f} ({low:.2f} to {high:.2f})")


def seconds(run: Callable[[], Any]) -> tuple[float, float]:
    """Of the wall clock, and of the processor in all threads."""
    begun, busy = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - begun, time.process_time() - busy
