"""Test images with a near copy in training, found before anything is fitted."""

import numpy as np

from fmri_jax.data.recording import TRAIN, Recording, ordered_sets
from fmri_jax.evaluation.duplicates import nearly_equal
from fmri_jax.report.text.text_format import count

MOST = 4_000  # images: of more the comparison of all pairs takes minutes
_SIDE = 64  # px that images are thinned out to: what is compared is coarser


def sentences(recording: Recording, split: str) -> list[str]:
    """What is said of them, with the cure; nothing where there are none, or too many images.

    Args:
        recording: the recording.
        split: of the experiment; a cluster keeps similar images together.
    """
    images, sides = _sides(recording, split)
    if len(images) > MOST or len(images) < 2 or split == "cluster":
        return []
    step = max(1, min(recording.images.shape[1:3]) // _SIDE)
    alike = nearly_equal(recording.images[images][:, ::step, ::step])
    apart = alike & (sides[:, None] != sides)
    tested = sides > 0 if split == "given" else np.ones(len(images), bool)
    n = int((apart.any(axis=1) & tested).sum())
    if not n:
        return []
    return [
        f"{count(n, 'test image')} nearly {'equals' if n == 1 else 'equal'} an image shown in "
        "training (pixel correlation above .95): scores are too good there. "
        "--config.preparation.split=cluster keeps similar images together."
    ]


def _sides(recording: Recording, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Distinct images that are shown, and a number of each: those of one number stay together.

    Of "given" 0 are training images and 1 those of the main test set.
    """
    train = recording.split == TRAIN
    shown = recording.distinct_images[recording.stimulus]
    if split == "given":
        names = ordered_sets(sorted(set(recording.split.tolist()) - {TRAIN}))
        test = recording.split == names[0] if names else ~train
        used = train | test
        images, first = np.unique(shown[used], return_index=True)
        return images, test[used][first].astype(int)
    images, first = np.unique(shown[train], return_index=True)
    if split == "run":
        return images, recording.run[train][first]
    if split == "group":
        group = recording.group_numbers[images]
        return images, np.where(group >= 0, group, len(recording.images) + images)
    return images, images
