"""From the named arrays of any lab's file to a recording.

    fmri            (trials, voxels) real numbers
    stimulus        (trials,) whole numbers, index into images from 0
    images          (stimuli, height, width, channels) uint8, or real numbers in [0, 1], or bool
    run             optional (trials,) whole numbers
    roi_names       optional (rois,) text, together with
    roi_masks       optional (rois, voxels) bool
    stimulus_names  optional (stimuli,) text
    split           optional (trials,) text: "train", "test" or another test set's name
    simulated       optional bool
    description     optional text, one sentence
    subject         optional text or number that tells the person from others

Other keys are ignored, unless one looks like a misspelling, or is another word, for one that is
absent.
"""

import difflib
from collections.abc import Mapping

import numpy as np

from fmri_jax.data.doubts import DARK
from fmri_jax.data.recording import TRAIN, Recording
from fmri_jax.errors import InputError

REQUIRED = ("fmri", "stimulus", "images")
OPTIONAL = (
    "run",
    "roi_names",
    "roi_masks",
    "stimulus_names",
    "split",
    "simulated",
    "description",
    "subject",
)
REGIONS = ("roi", "rois", "masks")  # words under which labs store what we have in two keys


def session_from_arrays(arrays: Mapping[str, np.ndarray], where: str) -> Recording:
    """Builds a recording from arrays under the keys of this module's docstring.

    Args:
        arrays: key -> array.
        where: the file that they come from, for messages.

    Returns:
        The recording, checked; without `split` every trial is a training trial.

    Raises:
        InputError: a key is missing or misspelt, or an array cannot be used; the sentence begins
            with `where`.
    """
    try:
        _check_keys(arrays)
        fmri = _responses(arrays["fmri"])
        stimulus = _whole_numbers("stimulus", arrays["stimulus"])
        _check_axes(fmri, stimulus)
        images = _pixels(arrays["images"])
        _check_stack(images, arrays.get("stimulus_names"), stimulus)
        run = arrays.get("run", np.zeros(len(fmri), np.int32))
        names = arrays.get("stimulus_names", np.asarray([f"image {i}" for i in range(len(images))]))
        _check_names(_texts("stimulus_names", names), images)
        split = arrays.get("split", np.full(len(fmri), TRAIN))
        return Recording(
            fmri=fmri,
            stimulus=stimulus,
            images=images,
            run=_whole_numbers("run", run),
            rois=_rois(arrays, fmri.shape[1]),
            stimulus_names=tuple(_texts("stimulus_names", names).tolist()),
            split=_texts("split", split),
            simulated=bool(np.all(arrays.get("simulated", False))),
            description=str(arrays.get("description", "")),
            subject=_subject(arrays.get("subject", np.empty(0))),
        )
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _check_keys(arrays: Mapping[str, np.ndarray]) -> None:
    for key in REQUIRED:
        if key not in arrays:
            raise InputError(
                f"key {key!r} is missing; it holds {', '.join(sorted(arrays)) or 'nothing'}: "
                f"expected {', '.join(REQUIRED)}, and optionally {', '.join(OPTIONAL)}."
            )
    for key in set(arrays) - {*REQUIRED, *OPTIONAL}:
        # "subjects" or "subject_id" may be a lab's own key, and nothing depends on the name.
        absent = [name for name in OPTIONAL if name not in (*arrays, "subject")]
        for meant in difflib.get_close_matches(key, absent, n=1, cutoff=0.8):
            raise InputError(f"key {key!r} is unknown: rename it to {meant!r}, or to another word.")
        if key.lower() in REGIONS and "roi_masks" in absent:
            raise InputError(
                f"key {key!r} is unknown: expected regions as roi_names, (rois,) texts, and "
                "roi_masks, (rois, voxels) bool; store them so, or rename the key if it is another "
                "thing."
            )


def _subject(value: np.ndarray) -> str:
    """The subject's name; a key of this name that holds something else is none."""
    return str(value.reshape(-1)[0]) if value.size == 1 and value.dtype.kind in "iuU" else ""


def _check_axes(fmri: np.ndarray, stimulus: np.ndarray) -> None:
    if len(fmri) != stimulus.size == fmri.shape[1]:
        raise InputError(
            f"fmri has shape {fmri.shape} for {stimulus.size} entries of stimulus: expected "
            "(trials, voxels); its axes seem swapped, so store fmri.T."
        )


def _responses(fmri: np.ndarray) -> np.ndarray:
    if fmri.dtype.kind not in "fiu":
        raise InputError(f"fmri is {fmri.dtype}: expected real numbers, such as float32.")
    if fmri.ndim != 2:
        raise InputError(f"fmri has shape {fmri.shape}: expected (trials, voxels).")
    with np.errstate(over="ignore"):  # what overflows float32 is refused as not finite
        return fmri.astype(np.float32, copy=False)


