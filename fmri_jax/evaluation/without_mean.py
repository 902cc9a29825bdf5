"""Identification without the mean image, and blind levels that keep the folds.

Where images are left out in turn, the mean of the training images lacks just the image that is to
be identified, and resembles all others: a decoder that knows nothing but this mean identifies far
below 1/2, and a good one is pulled down with it. So the mean of each fold is removed here from both
sides, the reconstruction and the candidates. It is removed by regression, not by subtraction: what
subtraction leaves of an all-black answer is the negative mean, which points at the image left out
every time.

What a decoder without information scores is found by exchanging the answers: what each
reconstruction adds to the mean of its fold is laid upon the mean of another image's fold, and asked
for that image.
"""

import functools
import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.evaluation.identification import TIE
from fmri_jax.evaluation.images import as_images, as_pair, image_ids

FLAT = 1e-5  # largest deviation, of pixels in [0, 1], that is still the mean image itself


class BlindTest(NamedTuple):
    """An identification score beside what a decoder without information reaches."""

    value: float  # observed
    level: float  # of a blind decoder: the mean over exchanged answers
    p: float  # share of exchanges, the observed one included, with at least `value`; one-sided
    units: int  # independent stimuli or groups, which are exchanged as a whole


def identification_without_mean(targets: Any, reconstructions: Any, means: Any) -> np.ndarray:
    """Pairwise identification with the mean of the fold's training images removed.

    The similarity is the partial correlation of reconstruction and candidate over pixels, given the
    mean image. A reconstruction that is a multiple of the mean, or constant, is tied with all.

    Args:
        targets: (n, height, width, channels) in [0, 1]; equal images are one candidate.
        reconstructions: the same shape.
        means: the same shape, the mean training image of each row's fold.

    Returns:
        (n,) share of the other images that are less similar than the own one, ties counting half;
        1/2 without information, whatever is left out.

    Raises:
        InputError: shapes do not match, or all targets are the same image.
    """
    own, found = similarities(targets, reconstructions, means)
    lead = found[np.arange(len(own)), own][:, None] - found
    won = np.sum(lead > 0, axis=1) + (np.sum(lead == 0, axis=1) - 1) / 2
    return np.asarray(won / (found.shape[1] - 1), np.float64)


