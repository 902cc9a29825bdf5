"""Sizes against PyTorch's interpolation; grey to RGB."""

import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax import arrays
from fmri_jax.errors import InputError
from tests.peers import peer

torch = peer("torch")


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("size", [(7, 9), (31, 40), (13, 30)])
def test_resizing_is_pytorchs_bilinear_interpolation(size, antialias):
    images = np.random.default_rng(0).random((2, 20, 24, 3)).astype(np.float32)
    found = arrays.resize(jnp.asarray(images), *size, antialias=antialias)
    expected = torch.nn.functional.interpolate(
        torch.tensor(images).permute(0, 3, 1, 2), size, mode="bilinear", antialias=antialias
    )
    np.testing.assert_allclose(found, expected.permute(0, 2, 3, 1), atol=2e-6)


def test_images_of_the_right_size_are_left_alone():
    images = jnp.ones((1, 4, 5, 1))
    assert arrays.resize(images, 4, 5, antialias=True) is images


def test_sets_of_different_sizes_share_few_blocks():
    assert {n: arrays.block_size(n, 8) for n in (1, 2, 3, 5, 8, 9)} == dict.fromkeys(
        (5, 8, 9), 8
    ) | {1: 1, 2: 2, 3: 4}


def test_what_a_loop_starts_from_has_the_types_of_what_it_makes():
    start = {"step": jnp.array(0), "lowest": jnp.full(3, jnp.inf), "image": jnp.ones((2, 2))}
    assert start["lowest"].weak_type
    found = arrays.of_own_types(start)
    assert not any(array.weak_type for array in found.values())
    assert all(array.dtype == start[name].dtype for name, array in found.items())


def test_grey_is_repeated_and_colour_kept():
    images = np.random.default_rng(0).random((2, 3, 4, 3)).astype(np.float32)
    assert arrays.as_rgb(images) is images
    np.testing.assert_array_equal(arrays.as_rgb(images[..., :1]), images[..., [0, 0, 0]])
    with pytest.raises(InputError, match="2 channels: expected 1"):
        arrays.as_rgb(images[..., :2])
