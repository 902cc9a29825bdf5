"""From the named arrays of any lab's file to a recording.

    fmri            (trials, voxels) real numbers
    stimulus        (trials,) whole numbers, index into images from 0
    images          (stimuli, height, width, channels) uint8, or real numbers in [0, 1], or bool
    run             optional (trials,) whole numbers
    roi_names       optional (rois,) text, together with
    roi_masks       optional (rois, voxels) bool
    stimulus_names  optional (stimuli,) text; an image without a name gets its number as one
    captions        optional (stimuli,) or (stimuli, captions) text, "" where there are fewer
    split           optional (trials,) text: "train", "test" or another test set's name; where no
                    trial has one, all are training trials
    simulated       optional bool
    description     optional text, one sentence
    subject         optional text or number that tells the person from others
    groups          optional (stimuli,) or (trials,) text or whole numbers: images of one group,
                    such as frames of a movie, are one piece of evidence; "" or -1 for none
    categories      the same, of categories: images are also told apart within their own
    modality        optional text: fMRI (where it is absent), spikes, MEG, ...; "simulated" is the
                    same as `simulated`

Other keys are ignored, unless one looks like a misspelling, or is another word, for one that is
absent.
"""

import difflib
from collections.abc import Mapping

import numpy as np

from fmri_jax.data import captions
from fmri_jax.data.captions import Captions
from fmri_jax.data.modality import FMRI, canonical
from fmri_jax.data.readers import array_groups as shared
from fmri_jax.data.readers.array_images import as_pixels, check_stack
from fmri_jax.data.readers.missing import is_missing
from fmri_jax.data.recording import TRAIN, Recording
from fmri_jax.errors import InputError

REQUIRED = ("fmri", "stimulus", "images")
OPTIONAL = (
    "run",
    "roi_names",
    "roi_masks",
    "stimulus_names",
    "captions",
    "split",
    "simulated",
    "description",
    "subject",
    "groups",
    "categories",
    "modality",
)
# Words that a lab may use for something else: another spelling of them is no mistake.
ORDINARY = ("subject", "captions", "groups", "categories", "modality")
SIMULATED = "simulated"  # what some say in the place of a modality
REGIONS = ("roi", "rois", "masks")  # words under which labs store what we have in two keys