def similarities(
    targets: Any, reconstructions: Any, means: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """The image of each row, and the similarity of each row to every image, means removed.

    Args:
        targets: (n, height, width, channels) in [0, 1]; equal images are one candidate.
        reconstructions: the same shape.
        means: the same shape, the mean training image of each row's fold; None: none is removed.

    Returns:
        (n,) index of the own image, and (n, images) partial correlations in units of `TIE`.

    Raises:
        InputError: shapes do not match, or all targets are the same image.
    """
    asked = _asked(targets, reconstructions, means, centred=True)
    return asked.own, np.broadcast_to(asked.scores(asked.fold), (len(asked.own), asked.n_images))


def blind_test(
    targets: Any,
    reconstructions: Any,
    means: Any = None,
    centred: bool = True,
    units: Any = None,
    n_permutations: int = 1000,
    seed: int = 0,
) -> BlindTest:
    """Pairwise identification against a decoder without information, folds as they are.

    Under the null hypothesis what a reconstruction adds to the mean of its fold has nothing to do
    with its image. So these additions are exchanged between stimuli (all trials of one together),
    or between whole `units` of dependent stimuli, while each image keeps its fold and its mean. Of
    few units all exchanges are made, which is exact; at 5 the least p is 1/120.

    Args:
        targets: (n, height, width, channels) in [0, 1]; equal images are one stimulus.
        reconstructions: the same shape.
        means: the same shape, the mean training image of each row's fold; None: no folds.
        centred: whether the mean is removed from both sides; False tests the raw score.
        units: (n,) which rows depend on each other, such as the frames of a movie; None: each
            stimulus is a unit. A stimulus belongs to one unit.
        n_permutations: number of random exchanges, where not all of them are made.
        seed: of these.

    Raises:
        InputError: shapes do not match, or there are fewer than two stimuli.

    References:
        Good (2005), Permutation, Parametric and Bootstrap Tests of Hypotheses, chapter 3;
        Phipson & Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9:39 (the observed one included).
    """
    own, counts, shares = _shares(targets, reconstructions, means, centred)
    # [whose answer, which image it is asked for]
    answers = _sums(shares.astype(np.float64), own) / counts[:, None]
    of_unit = _units(own, len(counts), units)
    donors = _donors(of_unit)
    weighted = answers[donors, np.arange(len(counts))] * counts / counts.sum()
    by_unit = _sums(weighted.T, of_unit).T  # [unit that answers, unit that is asked for]
    observed = float(np.trace(by_unit))
    n = len(donors)
    orders, exact = _exchanges(n, n_permutations, seed)
    null = by_unit[orders, np.arange(n)].sum(axis=1)
    as_good = int(np.sum(null >= observed - 1e-9))
    p = as_good / len(null) if exact else (1 + as_good) / (1 + len(null))
    return BlindTest(observed, float(by_unit.mean(axis=0).sum()), p, n)


@functools.lru_cache(maxsize=2)  # a page asks twice, raw and without the mean
def _exchanges(n: int, n_permutations: int, seed: int) -> tuple[np.ndarray, bool]:
    """(exchanges, n) which unit answers for each, and whether these are all ways."""
    exact = math.factorial(min(n, 20)) <= n_permutations
    if exact:
        orders = np.array(list(itertools.permutations(range(n))))
    else:
        orders = np.tile(np.arange(n), (n_permutations, 1))
        orders = np.random.default_rng(seed).permuted(orders, axis=1)
    orders.flags.writeable = False
    return orders, exact


def _sums(rows: np.ndarray, number: np.ndarray) -> np.ndarray:
    """(numbers, ...) sums of the rows that have the same number; every number has one."""
    order = np.argsort(number, kind="stable")
    _, starts = np.unique(number[order], return_index=True)
    return np.add.reduceat(rows[order], starts, axis=0)


class _Asked(NamedTuple):
    """Answers and the images that they are compared with."""

    own: np.ndarray  # (rows,) the image of each row
    counts: np.ndarray  # (images,) rows of each
    fold: np.ndarray  # (rows,) the number of each row's fold
    scores: Any  # (rows,) fold that each answer is laid in -> (rows, images) similarities

    @property
    def n_images(self) -> int:
        return len(self.counts)


def _asked(targets: Any, reconstructions: Any, means: Any, centred: bool) -> _Asked:
    """Takes what each answer adds to the mean of its fold, to be laid upon that of any fold."""
    targets, reconstructions = as_pair(targets, reconstructions)
    (ids,) = image_ids(targets)
    _, first, own, counts = np.unique(
        ids, return_index=True, return_inverse=True, return_counts=True
    )
    if len(first) < 2:
        raise InputError("all targets are the same image: expected at least two stimuli.")
    made, images = _rows(reconstructions), _rows(targets[first])
    if means is None:
        means, fold = np.zeros((1, made.shape[1])), np.zeros(len(made), int)
    else:
        means = as_images(means, "means")
        _, where, fold = np.unique(image_ids(means)[0], return_index=True, return_inverse=True)
        means = _rows(means[where])
    length = np.sum(means**2, axis=1)
    safe = np.where(length > 0, length, 1)
    contrast = np.sum(made * means[fold], axis=1) / safe[fold]  # how much of the mean is in it
    added = made - contrast[:, None] * means[fold]
    added[np.abs(added).max(axis=1) < FLAT] = 0
    return _Asked(own, counts, fold, _scores(added, contrast, images, means, safe, centred))


def _shares(
    targets: Any, reconstructions: Any, means: Any, centred: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The stimulus of each row, the rows of each stimulus, and [row, image] how often it wins.

    The entry of a row and an image says which share of the other images is less similar than this
    one to the row's answer, laid upon the mean of this image's fold.
    """
    asked = _asked(targets, reconstructions, means, centred)
    own, counts, fold, scores = asked
    shares = np.empty((len(own), asked.n_images), np.float32)
    home = _home(fold, own, asked.n_images)
    for f in range(fold.max() + 1):
        here = np.flatnonzero(home == f)
        if len(here):
            shares[:, here] = _win_shares(scores(np.full(len(own), f)), here)
    if (several := np.flatnonzero(home < 0)).size:  # each answer stays in its own fold
        shares[:, several] = _win_shares(scores(fold), several)
    return own, counts, shares


def _scores(
    added: np.ndarray,
    contrast: np.ndarray,
    images: np.ndarray,
    means: np.ndarray,
    safe: np.ndarray,
    centred: bool,
) -> Any:
    """A function of the fold that each row is laid in: (rows, images) similarities.

    Whole numbers of `TIE`, so that what differs by rounding is equal. All inner products are taken
    once.
    """
    with_images, with_means = added @ images.T, added @ means.T
    between = means @ images.T
    image_length, added_length = np.sum(images**2, axis=1), np.sum(added**2, axis=1)
    mean_length = np.sum(means**2, axis=1)

    def scores(fold: np.ndarray) -> np.ndarray:
        along = with_means[np.arange(len(fold)), fold]
        if centred:
            found = with_images - (along / safe[fold])[:, None] * between[fold]
            scale = np.maximum(image_length - (between**2 / safe[:, None])[fold], 0)
            own = np.maximum(added_length - along**2 / safe[fold], 0)
        else:
            found = with_images + contrast[:, None] * between[fold]
            scale = np.broadcast_to(image_length, found.shape)
            own = added_length + 2 * contrast * along + contrast**2 * mean_length[fold]
        norm = np.sqrt(own[:, None] * scale)
        flat = norm <= 1e-9 * max(float(image_length.max()), 1e-300)
        return np.where(flat, 0, np.rint(found / np.where(flat, 1, norm) / TIE))

    return scores


def _win_shares(scores: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """(rows, asked) share of the other images below each of those `asked` for; a tie is half."""
    n, images = scores.shape
    if 4 * len(asked) > images:
        from scipy.stats import rankdata  # slow to import

        return (rankdata(scores, axis=1)[:, asked] - 1) / (images - 1)
    # Few are asked for: all rows are searched as one, each shifted beyond the one before.
    shift = 4 / TIE * np.arange(n)[:, None]
    ordered, own = (np.sort(scores, axis=1) + shift).ravel(), scores[:, asked] + shift
    below, up_to = (np.searchsorted(ordered, own, side) for side in ("left", "right"))
    before = images * np.arange(n)[:, None]
    return ((below + up_to - 1) / 2 - before) / (images - 1)


def _home(fold: np.ndarray, own: np.ndarray, n_images: int) -> np.ndarray:
    """(images,) the fold that tests each image, -1 where several do."""
    lowest, highest = np.full(n_images, len(fold) + 1), np.full(n_images, -1)
    np.minimum.at(lowest, own, fold)
    np.maximum.at(highest, own, fold)
    return np.where(lowest == highest, lowest, -1)


def _units(own: np.ndarray, n_images: int, units: Any) -> np.ndarray:
    """(images,) the unit of each image, numbered from 0."""
    if units is None:
        return np.arange(n_images)
    units = np.asarray(units)
    if units.shape != own.shape:
        raise InputError(
            f"units have shape {units.shape} and there are {len(own)} rows: expected one unit per "
            "row."
        )
    _, numbers = np.unique(units, return_inverse=True)
    found = np.empty(n_images, int)
    found[own] = numbers
    if not np.array_equal(found[own], numbers):
        raise InputError("rows of one image belong to several units: expected one unit per image.")
    return np.unique(found, return_inverse=True)[1]


def _donors(of_unit: np.ndarray) -> np.ndarray:
    """(units, images) whose answer each image gets from a unit; its members answer in turn."""
    order = np.argsort(of_unit, kind="stable")
    sizes = np.bincount(of_unit)
    starts = np.cumsum(sizes) - sizes
    place = np.empty(len(of_unit), int)  # of each image within its unit
    place[order] = np.arange(len(of_unit)) - np.repeat(starts, sizes)
    return order[starts[:, None] + place % sizes[:, None]]


def _rows(images: np.ndarray) -> np.ndarray:
    """(n, pixels) float64, each about its own mean."""
    rows = np.asarray(images, np.float64).reshape(len(images), -1)
    return rows - rows.mean(axis=1, keepdims=True)
