"""Kept searches: the same solution, for the same arrays alone, and never from a damaged file."""

import numpy as np
import pytest

from fmri_jax.encoding import banded_ridge, search_store
from fmri_jax.errors import InputError

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(2, 12, 5)).astype(np.float32)
KERNELS = ROWS @ ROWS.transpose(0, 2, 1)
RESPONSES = RNG.normal(size=(12, 3)).astype(np.float32)
GIVEN = (np.eye(2, dtype=np.float32), np.float32([1, 10]), np.arange(12) % 3)


def test_a_search_is_made_once(tmp_path, monkeypatch):
    searched = []
    original = banded_ridge.search
    monkeypatch.setattr(
        banded_ridge, "search", lambda *given: searched.append(given) or original(*given)
    )
    monkeypatch.setattr(search_store, "cache_folder", lambda: tmp_path)
    expected = original(KERNELS, RESPONSES, *GIVEN)

    def check(times):
        found = search_store.search(KERNELS, RESPONSES, *GIVEN)
        for name, array in expected._asdict().items():
            np.testing.assert_array_equal(getattr(found, name), array)
        assert len(searched) == times

    check(1)
    check(1)
    other = search_store.search(KERNELS, RESPONSES[::-1], *GIVEN)
    assert len(searched) == 2 and not np.array_equal(other.errors, expected.errors)
    for path in tmp_path.glob("encodings/*.npz"):
        content = bytearray(path.read_bytes())
        content[len(content) // 4] ^= 1
        path.write_bytes(content)
    check(3)
    check(3)

    def no_folder():
        raise InputError("no home")

    monkeypatch.setattr(search_store, "cache_folder", no_folder)
    check(4)


@pytest.mark.parametrize("number", range(5))
def test_all_that_is_given_names_the_file(number):
    given = [np.asarray(array) for array in (KERNELS, RESPONSES, *GIVEN)]
    first = search_store._path(*given)
    given[number] = given[number] + given[number].dtype.type(1)
    assert first != search_store._path(*given)
