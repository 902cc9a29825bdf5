"""Identification: is a reconstruction more like its own image than like others?

Similarity is the Pearson correlation of flattened images (or of network activations). Everything
is read off one summary of each reconstruction, its `Ranks`: how many other images it resembles
less than its own, and how many just as much. Images equal to the own one (other trials of the same
stimulus, or the own image among the training images) are never distractors. A tie counts half in
pairs; in general, tied images are taken in random order.

Pairwise identification alone flatters: decoding only which of k categories was seen already scores
1 - 1/(2k). 10-way and against-every-training-image identification show what it hides.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import in_blocks, matmul
from fmri_jax.errors import InputError
from fmri_jax.evaluation.images import as_images, as_pair, image_ids
from fmri_jax.evaluation.metrics import unit_rows

Array = np.ndarray | jax.Array

# Correlations closer than this are tied: float32 rounding reaches some 1e-7.
TIE = 1e-6


class Ranks(NamedTuple):
    """How the own image of each reconstruction stands among its distractors; (n,) each."""

    below: Array  # distractors that are less similar than the own image
    tied: Array  # distractors that are exactly as similar
    distractors: Array  # all distractors


def ranks(targets: Any, reconstructions: Any, candidates: Any = None, block: int = 256) -> Ranks:
    """Ranks the own image of each reconstruction among candidate images.

    Args:
        targets: (n, height, width, channels), the own images; rows may repeat.
        reconstructions: the same shape.
        candidates: (m, height, width, channels) the images to tell the own one from; by default
            the distinct targets. Images equal to the own one are left out for that row.
        block: reconstructions compared at a time, which bounds memory.

    Returns:
        Ranks of (n,) int arrays.

    Raises:
        InputError: shapes do not match, or values are outside [0, 1].
    """
    targets, reconstructions = as_pair(targets, reconstructions)
    candidates = targets if candidates is None else as_images(candidates, "candidates")
    if candidates.shape[1:] != targets.shape[1:]:
        raise InputError(
            f"candidates are images of shape {candidates.shape[1:]} and targets of "
            f"{targets.shape[1:]}: expected the same shape."
        )
    own_ids, candidate_ids = image_ids(targets, candidates)
    candidate_ids, first = np.unique(candidate_ids, return_index=True)
    flat_candidates = jax.jit(unit_rows)(candidates[first].reshape(len(first), -1))

    def compare(own: np.ndarray, decoded: np.ndarray, ids: np.ndarray) -> Ranks:
        return block_ranks(own, decoded, ids, flat_candidates, candidate_ids)

    n = len(targets)
    rows = (targets.reshape(n, -1), reconstructions.reshape(n, -1), own_ids)
    return in_blocks(compare, rows, min(block, n))


def similarity(candidates: Any, reconstructions: Any, block: int = 256) -> np.ndarray:
    """Correlation of every reconstruction with every candidate image.

    Args:
        candidates: (m, height, width, channels) in [0, 1].
        reconstructions: (n, height, width, channels) in [0, 1].
        block: reconstructions compared at a time.

    Returns:
        (n, m) float32 in [-1, 1].
    """
    candidates = as_images(candidates, "candidates")
    reconstructions = as_images(reconstructions, "reconstructions")
    n, m = len(reconstructions), len(candidates)
    unit_candidates = jax.jit(unit_rows)(candidates.reshape(m, -1))
    return in_blocks(
        lambda rows: _correlate(rows, unit_candidates),
        (reconstructions.reshape(n, -1),),
        min(block, n),
    )


@jax.jit
def _correlate(rows: jax.Array, unit_candidates: jax.Array) -> jax.Array:
    return matmul(unit_rows(rows), unit_candidates.T)


@jax.jit
def block_ranks(
    own: Array,
    decoded: Array,
    own_ids: Array,
    unit_candidates: Array,
    candidate_ids: Array,
) -> Ranks:
    """Ranks one block of rows of features (pixels or activations).

    Args:
        own: (rows, features) of the own images.
        decoded: (rows, features) of the reconstructions.
        own_ids: (rows,) which image is the own one.
        unit_candidates: (m, features), centred and of unit length (`unit_rows`).
        candidate_ids: (m,) which image each candidate is.

    Returns:
        Ranks of (rows,) int32 arrays.
    """
    unit_decoded = unit_rows(decoded)
    with_own = jnp.sum(unit_decoded * unit_rows(own), axis=1, keepdims=True)
    with_candidates = matmul(unit_decoded, unit_candidates.T)
    other = own_ids[:, None] != candidate_ids[None, :]
    lead = with_own - with_candidates
    return Ranks(
        below=jnp.sum(other & (lead > TIE), axis=1, dtype=jnp.int32),
        tied=jnp.sum(other & (jnp.abs(lead) <= TIE), axis=1, dtype=jnp.int32),
        distractors=jnp.sum(other, axis=1, dtype=jnp.int32),
    )


def pairwise(ranked: Ranks) -> np.ndarray:
    """Two-way identification: how often the own image wins against one random distractor.

    (below + tied / 2) / distractors, (n,); chance is 1/2. Also the percentile rank of the own
    image among its distractors.
    """
    return n_way(ranked, 2)


def n_way(ranked: Ranks, n: int) -> np.ndarray:
    """Probability that the own image wins against n - 1 distractors drawn at random.

    Exact, where the field samples: with b distractors below, t tied and D in all, the own image
    comes i-th among the tied with probability 1 / (t + 1) and then wins if all n - 1 are drawn
    from the b + i below it:

        P = 1/(t+1) sum_{i=0..t} C(b+i, n-1) / C(D, n-1)
          = [C(b+t+1, n) - C(b, n)] / [(t+1) C(D, n-1)]          (hockey-stick identity)

    Args:
        ranked: ranks of (rows,) arrays.
        n: how many images there are to choose from, the own one included.

    Returns:
        (rows,) float64 in [0, 1]; chance is 1/n.

    Raises:
        InputError: n is below 2 or some row has fewer than n - 1 distractors.
    """
    below, tied, distractors = (np.asarray(part, np.float64) for part in ranked)
    if n < 2 or distractors.min() < n - 1:
        raise InputError(
            f"{n}-way identification found {int(distractors.min())} other images to choose from: "
            f"expected at least {max(n - 1, 1)}; score more stimuli or choose a smaller n."
        )

    def drawn_from(pool: np.ndarray) -> np.ndarray:
        """C(pool, n-1) / C(distractors, n-1), factor by factor so that nothing overflows."""
        steps = np.arange(n - 1)
        factors = np.maximum(pool[:, None] - steps, 0) / (distractors[:, None] - steps)
        return factors.prod(axis=1)

    # C(a, n) = a / n * C(a - 1, n - 1)
    total = (below + tied + 1) * drawn_from(below + tied) - below * drawn_from(below - 1)
    return total / (n * (tied + 1))


def against_all(ranked: Ranks) -> np.ndarray:
    """Probability that the own image wins against every distractor at once (top-1).

    1 where all are below it (or there are none), 1 / (tied + 1) where some are tied and none is
    above, else 0; chance is 1 / (distractors + 1). This is `identification_vs_train` when the
    candidates are the training images: a method that only picks its output near training images,
    or only decodes a category, collapses here. `pairwise` of the same ranks is the percentile rank.

    Returns:
        (n,) float64 in [0, 1].
    """
    below, tied, distractors = (np.asarray(part, np.float64) for part in ranked)
    return np.where(below + tied == distractors, 1 / (tied + 1), 0.0)
