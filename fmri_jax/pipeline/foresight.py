"""What will be wrong with the scores, or take long, found before the first fit."""

import pathlib

import numpy as np

from fmri_jax.data import doubts
from fmri_jax.data.recording import TRAIN, Recording, ordered_sets
from fmri_jax.evaluation.units import FEW, joined_units
from fmri_jax.pipeline.experiment_config import Experiment
from fmri_jax.report.text.text_format import count, duration

MANY_FOLDS = 20  # from which on a fit for each is worth a word


def foreseen(options: Experiment, recording: Recording, n_folds: int) -> list[str]:
    """Sentences, each with its cure in the words of the command line.

    Args:
        options: the experiment.
        recording: its recording.
        n_folds: how many folds it has.
    """
    shown = recording.distinct_images[recording.stimulus]
    train = recording.split == TRAIN
    others = ordered_sets([name for name in set(recording.split.tolist()) if name != TRAIN])
    split = options.preparation.split
    found = [f"Recording: {doubt.text}." for doubt in doubts.before_fit(recording)]
    if n_folds > MANY_FOLDS:
        found.append(
            f"{count(n_folds, 'fold')}, and as many fits: --config.preparation.n_folds=10 leaves "
            "out a tenth at a time."
        )
    if split == "run":
        pairs = {
            (image, run) for image, run in zip(shown[train], recording.run[train], strict=True)
        }
        several = len(pairs) - len({image for image, _ in pairs})
        if several:
            found.append(
                "Images are shown in several runs: test images will have been seen in training. "
                "--config.preparation.split=stimulus leaves out images instead."
            )
    if split != "given" and others:
        found.append(
            f"The recording names the test set {others[0]!r}: split={split!r} divides its training "
            "trials only, and leaves that set out. --config.preparation.split=given tests on it."
        )
    found += _shared_groups(recording, split)
    tested = train if split != "given" else recording.split == (others[0] if others else TRAIN)
    images = len(np.unique(shown[tested]))
    units = _independent(recording, np.unique(shown[tested]))
    if units < images:
        found.append(
            f"{count(images, 'test image')} of {count(units, 'group')} that depend on one another: "
            "groups, not images, are counted as evidence."
        )
    if units < FEW:
        cure = (
            " --config.preparation.split=stimulus tests every training image in turn."
            if split == "given"
            else ""
        )
        what = count(images, "test image") if units == images else count(units, "group")
        found.append(f"{what}: so few prove little.{cure}")
    return found


def _shared_groups(recording: Recording, split: str) -> list[str]:
    """Whether images of one group, such as frames of a movie, are trained on and tested."""
    train = recording.split == TRAIN
    group = recording.group_numbers[recording.stimulus]
    if split == "given":
        shared = set(group[train].tolist()) & set(group[~train].tolist()) - {-1}
    elif split == "stimulus":
        images = np.unique(recording.stimulus[train])
        names, sizes = np.unique(recording.group_numbers[images], return_counts=True)
        shared = set(names[sizes > 1].tolist()) - {-1}
    else:
        return []
    if not shared:
        return []
    return [
        f"Images of {count(len(shared), 'group')}, such as frames of one movie or crops of one "
        "photograph, are shown both in training and in testing: scores measure recognition of what "
        "was seen. --config.preparation.split=group leaves out groups as a whole."
    ]


def _independent(recording: Recording, images: np.ndarray) -> int:
    """How many independent units these images are, by the groups and categories named."""
    labels = [recording.group_numbers[images], recording.category_numbers[images]]
    return len(np.unique(joined_units(len(images), *labels)))


def remaining(n_folds: int, seconds: float, n_bytes: int) -> str:
    """What the other folds will take, from what the first one took.

    Args:
        n_folds: of the run.
        seconds: wall-clock time of the first fold.
        n_bytes: what it has left on disk.
    """
    left = n_folds - 1
    return (
        f"The first of {n_folds} folds took {duration(seconds)} and {n_bytes / 1e6:.0f} MB: about "
        f"{duration(left * seconds)} and {left * n_bytes / 1e6:.0f} MB for the other {left}."
    )


def n_bytes(folder: pathlib.Path) -> int:
    """The size of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
