"""What will be wrong with the scores, or take long, found before the first fit."""

import pathlib

import numpy as np

from fmri_jax.data import doubts
from fmri_jax.data.preparation.splits import main_set
from fmri_jax.data.recording import TRAIN, Recording, ordered_sets
from fmri_jax.evaluation.units import FEW, joined_units
from fmri_jax.pipeline import fold_costs, near_copies
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
    doubted = [f"Recording: {doubt.text}." for doubt in doubts.before_fit(recording)]
    return doubted + faults_of_split(recording, options.preparation.split, n_folds)


def faults_of_split(recording: Recording, split: str, n_folds: int) -> list[str]:
    """What is wrong with testing a recording by this split; arguments and result as above."""
    tested = _tested(recording, split)
    found = [*_folds(n_folds, len(tested)), *_several_runs(recording, split)]
    others = _test_sets(recording)
    if split != "given" and others:
        found.append(
            f"The recording names the test set {others[0]!r}: split={split!r} divides its training "
            "trials only, and leaves that set out. --config.preparation.split=given tests on it."
        )
    return [
        *found,
        *shared_groups(recording, split),
        *near_copies.sentences(recording, split),
        *_few(recording, split, tested),
    ]


def _test_sets(recording: Recording) -> list[str]:
    """The test sets that a recording names, the main one first."""
    return ordered_sets([name for name in set(recording.split.tolist()) if name != TRAIN])


def _tested(recording: Recording, split: str) -> np.ndarray:
    """The images that are tested, of all folds."""
    chosen = recording.split == main_set(recording, split)
    return np.unique(recording.distinct_images[recording.stimulus[chosen]])


def _folds(n_folds: int, images: int) -> list[str]:
    """Whether there are many folds, or folds of one image."""
    if n_folds > MANY_FOLDS:
        return [
            f"{count(n_folds, 'fold')}, and as many fits: --config.preparation.n_folds=10 leaves "
            "out a tenth at a time."
        ]
    if n_folds == images > 1:
        return [
            "Each fold tests one image, which the mean of its training images lacks: read "
            "identification without the mean. --config.preparation.n_folds="
            f"{max(2, min(5, images // 2))} tests several at once."
        ]
    return []


def _several_runs(recording: Recording, split: str) -> list[str]:
    """Whether a left-out run shows images that are trained on in others."""
    train = recording.split == TRAIN
    shown = recording.distinct_images[recording.stimulus[train]]
    pairs = set(zip(shown.tolist(), recording.run[train].tolist(), strict=True))
    if split != "run" or len(pairs) == len(np.unique(shown)):
        return []
    return [
        "Images are shown in several runs: test images will have been seen in training. "
        "--config.preparation.split=stimulus leaves out images instead."
    ]


def _few(recording: Recording, split: str, tested: np.ndarray) -> list[str]:
    """Whether there are few independent test images."""
    units, found = _independent(recording, tested), []
    if units < len(tested):
        found.append(
            f"{count(len(tested), 'test image')} of {count(units, 'group')} that depend on one "
            "another: groups, not images, are counted as evidence."
        )
    if units < FEW:
        cure = (
            " --config.preparation.split=stimulus tests every training image in turn."
            if split == "given"
            else ""
        )
        what = count(len(tested), "test image") if units == len(tested) else count(units, "group")
        found.append(f"{what}: so few prove little.{cure}")
    return found


def advised(recording: Recording) -> tuple[str, int | None, int]:
    """A split that tests new images and can be run: its name, `n_folds`, and the number of fits."""
    if _test_sets(recording):
        return "given", None, 1
    if recording.groups:
        split, labels = "group", recording.group_numbers[recording.stimulus]
        n_groups = len(set(labels.tolist()) - {-1}) + int(
            len(np.unique(recording.stimulus[labels < 0]))
        )
    elif _runs_are_apart(recording):
        split, n_groups = "run", len(np.unique(recording.run))
    else:
        split, n_groups = "stimulus", len(_tested(recording, "stimulus"))
    n_folds = 10 if n_groups > MANY_FOLDS else None
    return split, n_folds, n_folds or n_groups


def _runs_are_apart(recording: Recording) -> bool:
    """Whether there are several runs, and each image is shown in one of them."""
    return len(np.unique(recording.run)) > 1 and not _several_runs(recording, "run")


def in_words(recording: Recording) -> list[str]:
    """Lines for `fmri-jax inspect`: the split that is advised, and what is wrong even with it."""
    split, n_folds, n_fits = advised(recording)
    options = f"--config.preparation.split={split}"
    options += f" --config.preparation.n_folds={n_folds}" if n_folds else ""
    lines = [f"{options}: {count(n_fits, 'fit')}"]
    if n_fits > 1:
        lines += fold_costs.by_method(recording, split, n_fits)
    return lines + faults_of_split(recording, split, n_fits)


def shared_groups(
    recording: Recording, split: str, option: str = "--config.preparation.split=group"
) -> list[str]:
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
        f"was seen. {option} leaves out groups as a whole."
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
