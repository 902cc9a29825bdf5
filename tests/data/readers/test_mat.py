"""`.mat` files as MATLAB's two generations write them, against the `.npz` of the same arrays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy import io, sparse

from fmri_jax.data import load
from fmri_jax.data.readers import mat_variables
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from tests.data.builders import mat_object
from tests.peers import peer

MakeSession = Callable[..., Recording]


def variables(recording: Recording) -> dict[str, Any]:
    """What a MATLAB user would save: doubles, logical masks, cell arrays of texts."""
    return {
        "fmri": recording.fmri.astype(float),
        "stimulus": recording.stimulus.astype(float)[:, None],
        "images": recording.images,
        "run": recording.run.astype(float)[None],
        "roi_names": np.asarray(list(recording.rois), object),
        "roi_masks": np.stack(list(recording.rois.values())),
        "stimulus_names": np.asarray(recording.stimulus_names, object),
        "split": np.asarray(recording.split.tolist(), object),
        "description": "Ein Satz für den Bericht.",
        "unused": {"a": 1},
    }


def save_v73(path: Path, values: dict[str, Any]) -> None:
    """Writes what `save -v7.3` does: axes in reverse, texts as UTF-16, cells as references."""

    def characters(file: h5py.File, name: str, text: str) -> h5py.Dataset:
        codes = np.asarray([ord(letter) for letter in text], np.uint16)[:, None]
        stored = file.create_dataset(name, data=codes if text else np.zeros(2, np.uint64))
        if not text:
            stored.attrs["MATLAB_empty"] = 1
        stored.attrs["MATLAB_class"] = np.bytes_("char")
        return stored

    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in values.items():
            if isinstance(value, str):
                characters(file, name, value)
            elif isinstance(value, dict):
                file.create_group(name).attrs["MATLAB_class"] = np.bytes_("struct")
            elif value.dtype == object:
                cells = [characters(file, f"#refs#/{name}{i}", t) for i, t in enumerate(value)]
                references = np.asarray([cell.ref for cell in cells], h5py.ref_dtype)[None]
                stored = file.create_dataset(name, data=references, dtype=h5py.ref_dtype)
                stored.attrs["MATLAB_class"] = np.bytes_("cell")
            else:
                kind = {"b": "logical", "u": "uint8", "f": "double"}[value.dtype.kind]
                plain = value.astype(np.uint8) if kind == "logical" else value
                stored = file.create_dataset(name, data=plain.T)
                stored.attrs["MATLAB_class"] = np.bytes_(kind)
    with path.open("r+b") as file:  # the text that MATLAB puts before the HDF5
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


WRITERS: dict[str, Callable[[Path, dict[str, Any]], None]] = {
    "v5": lambda path, values: io.savemat(path, values),
    "v5 compressed": lambda path, values: io.savemat(path, values, do_compression=True),
    "v7.3": save_v73,
}


@pytest.mark.parametrize("version", WRITERS)
def test_every_version_gives_the_recording_back(
    make_recording: MakeSession, tmp_path: Path, version: str
) -> None:
    recording = make_recording()
    path = tmp_path / "Aufnahme é.mat"
    WRITERS[version](path, variables(recording))
    read = load(str(path))
    assert read.fingerprint() == recording.fingerprint()
    assert read.description == "Ein Satz für den Bericht."


@pytest.mark.parametrize("version", WRITERS)
def test_grey_images_need_no_last_axis(
    make_recording: MakeSession, tmp_path: Path, version: str
) -> None:
    values = variables(make_recording())
    values["images"] = values["images"][..., 0]
    WRITERS[version](tmp_path / "a.mat", values)
    np.testing.assert_array_equal(load(str(tmp_path / "a.mat")).images[..., 0], values["images"])


@pytest.mark.parametrize("version", WRITERS)
def test_logical_images_are_black_and_white(
    make_recording: MakeSession, tmp_path: Path, version: str
) -> None:
    values = variables(make_recording())
    values["images"] = values["images"][..., 0] > 127
    WRITERS[version](tmp_path / "a.mat", values)
    read = load(str(tmp_path / "a.mat")).images[..., 0]
    np.testing.assert_array_equal(read, values["images"] * 255)


@pytest.mark.parametrize("version", WRITERS)
def test_an_empty_description_stays_empty(
    make_recording: MakeSession, tmp_path: Path, version: str
) -> None:
    WRITERS[version](tmp_path / "a.mat", variables(make_recording()) | {"description": ""})
    assert load(str(tmp_path / "a.mat")).description == ""


def test_character_arrays_serve_as_texts(make_recording: MakeSession, tmp_path: Path) -> None:
    values = variables(make_recording())
    values["roi_names"] = np.asarray(["V1 ", "V2 ", "V1v"])  # char(...): rows of one length
    io.savemat(tmp_path / "a.mat", values)
    assert list(load(str(tmp_path / "a.mat")).rois) == ["V1", "V2", "V1v"]


def test_objects_of_hdf5_are_rejected_unbuilt(make_recording: MakeSession, tmp_path: Path) -> None:
    values = variables(make_recording())
    path = tmp_path / "a.mat"
    save_v73(path, values | {"images": {}})
    with pytest.raises(InputError, match="images is a struct"):
        load(str(path))
    save_v73(path, values)
    with h5py.File(path, "r+") as file:
        file["fmri"].attrs["MATLAB_class"] = np.bytes_("containers.Map")
        file["fmri"].attrs["MATLAB_object_decode"] = 3
    with pytest.raises(InputError, match="fmri is a containers.Map object"):
        load(str(path))


@pytest.mark.parametrize("version", WRITERS)
def test_empty_cells_of_names_mean_none(
    make_recording: MakeSession, tmp_path: Path, version: str
) -> None:
    values = variables(make_recording())
    values["stimulus_names"] = np.asarray(["a", "", "nan", "d", "e", "f"], object)
    WRITERS[version](tmp_path / "a.mat", values)
    names = load(str(tmp_path / "a.mat")).stimulus_names
    assert names == ("a", "image 1", "image 2", "d", "e", "f")


def test_cells_of_nan_mean_none(make_recording: MakeSession, tmp_path: Path) -> None:
    values = variables(make_recording())
    values["split"] = np.asarray([np.nan] * 24, object)
    values["stimulus_names"] = np.asarray(["a", np.nan, np.zeros((0, 0)), "d", "e", "f"], object)
    io.savemat(tmp_path / "a.mat", values)
    recording = load(str(tmp_path / "a.mat"))
    assert recording.stimulus_names == ("a", "image 1", "image 2", "d", "e", "f")
    assert set(recording.split) == {"train"}


@pytest.mark.parametrize("kind", ["struct", "double"])
def test_cells_of_hdf5_that_hold_no_texts_are_rejected(
    make_recording: MakeSession, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "a.mat"
    save_v73(path, variables(make_recording()))
    with h5py.File(path, "r+") as file:
        cell = file.create_group("#refs#/odd") if kind == "struct" else file["#refs#/split3"]
        cell.attrs["MATLAB_class"] = np.bytes_(kind)
        file["split"][0, 3] = cell.ref
    with pytest.raises(InputError, match=f"split is a cell array of {kind}: expected a cell arr"):
        load(str(path))


def test_sparse_arrays_of_hdf5_are_rejected(make_recording: MakeSession, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    save_v73(path, variables(make_recording()) | {"fmri": {}})
    with h5py.File(path, "r+") as file:  # MATLAB stores a group of data, ir and jc
        file["fmri"].attrs["MATLAB_class"] = np.bytes_("double")
        file["fmri"].attrs["MATLAB_sparse"] = 24
    with pytest.raises(InputError, match=r"fmri is sparse: expected a plain array; store full"):
        load(str(path))


CLASSES = {  # class of an object -> variable, and the command that its message gives
    "string": ("roi_names", r"a string array .* expected a cell array of .* cellstr\(roi_names\)"),
    "categorical": ("split", r"a categorical object: .* store cellstr\(split\)"),
    "table": ("fmri", r"a table object: expected a plain array of numbers; store fmri\{:, :\}"),
    "timetable": ("run", r"a timetable object: .* store run\{:, :\}"),
    "datetime": ("stimulus_names", "a datetime object: expected a cell array of texts"),
    "containers.Map": ("roi_masks", "a containers.Map object: expected a plain array"),
    "dictionary": ("images", "a dictionary object"),
    "gpuArray": ("stimulus", r"a gpuArray object: .* store gather\(stimulus\)"),
}


@pytest.mark.parametrize("place", ["first", "last", "compressed", "unusual name"])
@pytest.mark.parametrize("kind", CLASSES)
def test_objects_that_nobody_needs_do_not_disturb(
    make_recording: MakeSession, tmp_path: Path, kind: str, place: str
) -> None:
    path, recording = tmp_path / "a.mat", make_recording()
    io.savemat(path, variables(recording))
    content = path.read_bytes()
    name = "a_very_long_name_of_a_variable_" if place == "unusual name" else "me"
    element = mat_object(name, kind, compressed=place == "compressed")
    whole = content[:128] + element + content[128:] if place == "first" else content + element
    path.write_bytes(whole)
    assert load(str(path)).fingerprint() == recording.fingerprint()


@pytest.mark.parametrize("kind", CLASSES)
def test_objects_that_are_needed_are_named(
    make_recording: MakeSession, tmp_path: Path, kind: str
) -> None:
    name, message = CLASSES[kind]
    values = {k: v for k, v in variables(make_recording()).items() if k != name}
    io.savemat(tmp_path / "a.mat", values)
    with (tmp_path / "a.mat").open("ab") as file:
        file.write(mat_object(name, kind))
    with pytest.raises(InputError, match=f"a.mat: {name} is {message}"):
        load(str(tmp_path / "a.mat"))
    save_v73(tmp_path / "b.mat", values | {name: {}})
    with h5py.File(tmp_path / "b.mat", "r+") as file:
        file[name].attrs["MATLAB_class"] = np.bytes_(kind)
        file[name].attrs["MATLAB_object_decode"] = 3
    with pytest.raises(InputError, match=f"b.mat: {name} is {message}"):
        load(str(tmp_path / "b.mat"))


@pytest.mark.parametrize("compressed", [False, True])
def test_headers_are_listed_as_scipy_lists_them(tmp_path: Path, compressed: bool) -> None:
    values = {
        "x": np.zeros((2, 3, 4)),
        "yes": np.ones((1, 5), bool),
        "abcd": np.asarray(["text"]),
        "cells": np.asarray([1, "a"], object),
        "nested": {"a": {"b": 1}},
        "thin": sparse.csc_matrix(np.eye(3)),
        "short": np.zeros((1, 1), np.int8),
        "complex_": np.zeros((2, 2), complex),
        "a_name_of_31_letters_that_is_long": np.zeros((1, 2)),
    }
    io.savemat(tmp_path / "a.mat", values, do_compression=compressed, long_field_names=True)
    found = mat_variables.variables(str(tmp_path / "a.mat"))
    theirs = io.whosmat(tmp_path / "a.mat")
    assert [(v.name, v.kind) for v in found] == [(name, kind) for name, _, kind in theirs]
    # SciPy counts texts, not their letters.
    ours = [v.shape[:-1] if v.kind == "char" else v.shape for v in found]
    assert ours == [shape for _, shape, _ in theirs]


def test_a_table_of_brain_decoder_toolbox_says_how_to_convert_it(tmp_path: Path) -> None:
    keys = ["VoxelData", "Label"]
    metadata = {
        "key": np.asarray([keys], object),
        "description": np.asarray([keys], object),
        "value": np.asarray([[1.0, 1, np.nan], [np.nan, np.nan, 1]]),
    }
    io.savemat(
        tmp_path / "old.mat", {"dataSet": np.arange(12.0).reshape(4, 3), "metaData": metadata}
    )
    with pytest.raises(InputError, match=r"bdpy\.BData\('old\.mat'\)\.save\('old\.h5'\), and load"):
        load(str(tmp_path / "old.mat"))
    bdpy = peer("bdpy")
    bdpy.BData(str(tmp_path / "old.mat")).save(str(tmp_path / "old.h5"))  # what the message says
    with pytest.raises(InputError, match="expected a folder or zip of the images"):
        load(str(tmp_path / "old.h5"))
    with h5py.File(tmp_path / "new.mat", "w") as file:
        file.create_group("metaData")
        file["dataSet"] = np.zeros((3, 4))
    with pytest.raises(InputError, match="save it with -v7, then convert it"):
        load(str(tmp_path / "new.mat"))
