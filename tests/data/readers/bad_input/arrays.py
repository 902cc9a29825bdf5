"""Malformed `.npz` and `.mat` recordings."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat
from scipy.sparse import csc_matrix

from fmri_jax.data import load
from tests.data.builders import Arrays, arrays
from tests.data.readers.bad_input.case import Case

Change = Callable[[Arrays], Arrays]


def npz(what: str, change: Change, message: str) -> Case:
    def open_it(folder: Path) -> object:
        np.savez(folder / "my.npz", **change(arrays()))
        return load(str(folder / "my.npz"))

    return Case(f"npz: {what}", open_it, rf"my\.npz:? .*{message}")


def mat(what: str, change: Change, message: str) -> Case:
    def open_it(folder: Path) -> object:
        savemat(folder / "my.mat", change(arrays()))
        return load(str(folder / "my.mat"))

    return Case(f"mat: {what}", open_it, rf"my\.mat: .*{message}")


def file(what: str, name: str, content: Callable[[bytes], bytes], message: str) -> Case:
    """A file made of the bytes of a good `.npz`."""

    def open_it(folder: Path) -> object:
        np.savez(folder / "good.npz", **arrays())
        (folder / name).write_bytes(content((folder / "good.npz").read_bytes()))
        return load(str(folder / name))

    return Case(f"file: {what}", open_it, rf"{name} .*{message}")


def without(key: str) -> Change:
    return lambda a: {k: v for k, v in a.items() if k != key}


def with_(key: str, change: Callable[[np.ndarray], Any]) -> Change:
    return lambda a: a | {key: change(a[key])}


def add(**more: Any) -> Change:
    return lambda a: a | more


def regions_as(key: str) -> Change:
    """One array of masks, without names."""
    return lambda a: {k: v for k, v in a.items() if "roi" not in k} | {key: a["roi_masks"]}


def one_stimulus_on_both_sides(a: Arrays) -> Arrays:
    split = np.asarray(["train", "test"] * 12)
    return a | {"stimulus": np.repeat(np.arange(6), 4), "split": split}


def one_image_on_both_sides_under_two_numbers(a: Arrays) -> Arrays:
    images = a["images"].copy()
    images[5] = images[0]
    return a | {"images": images, "split": np.where(a["stimulus"] < 5, "train", "test")}


def zeroed_inside(content: bytes) -> bytes:
    damaged = bytearray(content)
    damaged[400:500] = bytes(100)
    return bytes(damaged)


def raw_bytes(content: bytes) -> bytes:
    """A zip whose files are no arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("fmri", "stimulus", "images"):
            archive.writestr(name, content[:9])
    return buffer.getvalue()


def stacked_as_matlab_does(first: int) -> Change:
    """Six grey images(:, :, i) of 8 x 8 pixels, counted from `first`."""
    return lambda a: {
        "fmri": a["fmri"],
        "stimulus": a["stimulus"] + first,
        "images": np.moveaxis(a["images"][..., 0], 0, -1)[..., None],
    }


def stacked(height: int, width: int, unseen: int, *colours: int, **more: Any) -> Change:
    """Images along the last axis as `images(:, :, i)`, of which the last `unseen` are not shown."""

    def change(a: Arrays) -> Arrays:
        count = 6 + unseen
        pixels = np.random.default_rng(0).integers(0, 256, (height, width, *colours, count), "u1")
        return {"fmri": a["fmri"], "stimulus": a["stimulus"], "images": pixels, **more}

    return change


