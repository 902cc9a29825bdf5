"""A recording as two plain sets of arrays, for estimators: training and test trials."""

import dataclasses
import functools
from typing import Literal

import numpy as np

from fmri_jax.data import images as image_stacks
from fmri_jax.data.captions import Captions, captions_or_words
from fmri_jax.data.preparation.folds import average_trials
from fmri_jax.data.preparation.splits import group_labels
from fmri_jax.data.recording import TRAIN, Recording, ordered_sets
from fmri_jax.errors import InputError
from fmri_jax.evaluation.units import independent_units
from fmri_jax.pipeline.evidence import UNNAMED, Labels

By = Literal["stimulus", "run", "group", "given"]
Average = Literal["none", "test", "all"]


@dataclasses.dataclass(frozen=True, eq=False)
class TrialSet:
    """Trials for an estimator, in the units of the recording.

    Attributes:
        fmri: (n, voxels) float32, as recorded: decoders standardise by themselves.
        stimulus: (n,) int32, index into the recording's images.
        run: (n,) int32; -1 for an average over several runs.
        repeats: (n,) int, recorded trials that each row is the average of.
        stimulus_images: (stimuli, height, width, channels) uint8, every image of the recording.
        voxels: (voxels of the recording,) bool, those that `fmri` holds.
        stimulus_names: one per image of the recording.
        stimulus_captions: the captions of each image of the recording; empty where it has none.
        labels: groups and categories of each image of the recording.
    """

    fmri: np.ndarray
    stimulus: np.ndarray
    run: np.ndarray
    repeats: np.ndarray
    stimulus_images: np.ndarray
    voxels: np.ndarray
    stimulus_names: tuple[str, ...] = ()
    stimulus_captions: Captions = ()
    labels: Labels = UNNAMED

    @functools.cached_property
    def images(self) -> np.ndarray:
        """(n, height, width, channels) float32 in [0, 1]: the image of each trial.

        Float32 whatever was recorded, so that an image and its reconstruction can be subtracted.
        Images of 8 bits survive without loss. They take memory once per trial: 290 MB for 6,000
        trials of 64 pixels; a run (`fmri-jax run`) keeps each image once, as 8 bits.
        """
        return self.stimulus_images[self.stimulus].astype(np.float32) / np.float32(255)

    @functools.cached_property
    def units(self) -> np.ndarray:
        """(n,) int: trials of one number are one piece of evidence, for `fj.metrics.summarise`.

        Such are trials of one image, of near copies, and of images of one group or category.
        """
        known = [of[self.stimulus] for of in self.labels if of is not None]
        return independent_units(self.images, self.stimulus, *known)

    @property
    def captions(self) -> list[tuple[str, ...]]:
        """The captions of each trial's image, or the words of its name where it has none.

        Raises:
            InputError: an image has neither.
        """
        return captions_or_words(self.stimulus_captions, self.stimulus_names, self.stimulus)

    def __len__(self) -> int:
        return len(self.fmri)


def train_test_split(
    recording: Recording,
    by: By = "stimulus",
    test_size: float | int = 0.2,
    roi: str = "all",
    image_size: int | None = None,
    average_repeats: Average = "none",
    random_state: int = 0,
) -> tuple[TrialSet, TrialSet]:
    """Splits a recording into training and test trials.

    All trials of a stimulus, or of a run, come to one side; images with identical pixels are one
    stimulus. Test sets that the recording names stay out of it, unless `by` is "given".

    Args:
        recording: the recording.
        by: "stimulus", "run" or "group" (images that the recording says depend on one another,
            such as crops of one photograph): what is left out as a whole; "given": the recording's
            own training trials and its first test set.
        test_size: share of the stimuli, runs or groups that are tested on, or how many; not for
            "given".
        roi: ROI expression, such as "V1 + V2"; "all" takes every voxel.
        image_size: pixels per side of the square images; None leaves them as recorded.
        average_repeats: which trials are averaged over the repeats of a stimulus; pass `repeats`
            of averaged test trials to `predict`.
        random_state: seed of which stimuli, runs or groups are tested on.

    Returns:
        Training and test trials.

    Raises:
        InputError: the region does not exist, or the recording cannot be split in this way.
    """
    for name, value, known in (
        ("by", by, ("stimulus", "run", "group", "given")),
        ("average_repeats", average_repeats, ("none", "test", "all")),
    ):
        if value not in known:
            raise InputError(f"{name}={value!r} is not known: choose one of {', '.join(known)}.")
    voxels = recording.roi(roi)
    images = recording.images
    if image_size is not None:
        images = image_stacks.resize(images, image_size)
    stimulus = recording.distinct_images[recording.stimulus]

    def trials(rows: np.ndarray, average: bool) -> TrialSet:
        fmri, run = recording.fmri[rows][:, voxels], recording.run[rows]
        shown, repeats = stimulus[rows], np.ones(len(rows), int)
        if average:
            fmri, shown, run, repeats = average_trials(fmri, shown, run)
        words = recording.stimulus_names, recording.captions, Labels.of(recording)
        return TrialSet(fmri, shown, run, repeats, images, voxels, *words)

    train, test = _rows(recording, stimulus, by, test_size, random_state)
    return trials(train, average_repeats == "all"), trials(test, average_repeats != "none")


def _rows(
    recording: Recording, stimulus: np.ndarray, by: By, test_size: float | int, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training and of the test trials."""
    train = np.flatnonzero(recording.split == TRAIN)
    if by == "given":
        others = ordered_sets(sorted(set(recording.split.tolist()) - {TRAIN}))
        if not others:
            raise InputError(
                "by='given', but this recording names no test trials: leave some out with "
                "by='stimulus' or by='run'."
            )
        return train, np.flatnonzero(recording.split == others[0])
    labels = stimulus if by == "stimulus" else recording.run
    if by == "group":
        labels = group_labels(recording, stimulus)
    groups = np.unique(labels[train])
    whole = isinstance(test_size, int | np.integer)
    count = int(test_size if whole else round(test_size * len(groups)))
    if not 0 < count < len(groups):
        raise InputError(
            f"test_size is {test_size!r}: of {len(groups)} training "
            f"{'stimuli' if by == 'stimulus' else f'{by}s'} that leaves {count} to test on; "
            "expected a share between 0 and 1, or a number, that leaves some for training and for "
            "testing."
        )
    left_out = np.random.default_rng(random_state).permutation(groups)[:count]
    out = np.isin(labels[train], left_out)
    return train[~out], train[out]
