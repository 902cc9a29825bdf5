"""A `Recording`: everything that one recording holds, on the host, checked once.

Whatever its file looked like, a recording reaches the rest of the package as a `Recording`; what
cannot be trusted is rejected here, so that no later step needs to ask again.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from fmri_jax.data import captions as texts
from fmri_jax.data import roi
from fmri_jax.data.doubts import Doubt
from fmri_jax.data.modality import FMRI
from fmri_jax.errors import InputError

LARGEST = 1e15  # of a response: sums of its square over trials stay below float32's 3e38
TRAIN = "train"  # the name of the training trials in `Recording.split`
IMAGERY = "imagery"  # that of trials in which images were imagined, with nothing on the screen


def ordered_sets(names: Iterable[str]) -> list[str]:
    """Names of test sets, each once: "test" first, imagined images last, others as they come.

    The first one is the main test set, which imagined images only are where nothing was seen.
    """
    return sorted(dict.fromkeys(names), key=lambda name: (name == IMAGERY, name != "test"))


@dataclasses.dataclass(frozen=True, eq=False)
class Recording:
    """One subject's recording: trials by voxels, and the image that each trial showed.

    Attributes:
        fmri: (trials, voxels) float32, one pattern per trial, in the recording's own units.
        stimulus: (trials,) int32, index into `images` of the image that was shown.
        images: (stimuli, height, width, channels) uint8; 3 channels are RGB, 1 is grey or binary.
        run: (trials,) int32, the scanner run of each trial (zeros when unknown).
        rois: name -> (voxels,) bool; the voxels of each region of interest.
        stimulus_names: one name per image.
        split: (trials,) str: "train", "test" or another named test set ("shapes", "letters"); all
            "train" when the recording names none. Trials of "imagery", in which the image was
            imagined, are scored apart from those in which it was seen.
        simulated: whether the responses come from a model instead of a scanner.
        description: one sentence for the report: what data this is and where it comes from.
        subject: a name that tells this person from others; "" where it is not known.
        doubts: what its reader found doubtful, such as rows that it dropped; it belongs neither to
            the content nor to the fingerprint.
        captions: the captions of each image, none or more; empty where the recording has none.
            `fmri_jax.data.captions.captions_of` falls back to `stimulus_names`.
        groups: what each image shares with others that depend on it, such as the movie that it is
            a frame of or the photograph that it is a crop of; "" where it shares nothing, empty
            where nothing is known. What is evidence for what is no part of the content: neither
            groups nor categories enter the fingerprint.
        modality: what was recorded, such as "fMRI", "spikes" or "MEG": `fmri` then holds one
            column per neuron or sensor, and reports say so. It is a word, too.
        categories: the category of each image; "" where it has none, empty where none is known.

    Raises:
        InputError: an array has another type or shape, `fmri` is not finite, an index is out of
            range, or an image is shown both in training and in a test set.
    """

    fmri: np.ndarray
    stimulus: np.ndarray
    images: np.ndarray
    run: np.ndarray
    rois: dict[str, np.ndarray]
    stimulus_names: tuple[str, ...]
    split: np.ndarray
    simulated: bool = False
    description: str = ""
    subject: str = ""
    doubts: tuple[Doubt, ...] = ()
    captions: texts.Captions = ()
    groups: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    modality: str = FMRI

    def __post_init__(self) -> None:
        """Checks every field against the others."""
        _check_responses(self.fmri)
        _check_images(self.images)
        trials, voxels = self.fmri.shape
        _check_stimulus(self.stimulus, trials, len(self.images))
        _check_trial_array("run", self.run, trials, np.dtype(np.int32))
        _check_rois(self.rois, voxels)
        if len(self.stimulus_names) != len(self.images):
            raise InputError(
                f"stimulus_names holds {len(self.stimulus_names)} names for {len(self.images)} "
                "images: expected one name per image, in the order of images."
            )
        texts.check(self.captions, len(self.images))
        for key in ("groups", "categories"):
            if len(getattr(self, key)) not in (0, len(self.images)):
                raise InputError(
                    f"{key} holds {len(getattr(self, key))} names for {len(self.images)} images: "
                    "expected one name per image, '' for none, or nothing at all."
                )
        _check_split(self)

    def roi(self, expression: str) -> np.ndarray:
        """Selects voxels by region: "VC", "V1 + V2", "VC - (LOC | FFA)", "LH_V*".

        Args:
            expression: as `fmri_jax.data.roi` describes; "" or "all" takes every voxel.

        Returns:
            (voxels,) bool.

        Raises:
            InputError: the expression cannot be read, names an unknown region or selects nothing.
        """
        everything = np.ones(self.fmri.shape[1], bool)
        if not expression.strip():
            return everything

        def mask_of(name: str, value: float) -> np.ndarray:
            return roi.match(name, value, {"all": everything} if name == "all" else self.rois)

        mask = roi.select(expression, mask_of, [*self.rois, "all"])
        if not mask.any():
            sizes = ", ".join(f"{name} ({int(m.sum())})" for name, m in sorted(self.rois.items()))
            raise InputError(
                f"ROI expression {expression!r} selects no voxel: "
                f"choose among {sizes} (voxels in brackets)."
            )
        return mask

    @functools.cached_property
    def distinct_images(self) -> np.ndarray:
        """(stimuli,) int32: for each image, the first one that has exactly the same pixels."""
        first: dict[bytes, int] = {}
        digests = (hashlib.blake2b(image.tobytes()).digest() for image in self.images)
        return np.asarray([first.setdefault(d, i) for i, d in enumerate(digests)], np.int32)

    @functools.cached_property
    def group_numbers(self) -> np.ndarray:
        """(stimuli,) int32: the number of each image's group, -1 where it shares nothing."""
        return _numbered(self.groups, len(self.images))

    @functools.cached_property
    def category_numbers(self) -> np.ndarray:
        """(stimuli,) int32: the number of each image's category, -1 where it has none."""
        return _numbered(self.categories, len(self.images))

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the content, without `description` and `subject`, which are words."""
        return self._fingerprint

    def roi_fingerprints(self) -> dict[str, str]:
        """Name of a region -> SHA-256 (hex) of its voxels, to compare sessions of a subject."""
        return {
            name: hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
            for name, mask in self.rois.items()
        }

    @functools.cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        labels: dict[str, Any] = {
            "rois": list(self.rois),
            "stimulus_names": list(self.stimulus_names),
            "split": self.split.tolist(),
            "simulated": self.simulated,
        }
        if self.captions:  # recordings without keep the fingerprint that they had before
            labels["captions"] = self.captions
        digest.update(json.dumps(labels).encode())
        arrays = (self.fmri, self.stimulus, self.images, self.run, *self.rois.values())
        for array in arrays:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def _numbered(names: tuple[str, ...], n_images: int) -> np.ndarray:
    """(n_images,) int32, equal numbers for equal names; -1 for "" and where there are no names."""
    order = {name: i for i, name in enumerate(dict.fromkeys(filter(None, names)))}
    return np.asarray([order.get(name, -1) for name in names or [""] * n_images], np.int32)


def _check_responses(fmri: np.ndarray) -> None:
    _check_array("fmri", fmri, np.dtype(np.float32), "(trials, voxels)", 2)
    if 0 in fmri.shape:
        raise InputError(f"fmri has shape {fmri.shape}: expected at least one trial and one voxel.")
    # Parent and child both check a recording that was read apart: no array of its size is made.
    largest = np.maximum(fmri.max(axis=0), -fmri.min(axis=0))
    if not np.isfinite(largest).all():  # of a number that is none, both extremes are none
        bad = np.argwhere(~np.isfinite(fmri))
        trial, voxel = bad[0]
        raise InputError(
            f"fmri holds {len(bad)} values that are not finite, the first at trial {trial}, voxel "
            f"{voxel}: expected numbers; remove those voxels or trials from the recording."
        )
    if largest.max() > LARGEST:
        voxel = int(largest.argmax())
        raise InputError(
            f"fmri holds {largest[voxel]:.3g} in voxel {voxel}, one of "
            f"{int((largest > LARGEST).sum())} voxels beyond {LARGEST:g}: expected responses whose "
            "squares can be summed; remove those voxels, or divide by a unit that suits them."
        )


def _check_images(images: np.ndarray) -> None:
    _check_array("images", images, np.dtype(np.uint8), "(stimuli, height, width, channels)", 4)
    if 0 in images.shape:
        raise InputError(f"images has shape {images.shape}: expected at least one non-empty image.")
    if images.shape[-1] not in (1, 3):
        raise InputError(
            f"images has shape {images.shape}, so {images.shape[-1]} channels: expected "
            "(stimuli, height, width, channels) with 3 channels (RGB) or 1 (grey)."
        )


def _check_stimulus(stimulus: np.ndarray, trials: int, stimuli: int) -> None:
    _check_trial_array("stimulus", stimulus, trials, np.dtype(np.int32))
    low, high = int(stimulus.min()), int(stimulus.max())
    if low < 0 or high >= stimuli:
        one_based = low == 1 and high == stimuli
        hint = "they seem to count from 1, so subtract 1" if one_based else "correct the index"
        if low < 0:
            hint += ", and leave out trials without an image"
        raise InputError(
            f"stimulus holds indices from {low} to {high} for {stimuli} images: expected 0 to "
            f"{stimuli - 1}; {hint}."
        )


def _check_rois(rois: dict[str, np.ndarray], voxels: int) -> None:
    if "all" in rois:
        raise InputError(
            "A region is named 'all': expected another name, because the ROI 'all' takes every "
            "voxel; rename it."
        )
    for name, mask in rois.items():
        _check_array(f"rois[{name!r}]", mask, np.dtype(bool), "(voxels,)", 1)
        if len(mask) != voxels:
            raise InputError(
                f"rois[{name!r}] has {len(mask)} entries for {voxels} voxels: expected one bool "
                "per voxel of fmri."
            )


def _check_split(recording: Recording) -> None:
    """Rejects a test image that is also shown in training, under the same index or another one."""
    split = recording.split
    _check_array("split", split, np.dtype(np.str_), "(trials,)", 1)
    if len(split) != len(recording.fmri):
        raise InputError(
            f"split has {len(split)} entries for {len(recording.fmri)} trials: expected one per "
            "trial."
        )
    names = set(np.unique(split).tolist())
    if TRAIN not in names:
        raise InputError(f"split holds {sorted(names)}: expected some trials to be {TRAIN!r}.")
    if names == {TRAIN}:
        return
    distinct = recording.distinct_images
    training = set(recording.stimulus[split == TRAIN].tolist())
    pixels = {int(distinct[i]): i for i in sorted(training, reverse=True)}
    for trial in np.flatnonzero(split != TRAIN):
        stimulus = int(recording.stimulus[trial])
        if int(distinct[stimulus]) in pixels:
            twin = stimulus if stimulus in training else pixels[int(distinct[stimulus])]
            what = "the same stimulus" if twin == stimulus else "a stimulus with the same pixels"
            raise InputError(
                f"split puts trial {trial} into {str(split[trial])!r}, but its stimulus {stimulus} "
                f"({recording.stimulus_names[stimulus]}) is also in training (stimulus {twin}, "
                f"{what}): expected test images that training never shows; move all trials of an "
                "image to one side."
            )


def _check_trial_array(key: str, array: np.ndarray, trials: int, dtype: np.dtype) -> None:
    _check_array(key, array, dtype, "(trials,)", 1)
    if len(array) != trials:
        raise InputError(
            f"{key} has {len(array)} entries, but fmri has {trials} trials: expected one per trial."
        )


def _check_array(key: str, array: np.ndarray, dtype: np.dtype, shape: str, ndim: int) -> None:
    """Rejects what is not an array of this type and rank; any length of string is one type."""
    if not isinstance(array, np.ndarray):
        raise InputError(f"{key} is a {type(array).__name__}: expected an array of {dtype.name}.")
    same = array.dtype.kind == "U" if dtype.kind == "U" else array.dtype == dtype
    if not same:
        raise InputError(f"{key} is {array.dtype}: expected {dtype.name}; convert it.")
    if array.ndim != ndim:
        raise InputError(f"{key} has shape {array.shape}: expected {shape}.")
