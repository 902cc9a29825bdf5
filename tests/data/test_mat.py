"""`.mat` files as MATLAB's two generations write them, against the `.npz` of the same arrays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy import io

from fmri_jax.data import load
from fmri_jax.data.session import Session
from fmri_jax.errors import InputError

MakeSession = Callable[..., Session]


def variables(session: Session) -> dict[str, Any]:
    """What a MATLAB user would save: doubles, logical masks, cell arrays of texts."""
    return {
        "fmri": session.fmri.astype(float),
        "stimulus": session.stimulus.astype(float)[:, None],
        "images": session.images,
        "run": session.run.astype(float)[None],
        "roi_names": np.asarray(list(session.rois), object),
        "roi_masks": np.stack(list(session.rois.values())),
        "stimulus_names": np.asarray(session.stimulus_names, object),
        "split": np.asarray(session.split.tolist(), object),
        "description": "Ein Satz für den Bericht.",
        "unused": {"a": 1},
    }


def save_v73(path: Path, values: dict[str, Any]) -> None:
    """Writes what `save -v7.3` does: axes in reverse, texts as UTF-16, cells as references."""

    def characters(file: h5py.File, name: str, text: str) -> h5py.Dataset:
        codes = np.frombuffer(text.encode("utf-16-le"), np.uint16)[:, None]
        stored = file.create_dataset(name, data=codes)
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
    make_session: MakeSession, tmp_path: Path, version: str
) -> None:
    session = make_session()
    path = tmp_path / "Aufnahme é.mat"
    WRITERS[version](path, variables(session))
    read = load(str(path))
    assert read.fingerprint() == session.fingerprint()
    assert read.description == "Ein Satz für den Bericht."


@pytest.mark.parametrize("version", WRITERS)
def test_grey_images_need_no_last_axis(
    make_session: MakeSession, tmp_path: Path, version: str
) -> None:
    values = variables(make_session())
    values["images"] = values["images"][..., 0]
    WRITERS[version](tmp_path / "a.mat", values)
    np.testing.assert_array_equal(load(str(tmp_path / "a.mat")).images[..., 0], values["images"])


def test_character_arrays_serve_as_texts(make_session: MakeSession, tmp_path: Path) -> None:
    values = variables(make_session())
    values["roi_names"] = np.asarray(["V1 ", "V2 ", "V1v"])  # char(...): rows of one length
    io.savemat(tmp_path / "a.mat", values)
    assert list(load(str(tmp_path / "a.mat")).rois) == ["V1", "V2", "V1v"]


def test_objects_of_hdf5_are_refused_unbuilt(make_session: MakeSession, tmp_path: Path) -> None:
    values = variables(make_session())
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
