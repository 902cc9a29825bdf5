"""Activations that are kept: the network's own to the bit, computed once for each image."""

import numpy as np

from fmri_jax import features
from fmri_jax.features import Preprocessing
from fmri_jax.image_store import activations as kept
from fmri_jax.image_store import maps

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 20, 20, 3)).astype(np.uint8)


def test_activations_are_the_networks_own_and_computed_once(tmp_path, monkeypatch):
    monkeypatch.setattr(maps, "cache_folder", lambda: tmp_path)
    passed = []
    load = kept._network

    def counted(*given):
        network = load(*given)
        return lambda images: passed.append(len(images)) or network(images)

    kept._about("alexnet", "relu2", None), kept._about("alexnet", "relu2", Preprocessing(40))
    monkeypatch.setattr(kept, "_network", counted)
    found = kept.activations("alexnet", "relu2", None, IMAGES[:3])
    expected = features.load("alexnet", ("relu2",))(IMAGES)["relu2"][:3]
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32
    again = kept.activations("alexnet", "relu2", None, IMAGES[[4, 2, 0, 2]])
    assert passed == [4, 4]
    np.testing.assert_array_equal(again[[1, 2, 3]], found[[2, 0, 2]])
    alone = features.load("alexnet", ("relu2",))(IMAGES)["relu2"][4]
    np.testing.assert_array_equal(again[0], alone)
    # Of another size they are others.
    other = kept.activations("alexnet", "relu2", Preprocessing(40), IMAGES[:3])
    assert other.shape != found.shape and passed == [4, 4, 4]
