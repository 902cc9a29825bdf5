"""Pooled maps of networks, Gabor energy and pixels."""

import numpy as np
import pytest

import fmri_jax as fj
from fmri_jax.encoding import feature_maps
from fmri_jax.encoding.feature_maps import pooled_maps
from fmri_jax.errors import InputError
from tests.peers import peer

IMAGES = np.random.default_rng(0).random((3, 12, 10, 3), np.float32)


def test_cells_are_averages_of_blocks_where_they_are_of_complete_pixels():
    reduce = peer("skimage.measure").block_reduce
    expected = reduce(IMAGES[:, :, :8], (1, 3, 2, 1), np.mean)
    found = pooled_maps(IMAGES[:, :, :8], "pixels", ("pixels",), 4)["pixels"]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    uneven = feature_maps.cells(5, 3)  # cells of 5/3 pixels
    np.testing.assert_allclose(uneven[0], [0.6, 0.4, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(uneven.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(feature_maps.cells(3, 5), np.eye(3))


def test_layers_of_a_network_are_its_features_averaged():
    layers = ("relu1", "relu5")
    found = pooled_maps(IMAGES, "alexnet", layers, 2)
    expected = fj.features.load("alexnet", layers)(IMAGES)
    assert {layer: maps.shape for layer, maps in found.items()} == {
        "relu1": (3, 2, 2, 64),
        "relu5": (3, 2, 2, 256),
    }
    np.testing.assert_allclose(
        found["relu5"].mean((1, 2)), expected["relu5"].mean((1, 2)), atol=1e-4
    )


def test_gabor_energy_says_where_and_how_oriented_a_grating_is():
    across = np.arange(64)
    grating = np.tile(0.5 + 0.5 * np.sin(2 * np.pi * 3 / 8 * across), (64, 1))  # its own frequency
    images = np.full((1, 64, 64, 1), 0.5, np.float32)
    images[0, :32, :32, 0] = grating[:32, :32]
    found = pooled_maps(images, "gabor", ("energy0",), 2)["energy0"][0]
    assert found.shape == (2, 2, 4)
    assert np.unravel_index(found.argmax(), found.shape) == (0, 0, 0)
    assert found[0, 0, 0] > 3 * found[0, 0, 2] and found[0, 0, 0] > 3 * found[1, 1].max()


def test_what_there_is_not_is_named():
    with pytest.raises(InputError, match="did you mean 'gabor'"):
        feature_maps.layers_of("gabr")
    with pytest.raises(InputError, match="has no layer 'energy9'"):
        feature_maps.layers_of("gabor", ("energy9",))
    assert feature_maps.layers_of("inception_v3") == ("pooled",)
    with pytest.raises(InputError, match="2 channels"):
        pooled_maps(IMAGES[..., :2], "pixels", ("pixels",), 2)
