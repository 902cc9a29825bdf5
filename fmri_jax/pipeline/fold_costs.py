"""About how long the folds of a run will take, and how much disk, before the first fit.

Operations are counted from sizes (`methods.cost`) and divided by the speed of a matrix product
here and now. That is right to a factor of two or three: enough to tell minutes from days.
"""

import jax
import numpy as np

from fmri_jax import methods
from fmri_jax.data.preparation.folds import Fold
from fmri_jax.data.recording import TRAIN, Recording
from fmri_jax.errors import InputError
from fmri_jax.methods.costs import Cost, FoldSize
from fmri_jax.pipeline.experiment_config import Experiment, default_config, read
from fmri_jax.report.text.text_format import count, duration
from fmri_jax.training import operations
from fmri_jax.training.needs import size

# What a fold's file holds per image, compressed, in images of float32 numbers: targets, answers and
# those of baselines, some of which are one image for all rows or are not made of all.
KEPT_IMAGES = 4
SCORED_IMAGES = 7  # per test row, by networks: the method's and its baselines'
START = 30.0  # seconds, for compiling programs and for a page, whatever the number of folds
EACH = 1.0  # seconds per fold, for preparing, keeping and reading

SHOWN = {"ridge": "ridge regression", "gan": "the GAN with its default options"}


def of_run(options: Experiment, fold: Fold, n_folds: int, sampled: int) -> str:
    """How many fits a run takes, in about which time and room.

    Args:
        options: the experiment.
        fold: its first fold, prepared.
        n_folds: how many there are.
        sampled: training trials of each that are reconstructed.
    """
    more = options.preparation.n_unlabelled if options.preparation.unlabelled else 0
    found = FoldSize(
        rows=len(fold.train.fmri) + more,
        stimuli=len(np.unique(fold.train.stimulus)) + more,
        voxels=fold.train.fmri.shape[1],
        pictured=sampled + sum(len(trials.fmri) for trials in fold.tests.values()),
        image=_image(fold.train.images),
    )
    cost = _of_fold(options, found)
    least = size(n_folds * _images(found))
    takes = f"at least {least} on disk; time and disk are reported after the first"
    return (
        f"{count(n_folds, 'fold')}, and as many fits, one after the other: "
        f"{takes if cost is None else _in_words(cost, n_folds)}. "
        "--config.preparation.n_folds=N makes N of them."
    )


def by_method(recording: Recording, split: str, n_folds: int) -> list[str]:
    """The same for `fmri-jax inspect`, where no method is chosen yet: of a fast and a slow one.

    Args:
        recording: as it is.
        split: that is advised.
        n_folds: its folds.
    """
    trials = int(np.sum(recording.split == TRAIN))
    stimuli = len(np.unique(recording.stimulus[recording.split == TRAIN]))
    trained = 1 - 1 / n_folds
    found = FoldSize(
        rows=round(trials * trained),
        stimuli=round(stimuli * trained),
        voxels=recording.fmri.shape[1],
        pictured=-(-stimuli // n_folds) + 1,
        image=_image(recording.images),
    )
    lines = []
    for name, label in SHOWN.items():
        options = default_config(name, "file").to_dict()
        options["preparation"]["split"] = split
        cost = _of_fold(read(options), found)
        if cost is not None:
            lines.append(f"by {label}: {_in_words(cost, n_folds)}")
    return [*lines, "Fewer folds (--config.preparation.n_folds=5, say) take less of both."]


def seconds(cost: Cost, n_folds: int) -> float:
    """Wall-clock time of a run's folds, of one `cost` each."""
    return START + n_folds * (EACH + cost.operations / operations.per_second())


def _of_fold(options: Experiment, found: FoldSize) -> Cost | None:
    """Of the method, the ridge that every run makes as a baseline, scores and images.

    None where the method cannot tell, or XLA does not count on this platform; where the method
    cannot take such images its fit says why.
    """
    try:
        cost = methods.cost(options.method_name, options.method_config, found)
        networks = _scoring(found) if options.evaluation.perceptual else 0.0
    except (InputError, NotImplementedError, jax.errors.JaxRuntimeError):
        return None
    baselines = methods.cost("ridge", methods.package("ridge").Config(), found)
    if cost is None or baselines is None:
        return None
    return Cost(cost.operations + baselines.operations + networks, cost.disk + _images(found))


def _in_words(cost: Cost, n_folds: int) -> str:
    """Time and room of all folds."""
    minutes = max(1, round(seconds(cost, n_folds) / 60))
    took = duration(60 * minutes).removesuffix(" 00 s")
    return f"about {took} here and {size(round(n_folds * cost.disk))} on disk"


def _images(found: FoldSize) -> int:
    """Bytes of a fold's file."""
    return 4 * KEPT_IMAGES * found.pictured * found.pixels


def _scoring(found: FoldSize) -> float:
    """Operations of AlexNet, twice (its features, and LPIPS), on all images that are scored."""
    from fmri_jax.features.registry import NETWORKS

    network = NETWORKS["alexnet"]
    side = max(network.least, min(found.image[:2]))
    each = operations.of_network(network.module(), (side, side, 3)).operations
    return 2 * SCORED_IMAGES * found.pictured * each


def _image(images: np.ndarray) -> tuple[int, int, int]:
    height, width, channels = images.shape[1:]
    return height, width, channels
