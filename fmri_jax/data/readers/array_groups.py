"""Groups and categories of images, from labels of images or of trials."""

from collections.abc import Mapping, Sequence

import numpy as np

from fmri_jax.data.readers.missing import is_missing
from fmri_jax.errors import InputError


def by_image(
    key: str, arrays: Mapping[str, np.ndarray], stimulus: np.ndarray, n_images: int
) -> tuple[str, ...]:
    """The label of each image under a key of a file.

    Args:
        key: of the labels, (stimuli,) or (trials,) text or whole numbers; where there are as many
            trials as images, they are of images.
        arrays: of the file.
        stimulus: (trials,) index of the image of each trial.
        n_images: number of images.

    Returns:
        One text per image, "" where it has no label; nothing where the file has no such key, or
        only empty labels.

    Raises:
        InputError: the labels have another length or type, or trials of one image differ in theirs.
    """
    if key not in arrays:
        return ()
    labels = _texts(key, np.asarray(arrays[key]))
    if len(labels) == n_images:
        return tuple(labels) if any(labels) else ()
    return by_trial(key, labels, stimulus, n_images)


def by_trial(
    key: str, labels: Sequence[str], stimulus: np.ndarray, n_images: int
) -> tuple[str, ...]:
    """The label of each image from the text that each trial has, as `by_image`."""
    if len(labels) != len(stimulus):
        raise InputError(
            f"{key} has {len(labels)} entries for {n_images} images and {len(stimulus)} trials: "
            "expected one per image, or one per trial."
        )
    found = [""] * n_images
    for image, label in zip(stimulus.tolist(), labels, strict=True):
        if label and found[image] not in ("", label):
            raise InputError(
                f"{key} holds {found[image]!r} and {label!r} for trials of image {image}: expected "
                "the same in all of them, as it says which images depend on one another; leave it "
                "out if it is something else."
            )
        found[image] = label or found[image]
    return tuple(found) if any(found) else ()


def _texts(key: str, values: np.ndarray) -> list[str]:
    """Labels as texts; "" for what stands for none, -1 and NaN among them."""
    if values.ndim != 1 or values.dtype.kind not in "iufUS":
        raise InputError(
            f"{key} is {values.dtype} of shape {values.shape}: expected a list of texts or whole "
            "numbers."
        )
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind == "U":
        return ["" if is_missing(text) else text for text in np.char.strip(values).tolist()]
    known = np.isfinite(values) & (values >= 0)
    if (values[known] != np.rint(values[known])).any():
        raise InputError(f"{key} holds numbers that are not whole: expected whole ones, or texts.")
    pairs = zip(values.tolist(), known.tolist(), strict=True)
    return [str(round(value)) if there else "" for value, there in pairs]
