"""Random BIDS trees: each equals a straightforward reading of its names and JSONs, or is rejected.

python -m tests.data.readers.test_bids_fuzzer 10000    # as many trees as one likes
"""

import collections
import sys

from hypothesis import HealthCheck, given, settings

from tests.data.readers.bids_fuzzer import examine, trees

RESULTS: collections.Counter[str] = collections.Counter()


def fuzz(tree: dict) -> None:
    RESULTS[examine(tree)] += 1


def run(examples: int, derandomize: bool = True) -> None:
    RESULTS.clear()
    checks = list(HealthCheck)
    options = settings(
        max_examples=examples,
        deadline=None,
        derandomize=derandomize,
        database=None,
        suppress_health_check=checks,
    )
    options(given(tree=trees())(fuzz))()


def test_trees_are_read_as_bids_has_it_or_rejected() -> None:
    run(60)
    assert RESULTS["equal"] >= 10 and RESULTS["rejected"] >= 10


if __name__ == "__main__":
    run(int(sys.argv[1]), derandomize=False)
    print(dict(RESULTS))
