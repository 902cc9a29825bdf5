"""Kept maps: the network's own, computed once for each image, and never believed if damaged."""

import numpy as np
import pytest

from fmri_jax.encoding import kept_maps
from fmri_jax.encoding.feature_maps import pooled_maps
from fmri_jax.errors import InputError
from fmri_jax.image_store import maps

SOURCE = ("alexnet", ("relu1",), 2)
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 12, 12, 3)).astype(np.uint8)


@pytest.fixture
def computed(tmp_path, monkeypatch):
    """How many images passed the network in each call; the cache folder is `tmp_path`."""
    calls = []

    def counted(images, *source):
        calls.append(len(images))
        return pooled_maps(images, *source)

    monkeypatch.setattr(kept_maps, "pooled_maps", counted)
    monkeypatch.setattr(maps, "cache_folder", lambda: tmp_path)
    return calls


def test_maps_are_those_of_the_network_and_computed_once(computed, tmp_path, monkeypatch):
    monkeypatch.setattr(maps, "ENTRY", 3)
    expected = pooled_maps(IMAGES[3:], *SOURCE)["relu1"]
    found = kept_maps.of_images(IMAGES[3:], SOURCE)
    assert len(found) == 3 and found.entries[0].dtype == np.float16
    np.testing.assert_allclose(found.take()["relu1"], expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(found.take(slice(1, 2))["relu1"], found.take()["relu1"][1:2])
    # Others are computed, these are read, by another process, too; in any order, also twice.
    maps._intact.clear()
    rows = [5, 0, 1, 0, 2, 4]
    mixed = kept_maps.of_images(IMAGES[rows], SOURCE).take()["relu1"]
    assert computed == [3, 3]
    np.testing.assert_array_equal(mixed[[0, 5]], found.take()["relu1"][[2, 1]])
    np.testing.assert_array_equal(mixed[1], mixed[3])
    others = pooled_maps(IMAGES[:3], *SOURCE)["relu1"]
    np.testing.assert_allclose(mixed[[1, 2, 4]], others, rtol=1e-3, atol=1e-4)
    # What was changed on the disk is set aside and computed again.
    (entry,) = {path.parent for path in tmp_path.glob("maps/*/*/maps.npy")} - {
        path.parent for path in tmp_path.glob("maps/*/*/maps.npy") if _holds(path, IMAGES[3])
    }
    content = bytearray((entry / "maps.npy").read_bytes())
    content[-1] ^= 1
    (entry / "maps.npy").write_bytes(content)
    maps._intact.clear()
    again = kept_maps.of_images(IMAGES[rows], SOURCE).take()["relu1"]
    assert computed == [3, 3, 3] and (entry.parent / f".{entry.name}.damaged").is_dir()
    np.testing.assert_array_equal(again, mixed)
    kept_maps.of_images(IMAGES, SOURCE)
    assert computed == [3, 3, 3]


def _holds(path, image):
    names = np.load(path.parent / "images.npy")
    return maps._name(image) in {row.tobytes() for row in names}


def test_maps_stay_in_memory_where_nothing_can_be_kept(computed, tmp_path, monkeypatch):
    def no_folder():
        raise InputError("no home")

    monkeypatch.setattr(maps, "cache_folder", no_folder)
    found = kept_maps.of_images(IMAGES[:3], SOURCE).take()["relu1"]
    monkeypatch.setattr(maps, "cache_folder", lambda: tmp_path)
    kept = kept_maps.of_images(IMAGES[:3], SOURCE).take()["relu1"]
    np.testing.assert_array_equal(found, kept)
    assert computed == [3, 3]
    # Neither are maps of another grid taken, nor values that half precision does not hold.
    other = kept_maps.of_images(IMAGES[:3], (*SOURCE[:2], 1)).take()["relu1"]
    assert other.shape == (3, 1, 1, 64) and computed == [3, 3, 3]
    monkeypatch.setattr(kept_maps, "ENTRY", 4)
    few = kept_maps.of_images(IMAGES, ("pixels", ("pixels",), 2))
    expected = pooled_maps(IMAGES, "pixels", ("pixels",), 2)["pixels"]
    np.testing.assert_array_equal(few.take(slice(2, 4))["pixels"], expected[2:4])
    huge = {"relu1": np.full((3, 2, 2, 1), 1e5, np.float32)}
    monkeypatch.setattr(kept_maps, "pooled_maps", lambda *given: huge)
    large = kept_maps.of_images(IMAGES[3:], ("alexnet", ("relu1",), 3))
    np.testing.assert_array_equal(large.take()["relu1"], huge["relu1"])
