"""Fits a method fold by fold and keeps what each fold reconstructed, so that nothing is done twice.

A fold is one split into training and test trials; a recording with its own split has one fold. The
arrays of a finished fold lie in `folds/<number>.npz`: a killed run goes on with the next one.
"""

import dataclasses
import functools
import math
import pathlib
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from fmri_jax.data.images import centre_crop
from fmri_jax.data.preparation.folds import Fold, Trials
from fmri_jax.errors import InputError
from fmri_jax.evaluation import baselines
from fmri_jax.evaluation.identification import against_all, pairwise, ranks
from fmri_jax.files import replacing
from fmri_jax.methods import Method, Reconstructor, RunContext
from fmri_jax.pipeline.workdir import Phases


@dataclasses.dataclass(frozen=True)
class Rows:
    """What was seen and what was reconstructed, one row a scored trial.

    Attributes:
        targets: (n, h, w, c) float32 in [0, 1].
        reconstructions: the same shape, by the method.
        ridge: the same shape, by ridge regression from voxels to pixels.
        mean_image: the same shape, the mean training image of the row's fold.
        shuffled: the same shape, by the method from shuffled voxels.
        vs_train: (n, 4, 2) of the row's own image among the training images of its fold: how often
            it correlates more with the reconstruction than every one of them, and than any one;
            columns as in `PREDICTIONS`.
        stimulus: (n,) int32.
        split: (n,) str, "test", "train" or another test set.
        fold: (n,) str.
    """

    targets: np.ndarray
    reconstructions: np.ndarray
    ridge: np.ndarray
    mean_image: np.ndarray
    shuffled: np.ndarray
    vs_train: np.ndarray
    stimulus: np.ndarray
    split: np.ndarray
    fold: np.ndarray

    def take(self, keep: np.ndarray) -> "Rows":
        """The rows that `keep` selects: (n,) bool, or indices in any order."""
        return Rows(**{field: value[keep] for field, value in vars(self).items()})

    def test_sets(self) -> list[str]:
        """The names in `split`: "test" first, other test sets, the training sample last."""
        names = dict.fromkeys(self.split.tolist())
        return sorted(names, key=lambda name: (name == "train", name != "test"))

    def main_test_set(self) -> "Rows":
        """The rows of the test set that comes first."""
        return self.take(self.split == self.test_sets()[0])


Reconstruct = Callable[[Any], Any]  # fMRI (n, voxels) -> images (n, h, w, c)
PREDICTIONS = ("reconstructions", "ridge", "mean_image", "shuffled")


def concatenate(parts: list[Rows]) -> Rows:
    """Rows of several folds or test sets as one."""
    return Rows(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(Rows)
        }
    )


def run_fold(
    fold: Fold,
    number: int,
    n_train: int,
    method: Method,
    context: RunContext,
    phases: Phases,
    learned: dict[str, Any],
    keep: Callable[[Fold, Reconstructor], object] | None = None,
) -> Rows:
    """Fits the method on one fold and reconstructs its test trials, or reads what was kept.

    Args:
        fold: training and test trials.
        number: of the fold, names its file.
        n_train: how many training trials are reconstructed beside the test trials.
        method: what is fitted.
        context: of this fold.
        phases: takes the time of each phase.
        learned: takes what the fitted model says of itself by the fold's name, where it has a
            method `summary` that returns names with numbers or texts.
        keep: writes the fitted decoder into the run's folder; None keeps none.

    Returns:
        The fold's rows.
    """
    path = context.workdir / "folds" / f"{number:03d}.npz"
    if path.exists():
        return _read(path, fold.name)
    with phases.measure("fit"):
        reconstructor = method.fit(fold.train, context)
    if keep:
        with phases.measure("keep decoder"):
            keep(fold, reconstructor)
    if hasattr(reconstructor, "summary"):
        learned[fold.name] = reconstructor.summary()
    with phases.measure("ridge baseline"):
        train = fold.train
        ridge = baselines.ridge(
            train.fmri, train.stimulus, train.images, average=fold.tests_averages()
        )

    def reconstruct(fmri: Any) -> Any:
        return np.asarray(reconstructor.reconstruct(jnp.asarray(fmri)), np.float32)

    with phases.measure("reconstruct"):
        parts = [
            _reconstructed(split, trials, fold, number, reconstruct, ridge)
            for split, trials in {**fold.tests, "train": _sample(fold, number, n_train)}.items()
        ]
    rows = concatenate(parts)
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as unfinished, unfinished.open("wb") as stream:
        np.savez_compressed(stream, **vars(rows))
    return rows


