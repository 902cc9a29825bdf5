"""Arrays of archives are what they say, or one error says why not."""

import numpy as np
import pytest

from fmri_jax.archives import CorruptError, read_npy, read_npz

NO_CHARACTER = np.array([0x110000, 0x20], "<u4").view("<U2")


def test_characters_that_do_not_exist_are_found_when_read(tmp_path):
    """NumPy reads them; the first use as text failed, somewhere else."""
    np.savez(tmp_path / "a.npz", split=NO_CHARACTER)
    np.save(tmp_path / "a.npy", NO_CHARACTER)
    with pytest.raises(CorruptError, match="its array 'split' holds text with characters that"):
        read_npz(tmp_path / "a.npz")
    with pytest.raises(CorruptError, match="characters that do not exist"):
        read_npy(tmp_path / "a.npy")


@pytest.mark.parametrize("order", ["<", ">"])
def test_text_of_either_byte_order_is_read(tmp_path, order):
    words = np.array([["V1", "größer"], ["\U0010ffff", ""]]).astype(f"{order}U6")
    np.savez(tmp_path / "a.npz", words=words[:, ::-1], none=words[:0])
    assert read_npz(tmp_path / "a.npz")["words"].tolist() == words[:, ::-1].tolist()
