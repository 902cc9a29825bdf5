"""Which trials train and which test: the recording's own split, or one group left out at a time."""

from collections.abc import Iterator

import numpy as np

from fmri_jax.data.recording import TRAIN, Recording, ordered_sets
from fmri_jax.errors import InputError

WHOLE = "all"  # the name of the one fold of a recording's own split

Split = tuple[str, np.ndarray, dict[str, np.ndarray]]  # name, training trials, test trials


def assign(
    recording: Recording,
    stimulus: np.ndarray,
    split: str,
    n_folds: int | None,
    clusters: np.ndarray | None,
) -> Iterator[Split]:
    """The indices of the training and test trials of each fold.

    Args:
        recording: the recording.
        stimulus: (trials,) stimuli, of which those with identical pixels are one.
        split: "given", or what is left out: "stimulus", "run", "cluster" or "group".
        n_folds: into how many folds groups are split; None for one per group.
        clusters: (stimuli,) clusters of similar images, for "cluster".

    Yields:
        Name, training trials, and test trials by the name of their set.

    Raises:
        InputError: the recording cannot be split in this way.
    """
    train = np.flatnonzero(recording.split == TRAIN)
    if split == "given":
        names = ordered_sets(sorted(set(recording.split.tolist()) - {TRAIN}))
        if not names:
            raise InputError(
                "split='given', but this recording names no test trials: leave groups out with "
                "split='stimulus' or split='run'."
            )
        if n_folds:
            raise InputError(
                f"split='given' with n_folds={n_folds}, but the recording's own split is one fold: "
                "leave n_folds out, or choose split='stimulus', 'run', 'cluster' or "
                "'group'."
            )
        yield WHOLE, train, {name: np.flatnonzero(recording.split == name) for name in names}
        return
    labels = _labels(recording, stimulus, split, clusters)
    groups = np.unique(labels[train])
    if len(groups) < 2 or (n_folds or 2) not in range(2, len(groups) + 1):
        raise InputError(
            f"split={split!r} with n_folds={n_folds} cannot divide the training trials, which hold "
            f"{len(groups)} groups: expected at least 2 groups, and n_folds left out (one fold "
            "per group) or from 2 to the number of groups."
        )
    count = n_folds or len(groups)
    for fold in range(count):
        left_out = groups[fold::count]
        out = np.isin(labels[train], left_out)
        left = str(left_out[0])
        if n_folds and split != "cluster":
            left = f"group {fold + 1} of {n_folds}"
        yield f"{split} {left}", train[~out], {"test": train[out]}


def _labels(
    recording: Recording, stimulus: np.ndarray, split: str, clusters: np.ndarray | None
) -> np.ndarray:
    """(trials,) which group each trial is left out with."""
    if split == "group":
        return group_labels(recording, stimulus)
    if split != "cluster":
        return stimulus if split == "stimulus" else recording.run
    if clusters is None:
        raise InputError("split='cluster' without clusters: give folds the stimuli's clusters.")
    return clusters[stimulus]


def main_set(recording: Recording, split: str) -> str:
    """The set of trials that are tested: the first that the recording names, or training's."""
    names = ordered_sets(sorted(set(recording.split.tolist()) - {TRAIN}))
    return names[0] if split == "given" and names else TRAIN


def group_labels(recording: Recording, stimulus: np.ndarray) -> np.ndarray:
    """(trials,) the group of each trial's image; an image that shares nothing is one of its own.

    Raises:
        InputError: the recording names no groups.
    """
    if not recording.groups:
        raise InputError(
            "split='group', but this recording names no groups of images: store them under the key "
            "'groups', name the key that holds them with --config.data.file.groups=KEY, or choose "
            "another split."
        )
    return _image_groups(recording)[stimulus]


def _image_groups(recording: Recording) -> np.ndarray:
    """(stimuli,) the group of each image, its own where it shares nothing."""
    group, n_groups = recording.group_numbers, len(recording.groups)
    return np.where(group >= 0, group, n_groups + np.arange(n_groups))


def together(recording: Recording, split: str, clusters: np.ndarray | None) -> np.ndarray | None:
    """(stimuli,) which images are no evidence beside one another, for divisions within training.

    Args:
        recording: the recording.
        split: as for `assign`.
        clusters: as for `assign`.

    Returns:
        Labels of images, equal within a cluster where clusters are left out, else within a group of
        the recording; None where each image stands for itself.
    """
    if split == "cluster" and clusters is not None:
        return clusters
    return _image_groups(recording) if recording.groups else None


def hold_out(
    train: np.ndarray, labels: np.ndarray, share: float
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Some training stimuli, the same in every run, take the place of the test set.

    Args:
        train: training trials.
        labels: (trials,) the stimulus of each, or the group that is held out as a whole.
        share: of the stimuli or groups.
    """
    shown = np.unique(labels[train])
    count = round(share * len(shown))
    if not 0 < count < len(shown):
        raise InputError(
            f"config.preparation.validation is {share}: of {len(shown)} training stimuli, or "
            f"groups of them, that leaves {count} to validate on; expected a share between 0 and 1 "
            "that leaves some to train on and some to validate on."
        )
    held_out = np.random.default_rng(0).permutation(shown)[:count]
    out = np.isin(labels[train], held_out)
    return train[~out], {"test": train[out]}