def _reconstructed(
    split: str,
    trials: Trials,
    fold: Fold,
    number: int,
    method: Reconstruct,
    ridge: baselines.RidgeBaseline,
) -> Rows:
    """What the method and its baselines make of one set of trials."""
    n, images = len(trials.fmri), method(trials.fmri)
    seen = fold.train.images[np.unique(fold.train.stimulus)]
    # A method that learns from random crops reconstructs the middle of an image.
    crop = functools.partial(centre_crop, height=images.shape[1], width=images.shape[2])
    targets = crop(trials.targets())
    predicted = {
        "reconstructions": images,
        "ridge": crop(ridge.reconstruct(trials.fmri, trials.gain)),
        "mean_image": crop(baselines.mean_image(seen, n)),
        "shuffled": baselines.shuffled_fmri(method, trials.fmri, seed=number),
    }
    beaten = [_vs_train(targets, images, crop(seen)) for images in predicted.values()]
    return Rows(
        targets,
        **predicted,
        vs_train=np.stack(beaten, axis=1),
        stimulus=trials.stimulus,
        split=np.full(n, split),
        fold=np.full(n, fold.name),
    )


def _vs_train(targets: np.ndarray, images: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(n, 2) the chance that the own image beats every training image (ties share), and any."""
    ranked = ranks(targets, images, seen)
    return np.stack([against_all(ranked), pairwise(ranked)], axis=1)


def _sample(fold: Fold, number: int, n: int) -> Trials:
    """One trial of each of `n` training stimuli, spread evenly over them.

    Of several folds each takes other stimuli, whichever folds were done before: together they show
    nearly as many as they have rows.
    """
    train = fold.train
    seen, first = np.unique(train.stimulus, return_index=True)
    if fold.is_only:
        return train.take(first[np.linspace(0, len(first) - 1, min(n, len(first))).astype(int)])
    tested = [trials.stimulus for trials in fold.tests.values()]
    everyone = np.unique(np.concatenate([seen, *tested]))  # in all folds, but for validation ones
    due = np.roll(everyone[_spread(len(everyone))], -number * n)
    # What this fold leaves out is replaced by stimuli that are furthest from their turn.
    due = np.concatenate([due[:n], np.roll(due[n:], -(len(due[n:]) // 2))])
    chosen = np.sort(due[np.isin(due, seen)][:n])
    return train.take(first[np.searchsorted(seen, chosen)])


def _spread(n: int) -> np.ndarray:
    """(n,) an order of `range(n)` of which every stretch is spread evenly: golden-ratio steps."""
    step = max(1, round(0.618 * n))
    while math.gcd(step, n) != 1:  # or the steps would come back before they have met all
        step += 1
    return np.arange(n) * step % n


def _read(path: pathlib.Path, name: str) -> Rows:
    """The rows of the finished fold `name`."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            rows = Rows(**stored)
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path} cannot be read ({error}): expected a finished fold of this run; delete the "
            "file and the fold is computed again."
        ) from error
    found = np.unique(rows.fold).tolist()
    if found != [name]:
        raise InputError(
            f"{path} holds fold {', '.join(map(repr, found)) or 'of no name'}: expected fold "
            f"{name!r} of this run; delete the file and the fold is computed again."
        )
    return rows
