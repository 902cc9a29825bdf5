"""Nothing of another file comes in through HDF5."""

import h5py
import numpy as np
import pytest

from fmri_jax.data.readers import mat
from fmri_jax.data.readers.hdf5_files import own
from fmri_jax.errors import InputError


def linked(file, other):
    file["fmri"] = h5py.ExternalLink(other, "secret")


def linked_on_the_way(file, other):
    file["group"] = h5py.ExternalLink(other, "/")
    file["fmri"] = h5py.SoftLink("/group/secret")


def stored_elsewhere(file, other):
    file.create_dataset("fmri", (4, 4), np.uint8, external=[(other, 0, 16)])


def virtual(file, other):
    layout = h5py.VirtualLayout((4,), np.uint8)
    layout[:] = h5py.VirtualSource(other, "secret", (4,))
    file.create_virtual_dataset("fmri", layout)


@pytest.mark.parametrize("write", [linked, linked_on_the_way, stored_elsewhere, virtual])
def test_numbers_of_another_file_are_refused(tmp_path, write):
    """`/etc/passwd` would else come in as responses, and go out with the page."""
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.arange(4, dtype=np.uint8)
    path = tmp_path / "mine.mat"
    with h5py.File(path, "w") as file:
        write(file, str(other))
        file["own"] = np.arange(3.0)
    with h5py.File(path) as file:
        assert own(file["own"], file)[()].tolist() == [0, 1, 2]
        assert file["fmri"][()].size  # HDF5 itself reads it
    with pytest.raises(InputError, match="mine.mat holds a .*another|mine.mat holds a .*other"):
        mat.load(str(path))