def session_from_arrays(
    arrays: Mapping[str, np.ndarray], where: str, groups: str = ""
) -> Recording:
    """Builds a recording from arrays under the keys of this module's docstring.

    Args:
        arrays: key -> array.
        where: the file that they come from, for messages.
        groups: the key that holds the groups, where it is not `groups`.

    Returns:
        The recording, checked; without `split` every trial is a training trial.

    Raises:
        InputError: a key is missing or misspelt, or an array cannot be used; the message begins
            with `where`.
    """
    try:
        _check_keys(arrays)
        if groups and groups not in arrays:
            raise InputError(
                f"it has no key {groups!r}, which was named for its groups: choose one of "
                f"{', '.join(sorted(arrays))}."
            )
        fmri = _responses(arrays["fmri"])
        _check_labels(arrays["stimulus"])
        stimulus = _whole_numbers("stimulus", arrays["stimulus"])
        _check_axes(fmri, stimulus)
        images = as_pixels(arrays["images"])
        check_stack(images, arrays.get("stimulus_names"), stimulus)
        run = arrays.get("run", np.zeros(len(fmri), np.int32))
        modality = canonical(str(arrays.get("modality", "")))
        names = _named(arrays.get("stimulus_names", np.full(len(images), "")))
        _check_names(names, images)
        return Recording(
            fmri=fmri,
            stimulus=stimulus,
            images=images,
            run=_whole_numbers("run", run),
            rois=_rois(arrays, fmri.shape[1]),
            stimulus_names=tuple(names.tolist()),
            split=_splits(arrays.get("split", np.full(len(fmri), TRAIN))),
            simulated=bool(np.all(arrays.get("simulated", False))) or modality == SIMULATED,
            description=str(arrays.get("description", "")),
            subject=_subject(arrays.get("subject", np.empty(0))),
            captions=_captions(arrays.get("captions")),
            groups=shared.by_image(groups or "groups", arrays, stimulus, len(images)),
            categories=shared.by_image("categories", arrays, stimulus, len(images)),
            modality=FMRI if modality == SIMULATED else modality,
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
        absent = [name for name in OPTIONAL if name not in (*arrays, *ORDINARY)]
        absent += ["captions"] if key.lower() == "caption" and "captions" not in arrays else []
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
    with np.errstate(over="ignore"):  # what overflows float32 is rejected as not finite
        return fmri.astype(np.float32, copy=False)


def _whole_numbers(key: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "fiu":
        raise InputError(f"{key} is {values.dtype}: expected whole numbers, such as int32.")
    # The bounds come first: casting a huge or undefined float to int32 has no defined result.
    if not (np.abs(values.astype(np.float64)) < 2**31).all() or (values != np.rint(values)).any():
        raise InputError(f"{key} holds values that are not whole numbers of int32's range.")
    return values.astype(np.int32, copy=False)


def _check_labels(stimulus: np.ndarray) -> None:
    """Rejects trials without a label; a whole number in all others is checked elsewhere."""
    if stimulus.dtype.kind != "f" or np.isinf(stimulus).any():
        return
    missing = np.flatnonzero(np.isnan(stimulus))
    if 0 < len(missing) < stimulus.size:
        raise InputError(
            f"stimulus is NaN in {len(missing)} of {stimulus.size} trials, the first trial "
            f"{missing[0]}: expected the index of an image; leave trials without an image, such as "
            "rest, out of fmri, stimulus, run and split."
        )


def _splits(values: np.ndarray) -> np.ndarray:
    """The split of each trial, "Train " and "TEST" as "train" and "test".

    Raises:
        InputError: some trials have one and others none.
    """
    texts = _texts("split", values)
    stripped = [text.strip() for text in texts.tolist()]
    missing = [trial for trial, text in enumerate(stripped) if is_missing(text)]
    if stripped and len(missing) == len(stripped):
        return np.full(len(stripped), TRAIN)
    if missing:
        raise InputError(
            f"split is {texts[missing[0]].item()!r} in {len(missing)} of {len(stripped)} trials, "
            f"the first trial {missing[0]}: expected 'train', 'test' or another test set's name in "
            "each; leave out trials that belong to none."
        )
    known = {TRAIN, "test"}
    return np.asarray([t.casefold() if t.casefold() in known else t for t in stripped], np.str_)


def _named(values: np.ndarray) -> np.ndarray:
    """The name of each image; its number where it has none, as "n/a" says."""
    names = [name.strip() for name in _texts("stimulus_names", values).tolist()]
    given = [f"image {i}" if is_missing(name) else name for i, name in enumerate(names)]
    return np.asarray(given, np.str_)


def _captions(values: np.ndarray | None) -> Captions:
    if values is None:
        return ()
    flat = _texts("captions", values.reshape(-1) if values.ndim == 2 else values)
    there = [not is_missing(text) for text in flat.tolist()]
    return captions.from_array(np.where(there, flat, "").reshape(values.shape))


def _check_names(names: np.ndarray, images: np.ndarray) -> None:
    """Rejects one name for different images: one of the two is not what the subject saw."""
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
    names = [name.strip() for name in _texts("roi_names", arrays["roi_names"]).tolist()]
    masks = arrays["roi_masks"]
    if masks.shape != (len(names), voxels):
        hint = "; its axes seem swapped" if masks.shape == (voxels, len(names)) else ""
        raise InputError(
            f"roi_masks has shape {masks.shape}: expected ({len(names)}, {voxels}), one row per "
            f"entry of roi_names and one column per voxel{hint}."
        )
    if nameless := [i for i, name in enumerate(names) if is_missing(name)]:
        raise InputError(
            f"roi_names holds {names[nameless[0]]!r} at place {nameless[0]}: expected the name of "
            "a region; name it, or leave it and its row of roi_masks out."
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
