"""Malformed BData files, and images that do not belong to them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

from fmri_jax.data import load
from tests.data.builders import SYNSETS, bdata, change_h5, replace_dataset, synset_images
from tests.data.readers.bad_input.case import Case


def table(what: str, change: Callable[[h5py.File], object], message: str) -> Case:
    def open_it(folder: Path) -> object:
        bdata().save(str(folder / "s.h5"))
        images = synset_images(folder / "images")
        return load(change_h5(folder / "s.h5", change), images=images)

    return Case(f"BData: {what}", open_it, rf"s\.h5:? .*{message}")


def around(what: str, change: Callable[[Path], object], message: str, **options: Any) -> Case:
    """A good table among bad files or with bad options."""

    def open_it(folder: Path) -> object:
        bdata().save(str(folder / "s.h5"))
        images = synset_images(folder / "images")
        change(folder)
        return load(str(folder / "s.h5"), images=images, **options)

    return Case(f"BData: {what}", open_it, message)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:3000])


def other_subject(folder: Path) -> object:
    bdata().save(str(folder / "s.h5"))
    bdata(seed=1).save(str(folder / "t.h5"))
    images = synset_images(folder / "images")
    return load(str(folder / "s.h5"), images=images, test_path=str(folder / "t.h5"))


def unpadded_numbers(folder: Path) -> object:
    """Labels 1 to 12 for 1.png to 12.png, of which the second by text is 10.png."""
    bdata().save(str(folder / "s.h5"))
    change = replace_dataset("dataset", lambda x: np.c_[x[:, :-1], np.tile(np.arange(12) + 1, 2)])
    (folder / "pictures").mkdir()
    for i in range(12):
        Image.new("L", (8, 8), i).save(folder / "pictures" / f"{i + 1}.png")
    return load(change_h5(folder / "s.h5", change), images=str(folder / "pictures"))


def in_place_of(name: str, value: Any) -> Callable[[h5py.File], None]:
    """A dataset where there was another one, a group or nothing."""

    def change_it(file: h5py.File) -> None:
        if name in file:
            del file[name]
        file[name] = value

    return change_it


def rest_beside_texts(file: h5py.File) -> None:
    """A trial without a label, in a file whose `vmap` names the others."""
    file["dataset"][0, -1] = np.nan
    for number in SYNSETS:
        file[f"vmap/stimulus_id/{number}"] = b"n01518878_5958"


def nothing(folder: Path) -> None:
    pass


CASES = [
    table("no table", lambda f: f.move("dataset", "data"), "expected BData with /dataset"),
    table("no metadata", lambda f: f.__delitem__("metadata"), "expected BData with /metadata"),
    table(
        "no metadata values",
        lambda f: f.__delitem__("metadata/value"),
        "expected BData with /metadata/value",
    ),
    table(
        "a group for the table",
        lambda f: (f.move("dataset", "x"), f.move("x", "dataset/x")),
        "/dataset is a group of HDF5: expected a dataset",
    ),
    table("an empty table", in_place_of("dataset", h5py.Empty("f")), "expected .trials, columns."),
    table(
        "a table of text",
        replace_dataset("dataset", lambda x: x.astype("S")),
        "/dataset is .S32: expected numbers",
    ),
    table(
        "a dataset for the metadata",
        in_place_of("metadata", np.zeros(3)),
        "/metadata is a dataset of HDF5: expected a group",
    ),
    table(
        "metadata as text",
        replace_dataset("metadata/value", lambda x: np.full(x.shape, b"a")),
        "is no BData .could not convert string to float.*: expected numbers in metadata/value",
    ),
    table(
        "metadata as records",
        in_place_of("metadata/value", np.zeros(3, [("a", "f8"), ("b", "f8")])),
        "is no BData .*: expected numbers in metadata/value",
    ),
    table(
        "a key in Latin-1",
        replace_dataset("metadata/key", lambda x: np.asarray([b"\xe9"] * len(x))),
        "is no BData .*: .* UTF-8 in metadata/key",
    ),
    table(
        "a vmap of names that are no numbers",
        in_place_of("vmap/stimulus_id/x1", b"a"),
        "is no BData .*'x1'.: .* numbers as the names in vmap",
    ),
    table(
        "a dataset for the vmap",
        in_place_of("vmap", np.zeros(3)),
        "/vmap is a dataset of HDF5: expected a group",
    ),
    table(
        "a dataset for the vmap of a label",
        in_place_of("vmap/stimulus_id", np.zeros(3)),
        "/vmap/stimulus_id is a dataset of HDF5: expected a group",
    ),
    table("zero trials", replace_dataset("dataset", lambda x: x[:0]), "expected .trials, columns."),
    table("one axis", replace_dataset("dataset", np.ravel), "expected .trials, columns."),
    table(
        "a column too few",
        replace_dataset("dataset", lambda x: x[:, 1:]),
        r"metadata/value has shape \(9, 33\): expected \(9, 32",
    ),
    table(
        "swapped metadata",
        replace_dataset("metadata/value", np.transpose),
        r"metadata/value has shape \(33, 9\): expected \(9, 33",
    ),
    table(
        "one key for all",
        replace_dataset("metadata/key", lambda x: np.asarray([b"a"] * len(x))),
        "metadata/key holds 'a' twice",
    ),
    table(
        "NaN labels",
        replace_dataset("dataset", lambda x: np.where(x > 2, np.nan, x)),
        "stimulus_id is NaN in 24 of 24 trials, .*; leave trials without an image, such as rest",
    ),
    table("NaN labels beside texts", rest_beside_texts, "stimulus_id is NaN in 1 of 24 trials"),
    table(
        "counted labels from 0",
        replace_dataset("dataset", lambda x: np.c_[x[:, :-1], np.tile(np.arange(4), 6)]),
        "numbers from 0 to 3 for 4 images .* config.data.file.label and config.data.file.images",
    ),
    table(
        "float32 labels that lost digits",
        replace_dataset("dataset", lambda x: x.astype(np.float32)),
        "they passed through float32",
    ),
    around("cut short", lambda f: cut(f / "s.h5"), r"s\.h5 cannot be read as BData"),
    around("empty", lambda f: (f / "s.h5").write_bytes(b""), r"s\.h5 cannot be read as BData"),
    around("missing", lambda f: (f / "s.h5").unlink(), r"s\.h5 is not a file: expected a BData"),
    around("an ROI that is not there", nothing, "'V9' does not exist .* LOC, V1, V2, hc", roi="V9"),
    around("an ROI that cannot be read", nothing, "a parenthesis is not closed", roi="(V1 + V2"),
    around("an empty ROI", nothing, "s.h5: roi 'V1 - V1' selects no voxel: exp", roi="V1 - V1"),
    around("labels among voxels", nothing, "takes 1 columns that are no v", roi="V1 + Run"),
    around("no such label", nothing, "no column 'Id': choose one of Run, Session, V", label="Id"),
    around("no label by the option", nothing, "named by config.data.file.label", label="Od"),
    around(
        "an image is missing",
        lambda f: (f / "images" / "n01518878" / "n01518878_5958.JPEG").unlink(),
        "lacks 1 of 4 images .* like n01518878_5958.JPEG",
    ),
    around(
        "one stimulus id with two images",
        lambda f: (f / "images" / "n02084071_12.png").write_bytes(b""),
        "expected each image name once; remove one",
    ),
    around(
        "a corrupt JPEG",
        lambda f: (f / "images/n02084071/n02084071_12.JPEG").write_bytes(b"\xff\xd8\xff\xe0"),
        r"n02084071_12\.JPEG cannot be decoded",
    ),
    around("a negative image size", nothing, "image size is -1 px: expected at", image_size=-1),
    Case(
        "BData: numbers without leading zeros",
        unpadded_numbers,
        "stimulus_id counts .* 10.png comes before 2.png .*; number the files with leading zeros",
    ),
    Case("BData: training and test of two subjects", other_subject, "has other voxels or regions"),
    Case(
        "BData: no images",
        lambda f: bdata().save(str(f / "s.h5")) or load(str(f / "s.h5")),
        "does not hold them: .* the images; name it with --config.data.file.images=FOLDER",
    ),
]
