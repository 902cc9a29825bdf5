"""Bands of pixels: lossless, orthonormal, from coarse to fine."""

import numpy as np
import pytest
from scipy.fft import dctn

from fmri_jax.linear import pixel_bands


@pytest.mark.parametrize("shape", [(8, 8, 3), (10, 6, 1), (1, 1, 1)])
def test_bands_give_the_images_back_and_their_errors_add_up(shape):
    rng = np.random.default_rng(0)
    images, others = rng.uniform(0, 1, (2, 4, *shape)).astype(np.float32)
    found, other = (pixel_bands.coefficients(x) for x in (images, others))
    assert list(found) == pixel_bands.names(*shape[:2])
    np.testing.assert_allclose(pixel_bands.images_of(found, *shape[:2]), images, atol=1e-6)
    errors = sum(np.square(found[name] - other[name]).sum() for name in found)
    np.testing.assert_allclose(errors, np.square(images - others).sum(), rtol=1e-5)


def test_bands_are_octaves():
    bands = pixel_bands.bands(64, 64)
    assert (bands == 0).sum() == 1 and bands[0, 0] == 0  # the mean of the image
    assert bands[0, 1] == bands[2, 2] == 1 and bands[0, 3] == bands[4, 4] == 2
    assert bands[6, 0] == 3 and bands[0, 12] == 4 and bands[24, 0] == 5 and bands[0, 48] == 6
    grating = np.cos(np.pi * 12 * (np.arange(64) + 0.5) / 64)  # six cycles per image
    image = np.broadcast_to(grating[:, None, None], (1, 64, 64, 1))
    energy = {name: np.square(x).sum() for name, x in pixel_bands.coefficients(image).items()}
    assert max(energy, key=energy.get) == "pixels band 4"
    np.testing.assert_allclose(energy["pixels band 4"], np.square(image).sum(), rtol=1e-5)
    np.testing.assert_allclose(
        np.square(dctn(image, axes=(1, 2), norm="ortho")).sum(), sum(energy.values()), rtol=1e-5
    )