def _whole_numbers(key: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "fiu":
        raise InputError(f"{key} is {values.dtype}: expected whole numbers, such as int32.")
    # The bounds come first: casting a huge or undefined float to int32 has no defined result.
    if not (np.abs(values.astype(np.float64)) < 2**31).all() or (values != np.rint(values)).any():
        raise InputError(f"{key} holds values that are not whole numbers of int32's range.")
    return values.astype(np.int32, copy=False)


def _pixels(images: np.ndarray) -> np.ndarray:
    """Images as uint8, where what their numbers mean is beyond doubt."""
    shape, kind = images.shape, images.dtype.kind
    if images.ndim == 3:
        raise InputError(
            f"images has shape {shape}: expected (stimuli, height, width, channels); grey images "
            "need their channel axis, images[..., None]."
        )
    if len(shape) != 4:
        raise InputError(f"images has shape {shape}: expected (stimuli, height, width, channels).")
    if shape[2] in (1, 3) and shape[3] not in (1, 3):
        raise InputError(
            f"images has shape {shape}: expected (stimuli, height, width, channels); the images "
            "seem to be counted along the last axis, so put it first, permute(images, [4 1 2 3]) "
            "in MATLAB or np.moveaxis(images, -1, 0) in Python."
        )
    if shape[1] in (1, 3) and shape[3] not in (1, 3):
        raise InputError(
            f"images has shape {shape}: expected (stimuli, height, width, channels); the channels "
            "seem to come first, so store np.moveaxis(images, 1, -1)."
        )
    if images.dtype == np.uint8:
        if images.size and 0 < images.max() < DARK:
            raise InputError(
                f"images is uint8 with values from {images.min()} to {images.max()}: expected 0 to "
                f"255; {'multiply by 255' if images.max() == 1 else 'scale it to that range'}."
            )
        return images
    if kind == "b":
        return images.astype(np.uint8) * np.uint8(255)
    if kind == "f":
        if images.size and not (images.min() >= 0 and images.max() <= 1):
            raise InputError(
                f"images is {images.dtype} with values from {images.min():g} to {images.max():g}: "
                "expected [0, 1], or uint8 from 0 to 255."
            )
        if images.size and 0 < images.max() < DARK / 255:
            raise InputError(
                f"images is {images.dtype} with values up to {images.max():.3g}: expected them to "
                "reach far into [0, 1]; they seem to be divided once too often (by 255, or by 65535"
                " though they held fewer bits), so divide the stored numbers by their full scale."
            )
        return np.rint(images * 255).astype(np.uint8)
    raise InputError(
        f"images is {images.dtype}: expected uint8 (0 to 255), real numbers in [0, 1] or bool."
    )


def _check_stack(images: np.ndarray, names: np.ndarray | None, stimulus: np.ndarray) -> None:
    """Refuses grey images that are stacked along the third axis, as MATLAB's users do.

    They would read as other images, `height` of them, without a word: each shows one row of all.
    """
    first, _, third, channels = images.shape
    if channels != 1 or first == third or not stimulus.size:
        return
    what, count = "stimulus names", len(np.unique(stimulus))
    stacked = _counts_the_third_axis(images.shape, stimulus)
    if names is not None and names.size in (first, third):  # these settle it
        what, count, stacked = "stimulus_names holds", third, names.size == third
    if stacked:
        raise InputError(
            f"images has shape {images.shape}, and {what} {count} images, which its third axis "
            "seems to hold: expected (stimuli, height, width, channels); put the third axis first, "
            "permute(images, [3 1 2]) in MATLAB or np.moveaxis(images, 2, 0) in Python."
        )


def _counts_the_third_axis(shape: tuple[int, ...], stimulus: np.ndarray) -> bool:
    """Whether the indices of the images that are shown fit the third axis better than the first.

    Images of a bank that a subject never saw are no evidence: only where the third axis leaves
    fewer of them, and either nearly none or images that are square, is it the likelier one.
    """
    first, second, third = shape[:3]
    shown = np.unique(stimulus)
    low, high = int(shown[0]), int(shown[-1])
    if low < 0 or high - (low >= 1) >= third or (low == 1 and high == first):
        return False
    nearly_all_shown = third - len(shown) <= max(1, third // 10)
    if third > first:
        return high >= first and nearly_all_shown
    return first == second or (second != third and nearly_all_shown)


def _check_names(names: np.ndarray, images: np.ndarray) -> None:
    """Refuses one name for different images: one of the two is not what the subject saw."""
    first: dict[str, int] = {}
    for i, name in enumerate(names[: len(images)].tolist()):
        j = first.setdefault(name, i)
        if not np.array_equal(images[i], images[j]):
            raise InputError(
                f"stimulus_names holds {name!r} for images {j} and {i}, whose pixels differ: "
                "expected a name of its own for each image; rename one."
            )


def _rois(arrays: Mapping[str, np.ndarray], voxels: int) -> dict[str, np.ndarray]:
    given = [key for key in ("roi_names", "roi_masks") if key in arrays]
    if not given:
        return {}
    if len(given) == 1:
        raise InputError(f"{given[0]} is there alone: expected roi_names and roi_masks together.")
    names, masks = _texts("roi_names", arrays["roi_names"]).tolist(), arrays["roi_masks"]
    if masks.shape != (len(names), voxels):
        hint = "; its axes seem swapped" if masks.shape == (voxels, len(names)) else ""
        raise InputError(
            f"roi_masks has shape {masks.shape}: expected ({len(names)}, {voxels}), one row an "
            f"entry of roi_names and one column a voxel{hint}."
        )
    if len(set(names)) < len(names):
        raise InputError(f"roi_names holds a name twice: {', '.join(names)}; expected each once.")
    if masks.dtype.kind not in "biuf" or not np.isin(masks, (0, 1)).all():
        raise InputError(
            f"roi_masks ({masks.dtype}) holds other values than 0 and 1: expected bool."
        )
    return dict(zip(names, masks.astype(bool), strict=True))


def _texts(key: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{key} holds bytes that are not UTF-8 ({error}): expected a list of texts; store "
                "them as str."
            ) from None
    if values.dtype.kind != "U" or values.ndim != 1:
        raise InputError(
            f"{key} is {values.dtype} of shape {values.shape}: expected a list of texts."
        )
    return values
