"""Simulated images and decoders, with and without information, for `benchmarks.verdicts`."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fmri_jax.pipeline.rows import METHOD, Rows

SIDE = 6


@dataclasses.dataclass(frozen=True)
class Decoder:
    """What a simulated decoder answers.

    Attributes:
        constant: of the training images, what every answer of the fold has in common.
        mixture: standard deviation of random weights of training images that are added.
        noise: standard deviation of noise that is added to each pixel.
        signal: the share of the target's distance from the mean that is added.
    """

    constant: Callable[[np.ndarray], np.ndarray]
    mixture: float = 0.0
    noise: float = 0.03
    signal: float = 0.0

    def answer(
        self, rng: np.random.Generator, training: np.ndarray, targets: np.ndarray
    ) -> np.ndarray:
        """(n, SIDE, SIDE, 1) answers of one fold."""
        mean = training.mean(axis=0)
        made = np.broadcast_to(self.constant(training), targets.shape)
        if self.mixture:
            weights = rng.normal(0, self.mixture, (len(targets), len(training)))
            made = made + np.tensordot(weights, training - mean, 1)
        made = made + rng.normal(0, self.noise, targets.shape) + self.signal * (targets - mean)
        return np.clip(made, 0, 1)


def _mean(training: np.ndarray) -> np.ndarray:
    return training.mean(axis=0)


BLIND = {
    "noise on the mean image": Decoder(_mean),
    "mixtures of training images": Decoder(_mean, mixture=0.1, noise=0.0),
    "an answer that tells the fold": Decoder(lambda x: 2 * x.mean(axis=0) - np.median(x, axis=0)),
}
SIGNAL = Decoder(_mean, signal=0.03)


def photographs(rng: np.random.Generator, n: int, shared: np.ndarray | None = None) -> np.ndarray:
    """Images that resemble `shared` and one another, with more coarse than fine structure."""
    coarse = rng.uniform(size=(n, SIDE // 2, SIDE // 2, 1)).repeat(2, axis=1).repeat(2, axis=2)
    if shared is None:
        shared = rng.uniform(size=(SIDE, SIDE, 1))
    return 0.4 * shared + 0.35 * coarse + 0.25 * rng.uniform(size=(n, SIDE, SIDE, 1))


def rows_of(
    targets: np.ndarray, predictions: dict[str, np.ndarray], fold: np.ndarray, split: str = "test"
) -> Rows:
    """One row per image."""
    n = len(targets)
    return Rows(
        targets=targets,
        predictions=predictions,
        vs_train={},
        stimulus=np.arange(n, dtype=np.int32),
        split=np.full(n, split),
        fold=fold.astype(str),
    )


def run(
    rng: np.random.Generator, decoder: Decoder, n: int, folds: int, copies: bool = False
) -> Rows:
    """A run of one fold with training images of its own, or of several folds.

    With `copies` every image has a near copy, of which the decoder makes the same.
    """
    targets = photographs(rng, n)
    other = photographs(rng, max(n, 20))
    if copies:
        targets[1::2] = np.clip(targets[: 2 * (n // 2) : 2] + 0.002, 0, 1)
    group = np.arange(n) // (2 if copies else 1) % folds
    made, shuffled, means = (np.empty_like(targets) for _ in range(3))
    for fold in range(folds):
        here = group == fold
        training = other if folds == 1 else targets[~here]
        means[here] = training.mean(axis=0)
        made[here] = decoder.answer(rng, training, targets[here])
        blind = dataclasses.replace(decoder, signal=0.0)
        shuffled[here] = blind.answer(rng, training, targets[here])
    if copies:
        for images in (made, shuffled):
            images[1::2] = images[: 2 * (n // 2) : 2]
    made_by = {METHOD: made, "mean_image": means, "shuffled_fmri": shuffled}
    return rows_of(targets, made_by, group)


def crops(rng: np.random.Generator, n: int) -> tuple[Rows, np.ndarray]:
    """Crops of n / 5 photographs without information, and the photograph of each.

    Crops of one photograph resemble each other, and so do the answers to them.
    """
    group = np.arange(n) // 5
    likeness = photographs(rng, 2 * n)
    targets = 0.6 * likeness[group] + 0.4 * likeness[n:]
    mean = np.broadcast_to(photographs(rng, 20).mean(axis=0), targets.shape)
    made = mean + rng.normal(0, 0.03, likeness[:n].shape)[group] + rng.normal(0, 0.003, mean.shape)
    found = {METHOD: np.clip(made, 0, 1), "mean_image": mean}
    return rows_of(targets, found, np.zeros(n)), group


class Pair(NamedTuple):
    """Two ridge decoders asked for the same images."""

    targets: np.ndarray
    means: np.ndarray  # of the training images of each target's fold
    answers: list[np.ndarray]
    fold: np.ndarray
    n_trained: float  # images of each fold


def pair_of_decoders(
    rng: np.random.Generator, n: int, folds: int, gain: float = 1.0, blind: bool = False
) -> Pair:
    """Two ridge decoders of 20 voxels of a linear subject, each with noise of its own.

    The noise of the first is divided by `gain`. Where they are `blind`, responses are nothing but
    noise, the same for both in training; the second sees those of the fold to other images.
    """
    shared = rng.uniform(size=(SIDE, SIDE, 1))
    targets = photographs(rng, n, shared)
    training = targets if folds > 1 else photographs(rng, 100, shared)
    weights = rng.normal(size=(SIDE * SIDE, 20)) * (not blind)

    def respond(images: np.ndarray, noise: float = 2.0) -> np.ndarray:
        return images.reshape(len(images), -1) @ weights + rng.normal(0, noise, (len(images), 20))

    seen = [respond(training, 2 / gain)]
    seen.append(seen[0] if blind else respond(training))
    asked = seen if folds > 1 else [respond(targets, 2 / gain), respond(targets)]
    fold = np.arange(n) % folds
    means, first, second = (np.empty_like(targets) for _ in range(3))
    for f in range(folds):
        here = np.flatnonzero(fold == f)
        used = fold != f if folds > 1 else np.ones(len(training), bool)
        means[here] = training[used].mean(axis=0)
        others = np.roll(here, 1) if blind else here
        for made, x, rows, of in zip((first, second), seen, (here, others), asked, strict=True):
            made[here] = _ridge(x[used], training[used], of[rows])
    return Pair(targets, means, [first, second], fold, n - n / folds if folds > 1 else 100)


def _ridge(x: np.ndarray, images: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Images decoded from the responses `asked`, by a decoder trained on `x`."""
    y, centre = images.reshape(len(images), -1), x.mean(axis=0)
    mean, x = y.mean(axis=0), x - centre
    gram = x.T @ x + 0.3 * len(x) * np.eye(x.shape[1])
    made = mean + (asked - centre) @ np.linalg.solve(gram, x.T @ (y - mean))
    return np.clip(made, 0, 1).reshape(-1, *images.shape[1:])
