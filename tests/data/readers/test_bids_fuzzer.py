"""Random BIDS trees: each equals a straightforward reading of its names and JSONs, or is rejected.

python -m tests.data.readers.test_bids_fuzzer 10000    # as many trees as one likes
"""

import collections
import sys

RESULTS: collections.Counter[str] = collections.Counter()


def run(examples: int, derandomize: bool = True) -> None:
    """Examines about so many trees, equally many of each mutation; if random, counts aloud."""
    # Imported by the one worker that gets this test: it takes seconds.
    from hypothesis import HealthCheck, given, settings

    from tests.data.readers.bids_fuzzer import MUTATIONS, examine, trees

    def fuzz(tree: dict) -> None:
        RESULTS[examine(tree)] += 1

    RESULTS.clear()
    options = settings(
        max_examples=-(-examples // len(MUTATIONS)),
        deadline=None,
        derandomize=derandomize,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    for mutation in MUTATIONS:
        options(given(tree=trees(mutation))(fuzz))()
        if not derandomize:
            print(mutation, dict(RESULTS), flush=True)


def test_trees_are_read_as_bids_has_it_or_rejected() -> None:
    run(62)
    assert RESULTS["equal"] >= 15 and RESULTS["rejected"] >= 10


if __name__ == "__main__":
    run(int(sys.argv[1]), derandomize=False)