CASES = [
    *(
        npz(
            f"split: {nothing!r} in one trial", add(split=splits), "in 1 of 24 trials, the first tr"
        )
        for nothing in ("", "n/a", "nan")
        for splits in [np.asarray([nothing if i == 3 else "train" for i in range(24)])]
    ),
    npz(
        "labels: NaN in rest trials",
        with_("stimulus", lambda x: np.where(x == 2, np.nan, x)),
        "stimulus is NaN in 4 of 24 trials, the first trial 2: .* leave trials without an image",
    ),
    npz(
        "a region without a name", add(roi_names=np.asarray(["V1", "n/a", "V2"])), "at place 1: exp"
    ),
    *(
        kind(f"images: {what}", with_("images", scaled), "divided once too often")
        for kind in (npz, mat)
        for what, scaled in {
            "divided by 255 twice": lambda x: x / 255 / 255,
            "divided by 255 twice, float32": lambda x: (x / 255 / 255).astype("f4"),
            "divided by 255 twice, float16": lambda x: (x / 255 / 255).astype("f2"),
            "8 bits divided by 65535": lambda x: x / 65535,
            "12 bits divided by 65535": lambda x: x * 16.0 / 65535,
            "divided by 255 squared and clipped": lambda x: np.minimum(x / 65025, 0.003),
        }.items()
    ),
    npz(
        "images: indices of a palette", with_("images", lambda x: x // 16), "from 0 to 15: .* scale"
    ),
    npz("images: true and false as uint8", with_("images", lambda x: x // 128), "multiply by 255"),
    npz("no responses", without("fmri"), "key 'fmri' is missing; it holds images, roi_masks"),
    npz("no stimulus", without("stimulus"), "key 'stimulus' is missing"),
    npz("no images", without("images"), "key 'images' is missing"),
    npz("nothing", lambda a: {}, "key 'fmri' is missing; it holds nothing: expected fmri, stim"),
    npz("swapped axes", with_("fmri", np.transpose), r"axes seem swapped, so store fmri\.T"),
    npz("complex responses", with_("fmri", lambda x: x + 1j), "fmri is complex64: expected real"),
    npz("responses as text", with_("fmri", lambda x: x.astype(str)), "fmri is <U32: expected real"),
    npz("responses as objects", with_("fmri", lambda x: x.astype(object)), "holds Python objects"),
    npz(
        "infinite voxels",
        with_("fmri", lambda x: np.float64(1e300) * x),
        "holds 240 values that are not fin",
    ),
    npz(
        "NaN voxels",
        with_("fmri", lambda x: np.where(x == x[2, 5], np.nan, x)),
        "holds 1 values that are not finite, the first at trial 2, voxel 5",
    ),
    npz("zero trials", lambda a: add(fmri=a["fmri"][:0])(a), "at least one trial|has 24 entries"),
    npz(
        "zero trials throughout",
        lambda a: {"fmri": a["fmri"][:0], "stimulus": a["stimulus"][:0], "images": a["images"]},
        "expected at least one trial and one voxel",
    ),
    npz("one axis", with_("fmri", lambda x: x[0]), r"fmri has shape \(10,\): expected \(trials, v"),
    npz("labels off by one", with_("stimulus", lambda x: x + 1), "count from 1, so subtract 1"),
    npz("negative labels", with_("stimulus", lambda x: x - 1), "from -1 to 4 for 6 images"),
    npz(
        "rest as -1",
        with_("stimulus", lambda x: np.where(x == 5, -1, x)),
        "from -1 to 4 for 6 images: .* leave out trials without an image",
    ),
    npz("broken labels", with_("stimulus", lambda x: x + 0.5), "values that are not whole numbers"),
    npz("undefined labels", with_("stimulus", lambda x: x * np.nan), "that are not whole numbers"),
    npz("labels as text", with_("stimulus", lambda x: x.astype(str)), "expected whole numbers"),
    npz("labels too large", with_("stimulus", lambda x: x + 2.0**40), "int32's range"),
    npz("too many labels", with_("stimulus", lambda x: np.tile(x, 2)), "has 48 entries, but fmri"),
    npz("one label", with_("stimulus", lambda x: np.int32(3)), r"shape \(\): expected \(trials,\)"),
    npz(
        "grey images without channels",
        with_("images", lambda x: x[..., 0]),
        r"grey images need their channel axis, images\[..., None\]",
    ),
    npz("an image as a number", with_("images", lambda x: x[0, 0, 0, 0]), r"images has shape \(\)"),
    npz(
        "images along the third axis",
        stacked_as_matlab_does(0),
        r"\(8, 8, 6, 1\), and stimulus nam",
    ),
    mat(
        "images along the third axis", stacked_as_matlab_does(1), "names 6 images, .*third axis fi"
    ),
    mat(
        "images along the third axis, not square",
        stacked(9, 11, 0),
        r"\(9, 11, 6, 1\), and stimulus names 6 .*third axis first, permute\(images, \[3 1 2\]\)",
    ),
    mat("images along the third axis, one unseen", stacked(8, 8, 1), "names 6 .*third axis first"),
    mat(
        "images along the third axis, one unseen and not square",
        stacked(9, 11, 1),
        "names 6 images, which its third axis seems to hold",
    ),
    mat(
        "images along the third axis, most unseen but named",
        stacked(50, 40, 24, stimulus_names=np.asarray([f"{i}" for i in range(30)], object)),
        "stimulus_names holds 30 images, which its third axis",
    ),
    mat(
        "images in colour along the last axis",
        stacked(9, 11, 0, 3),
        r"\(9, 11, 3, 6\): .* last axis, so put it first, permute\(images, \[4 1 2 3\]\)",
    ),
    npz("channels first", with_("images", lambda x: np.moveaxis(x, -1, 1)), r"store np\.moveaxis"),
    npz(
        "transparent images",
        with_("images", lambda x: np.concatenate([x, x[..., :1]], -1)),
        "so 4 channels: expected .* 3 channels .RGB. or 1",
    ),
    npz(
        "images of different size",
        with_("images", lambda x: np.asarray([x[0], x[1, :5]], object)),
        "holds Python objects: expected plain arrays",
    ),
    npz("16-bit images", with_("images", lambda x: x.astype(np.uint16)), "images is uint16: expec"),
    npz("images to 255 as real", with_("images", lambda x: x * 1.0), r"from 0 to 255: expected \["),
    npz(
        "images from -1", with_("images", lambda x: x / 127.5 - 1), "values from -1 to 1: expected"
    ),
    npz("undefined images", with_("images", lambda x: x * np.nan), "values from nan to nan"),
    npz("0 and 1 as uint8", with_("images", lambda x: x // 200), "0 to 255; multiply by 255"),
    npz(
        "too few runs", with_("run", lambda x: x[1:]), "run has 23 entries, but fmri has 24 trials"
    ),
    npz("runs as bytes", with_("run", lambda x: x.astype("S")), "run is .S11: expected whole"),
    npz("ROI names alone", without("roi_masks"), "roi_names is there alone: expected roi_names an"),
    npz("ROI masks alone", without("roi_names"), "roi_masks is there alone"),
    npz("ROI masks swapped", with_("roi_masks", np.transpose), r"\(3, 10\).*axes seem swapped"),
    npz("ROI of wrong length", with_("roi_masks", lambda x: x[:, 1:]), r"\(3, 9\): expected \(3, "),
    npz(
        "a region called all",
        add(roi_names=np.asarray(["V1", "all", "V2"])),
        "region is named 'all': .*takes every voxel; rename it",
    ),
    npz("ROI of twos", with_("roi_masks", lambda x: x * 2), "holds other values than 0 and 1"),
    npz(
        "one ROI thrice", with_("roi_names", lambda x: np.full(3, "V1")), "a name twice: V1, V1, V1"
    ),
    npz(
        "ROI names as numbers", with_("roi_names", lambda x: np.arange(3)), "roi_names is int64 of"
    ),
    npz(
        "names in Latin-1",
        add(stimulus_names=np.asarray([b"\xe9"] * 6)),
        "stimulus_names holds bytes that are not UTF-8 .* store them as str",
    ),
    npz("too few names", add(stimulus_names=np.asarray(["a", "b"])), "2 names for 6 images"),
    npz(
        "one name for different images",
        add(stimulus_names=np.asarray(["a", "b", "a", "c", "d", "e"])),
        "stimulus_names holds 'a' for images 0 and 2, whose pixels differ",
    ),
    npz("a misspelt key", add(stimulus_name=np.ones(1)), "unknown: rename it to 'stimulus_names'"),
    *(
        npz(f"regions called {key}", regions_as(key), f"key '{key}' is unknown: .* roi_names, .*ro")
        for key in ("rois", "ROI", "masks")
    ),
    mat("regions called rois", regions_as("rois"), r"'rois' .*roi_masks, \(rois, voxels\) bool"),
    npz("too short a split", add(split=np.asarray(["train"])), "split has 1 entries for 24 trials"),
    npz("a split of numbers", add(split=np.arange(24)), "expected a list of texts"),
    npz(
        "nothing to train on", add(split=np.full(24, "test")), "expected some trials to be 'train'"
    ),
    npz("split leakage", one_stimulus_on_both_sides, "trial 1 into 'test'.*is also in training"),
    npz(
        "split leakage by pixels",
        one_image_on_both_sides_under_two_numbers,
        "a stimulus with the same pixels",
    ),
    mat(
        "a struct", lambda a: a | {"fmri": {"data": 1.0}}, "fmri is a struct: expected a plain arr"
    ),
    mat("a cell", lambda a: a | {"fmri": np.asarray([1.0, "a"], object)}, "fmri is a cell array"),
    mat("sparse responses", with_("fmri", csc_matrix), r"fmri is sparse: .*store full\(fmri\)"),
    mat("sparse ROI masks", with_("roi_masks", csc_matrix), r"store full\(roi_masks\)"),
    mat(
        "ROI names as cells of numbers",
        with_("roi_names", lambda x: np.asarray([1.0, 2, 3], object)),
        "roi_names is a list of float64 arrays: expected a cell array of texts",
    ),
    mat("labels off by one", with_("stimulus", lambda x: x + 1), "count from 1, so subtract 1"),
    mat("swapped axes", with_("fmri", np.transpose), r"store fmri\.T"),
    file("half an npz", "half.npz", lambda b: b[: len(b) // 2], "or a part of it is missing"),
    file("a corrupt npz", "damaged.npz", zeroed_inside, "the file is corrupt"),
    file("an empty npz", "empty.npz", lambda b: b"", "is no .npz file"),
    file("raw bytes in a zip", "z.npz", raw_bytes, "its member 'fmri' is no array"),
    file("a pickle", "p.npz", lambda b: pickle.dumps({"fmri": 1}), "is no .npz file"),
    file("an npz without its start", "one.npz", lambda b: b[30:], "is no .npz file"),
    file("half a mat", "a.mat", lambda b: b"MATLAB 5.0 MAT-file".ljust(200), "cannot be read as a"),
    file("an npz called mat", "b.mat", lambda b: b, "cannot be read as a .mat file"),
    file("an unknown kind", "a.xyz", lambda b: b, r"ends in '\.xyz': expected one of \.npz, \.mat"),
    Case(
        "file: missing, of a kind that is not read",
        lambda f: load(str(f / "no.xyz")),
        r"no\.xyz does not exist: expected a recording; check the path",
    ),
    Case(
        "file: missing folder", lambda f: load(str(f / "no")), "no does not exist: expected a rec"
    ),
    Case(
        "file: a variable that is not set",
        lambda f: load("$NOT_SET_ANYWHERE/my.npz"),
        "the environment variable NOT_SET_ANYWHERE is not set: set NOT_SET_ANYWHERE to",
    ),
    Case(
        "file: missing npz", lambda f: load(str(f / "no.npz")), r"no\.npz is not a file: expected"
    ),
    Case(
        "file: missing mat", lambda f: load(str(f / "no.mat")), r"no\.mat is not a file: expected"
    ),
    Case("file: no path", lambda f: load("file", path=""), "No recording is given"),
    Case("file: no such name", lambda f: load("virtual_subjekt"), "did you mean 'virtual_subject'"),
    Case(
        "file: an option that the reader does not take",
        lambda f: load("file", path=str(f / "x.npz"), images="y"),
        r"x\.npz cannot be read with images \(of BData and NIfTI\): expected at most groups beside",
    ),
    Case(
        "file: options that the reader and other readers do not take",
        lambda f: load(str(f / "x.h5"), delay=4.0, imges="y", roi="V1"),
        r"x\.h5 cannot be read with delay \(of NIfTI\), imges \(of no format\): expected at most "
        r"images, .* image_size, groups beside the path of such a file; leave them out",
    ),
    Case(
        "a data set: an option that it does not take",
        lambda f: load("miyawaki2008", lags=3),
        "data 'miyawaki2008' cannot take lags: expected options among path, lag; leave out",
    ),
]
