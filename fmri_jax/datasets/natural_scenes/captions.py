"""What people wrote about the images of NSD, all of which come from COCO: about five captions each.

Beside the prepared layout, either

    COCO_73k_annots_curated.npy         (73000, 5) text, "" where there are fewer

as Brain-Diffuser and MindEye read it, or COCO's own annotations with NSD's table of its images:

    captions_train2017.json, captions_val2017.json
    nsd_stim_info_merged.csv            nsdId, cocoId: which image of COCO each one is

References:
    Lin et al. (2014), "Microsoft COCO", ECCV; Chen et al. (2015), arXiv:1504.00325.
"""

import csv
import json
import pathlib
from collections.abc import Sequence

import numpy as np

from fmri_jax.archives import CorruptError, read_npy
from fmri_jax.data import captions
from fmri_jax.data.captions import Captions
from fmri_jax.errors import InputError

CURATED = "COCO_73k_annots_curated.npy"
TABLE = "nsd_stim_info_merged.csv"
ANNOTATIONS = ("captions_train2017.json", "captions_val2017.json")


def find(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files that hold the captions: the curated one alone, or the table and COCO's two.

    Raises:
        InputError: neither is complete.
    """
    if (folder / CURATED).is_file():
        return [folder / CURATED]
    names = (TABLE, *ANNOTATIONS)
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise InputError(
            f"{folder} holds no {missing[0]}: expected the captions of NSD's images, {CURATED}, or "
            f"{TABLE} of NSD with {' and '.join(ANNOTATIONS)} of COCO (https://cocodataset.org); "
            "put them there, or set captions=False."
        )
    return [folder / name for name in names]


def read(files: Sequence[pathlib.Path], shown: Sequence[int]) -> Captions:
    """The captions of images by their numbers in NSD, from 0.

    Args:
        files: as `find` gives them.
        shown: numbers of the images.

    Raises:
        InputError: a file is damaged, or holds no caption of an image.
    """
    first, *annotations = files
    found = _of_coco(first, annotations, shown) if annotations else _curated(first, shown)
    if lacking := [n for n, texts in zip(shown, found, strict=True) if not texts]:
        raise InputError(
            f"{first.parent} holds no caption of {len(lacking)} of {len(shown)} images, first of "
            f"nsd{lacking[0]:05}: expected captions of all of them; get {files[-1].name} again."
        )
    return found


def _curated(path: pathlib.Path, shown: Sequence[int]) -> Captions:
    try:
        texts = read_npy(path)
    except (OSError, CorruptError) as error:
        raise InputError(f"{path} cannot be read ({error}): copy it again.") from None
    if texts.dtype.kind != "U" or texts.ndim != 2 or len(texts) <= max(shown):
        raise InputError(
            f"{path} is {texts.dtype} of shape {texts.shape}: expected text, one row per image of "
            f"NSD, of which number {max(shown)} was shown."
        )
    return captions.from_array(texts[np.asarray(shown)]) or tuple(() for _ in shown)


def _of_coco(
    table: pathlib.Path, annotations: Sequence[pathlib.Path], shown: Sequence[int]
) -> Captions:
    """Captions by way of the images' numbers in COCO."""
    number_in_coco = _table(table)
    if unknown := [number for number in shown if number not in number_in_coco]:
        raise InputError(
            f"{table} has no row of nsdId {unknown[0]}: expected one per image of NSD; get it "
            "again."
        )
    texts: dict[int, list[str]] = {number_in_coco[number]: [] for number in shown}
    for path in annotations:
        for image, text in _annotations(path):
            if image in texts and text:
                texts[image].append(text)
    return tuple(tuple(texts[number_in_coco[number]]) for number in shown)


def _table(path: pathlib.Path) -> dict[int, int]:
    """Number in NSD -> number in COCO."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return {int(row["nsdId"]): int(row["cocoId"]) for row in csv.DictReader(stream)}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({type(error).__name__}: {error}): expected NSD's table with "
            "the columns nsdId and cocoId; get it again."
        ) from None


def _annotations(path: pathlib.Path) -> list[tuple[int, str]]:
    """Number of an image in COCO, and a caption of it, in the order of COCO's file."""
    try:
        with path.open(encoding="utf-8") as stream:
            found = json.load(stream)["annotations"]
        return [(int(each["image_id"]), " ".join(each["caption"].split())) for each in found]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} cannot be read ({type(error).__name__}: {error}): expected COCO's annotations "
            "with image_id and caption; get it again."
        ) from None
