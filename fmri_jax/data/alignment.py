"""Whether responses and images belong together, asked of the numbers alone.

Two tests, each by permutation. Responses to repeats of an image resemble each other more than
responses to different images: where they do so only after labels are moved by a trial, labels and
responses are out of step. And images that resemble each other evoke responses that do
(Kriegeskorte et al. 2008, "Representational similarity analysis", Front. Syst. Neurosci. 2:4):
where they do so only after indices are moved by one, the images are counted wrongly.
"""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from fmri_jax.data.doubts import Doubt

if TYPE_CHECKING:
    from fmri_jax.data.recording import Recording

_SHIFTS = (-2, -1, 1, 2)
_MOST_TRIALS, _MOST_VOXELS, _MOST_IMAGES, _SIDE = 300, 1000, 200, 12  # px, of images compared
_PERMUTATIONS = 100
_CERTAIN, _BETTER = 5.0, 3.0  # standard deviations of the permutations: above chance, above rival
_FEWEST_PAIRS, _FEWEST_IMAGES = 30, 12


def doubts(recording: "Recording") -> list[Doubt]:
    """Doubts about which image a response belongs to; none where the numbers cannot tell."""
    few = dataclasses.replace(recording, fmri=_some_voxels(recording.fmri), rois={})
    few = dataclasses.replace(few, fmri=within_runs(few))
    found = [_labels(few), _bank(few)]
    return [doubt for doubt in found if doubt is not None]


def _labels(recording: "Recording") -> Doubt | None:
    """Labels that fit the responses of earlier or later trials, by repeats."""
    fmri, labels = recording.fmri[:_MOST_TRIALS], recording.stimulus[:_MOST_TRIALS]
    if _pairs(labels) < _FEWEST_PAIRS or len(np.unique(labels)) < 2:
        return None
    gram, run = _similarity(fmri), recording.run[:_MOST_TRIALS]
    scores = {}
    for shift in (0, *_SHIFTS):
        kept, moved = _moved(labels, run, shift)
        if len(kept) and _pairs(moved) >= _FEWEST_PAIRS and len(np.unique(moved)) > 1:
            same = (moved[:, None] == moved).astype(np.float64)
            scores[shift] = _z(gram[np.ix_(kept, kept)], same)
    return _doubt(
        scores,
        "shifted_labels",
        "stimulus: responses to one image agree with each other if labels are moved by {shift:+d} "
        "trials within their run (z = {best:.1f}), not as they are (z = {as_is:.1f}); check the "
        "order of the trials, rows that were dropped, and the delay",
    )


def _bank(recording: "Recording") -> Doubt | None:
    """Indices that fit the images before or after those they name, by similarity of both."""
    shown = np.unique(recording.stimulus)
    if len(shown) < _FEWEST_IMAGES:
        return None
    if len(shown) > _MOST_IMAGES:
        shown = np.random.default_rng(0).choice(shown, _MOST_IMAGES, replace=False)
    means = np.stack([recording.fmri[recording.stimulus == i].mean(axis=0) for i in shown])
    gram, looks = _similarity(means), _looks(recording.images, shown)
    scores = {}
    for shift in (0, *_SHIFTS):
        kept = np.flatnonzero((shown + shift >= 0) & (shown + shift < len(recording.images)))
        if len(kept) >= _FEWEST_IMAGES:
            alike = _similarity(np.stack([looks[i] for i in shown[kept] + shift]))
            scores[shift] = _z(gram[np.ix_(kept, kept)], alike)
    return _doubt(
        scores,
        "shifted_images",
        "stimulus: similar images evoke similar responses if indices are moved by {shift:+d} "
        "(z = {best:.1f}), not as they are (z = {as_is:.1f}); the images may be counted from 1 "
        "where 0 was meant, or be in another order",
    )


def _doubt(scores: dict[int, float], kind: str, text: str) -> Doubt | None:
    """A doubt if a shift fits beyond doubt and clearly better than none."""
    if 0 not in scores or len(scores) < 2:
        return None
    shift = max(scores, key=lambda shift: scores[shift])
    best, as_is = scores[shift], scores[0]
    if best < _CERTAIN or best - max(as_is, 0.0) < _BETTER or as_is > best / 2:
        return None
    values = {"shift": shift, "z_shifted": round(best, 2), "z": round(as_is, 2)}
    return Doubt(kind, "warning", text.format(shift=shift, best=best, as_is=as_is), values)


def _moved(labels: np.ndarray, run: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Trials that have a neighbour `shift` trials on in their run, and its label."""
    source = np.arange(len(labels)) + shift
    kept = np.flatnonzero((source >= 0) & (source < len(labels)))
    kept = kept[run[kept] == run[source[kept]]]
    return kept, labels[source[kept]]


def _z(gram: np.ndarray, expected: np.ndarray) -> float:
    """How far similarities agree with the expected ones beyond permuted labels, in SDs of those.

    Both are symmetric, (n, n); their diagonals do not count.
    """
    n = len(gram)
    others = ~np.eye(n, dtype=bool)
    centred = np.where(others, gram - gram[others].mean(), 0)
    rng = np.random.default_rng(0)
    orders = (rng.permutation(n) for _ in range(_PERMUTATIONS))
    # Sums of products, not np.vdot: BLAS would start threads for each of these small sums.
    null = [float((centred * expected[np.ix_(order, order)]).sum()) for order in orders]
    spread = float(np.std(null))
    as_is = float((centred * expected).sum())
    return (as_is - float(np.mean(null))) / spread if spread else 0.0


def _similarity(rows: np.ndarray) -> np.ndarray:
    """Correlations between rows of standardised columns, (n, n)."""
    rows = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    spread = rows.std(axis=0)
    rows = rows[:, spread > 0] / spread[spread > 0]
    rows -= rows.mean(axis=1, keepdims=True) if rows.shape[1] else 0.0
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(length > 0, length, 1)
    return rows @ rows.T


def within_runs(recording: "Recording") -> np.ndarray:
    """(trials, voxels) float32 responses without the mean of their run.

    Where runs have other baselines, trials of one run would look alike whatever they show. A run of
    few images keeps its mean, which would take the response along.
    """
    fmri = recording.fmri.copy()
    for run in np.unique(recording.run):
        trials = recording.run == run
        if len(np.unique(recording.stimulus[trials])) > 2:
            fmri[trials] -= fmri[trials].mean(axis=0)
    return fmri


def _some_voxels(fmri: np.ndarray) -> np.ndarray:
    """At most `_MOST_VOXELS` columns, evenly drawn."""
    if fmri.shape[1] <= _MOST_VOXELS:
        return fmri
    return fmri[:, np.linspace(0, fmri.shape[1] - 1, _MOST_VOXELS).astype(int)]


def _looks(images: np.ndarray, shown: np.ndarray) -> dict[int, np.ndarray]:
    """Small grey versions, (pixels,), of the images shown and of their neighbours: block means."""
    near = np.unique(shown[:, None] + np.asarray([0, *_SHIFTS]))
    edges = [np.linspace(0, n, min(n, _SIDE) + 1).astype(int)[:-1] for n in images.shape[1:3]]
    found = {}
    for i in near[(near >= 0) & (near < len(images))].tolist():
        grey = images[i].mean(axis=-1)
        found[i] = np.add.reduceat(np.add.reduceat(grey, edges[0], axis=0), edges[1], axis=1)
    return {i: small.ravel() for i, small in found.items()}


def _pairs(labels: np.ndarray) -> int:
    """How many pairs of trials share a label."""
    counts = np.unique(labels, return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum())
