"""The pyramid against plain convolutions and stimuli whose energy is known."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

from fmri_jax.datasets.simulated import steerable_pyramid


def grating(level: int, angle: float, phase: float, amplitude: float = 1.0) -> np.ndarray:
    """A grating of a level's own frequency on that level's image."""
    pixels = steerable_pyramid.PIXELS >> level
    y, x = np.mgrid[:pixels, :pixels]
    cycles = steerable_pyramid.WAVE * (x * np.cos(angle) + y * np.sin(angle))
    return (amplitude * np.cos(2 * np.pi * cycles + phase)).astype(np.float32)


def energy(image: np.ndarray) -> np.ndarray:
    factors = steerable_pyramid.gabor_factors(image.shape[-1])
    return np.asarray(steerable_pyramid.gabor_energy(jnp.asarray(image)[None], *factors))[0]


def test_energy_is_the_magnitude_of_a_complex_gabor_convolution():
    image = np.random.default_rng(0).normal(size=(32, 32)).astype(np.float32)
    ours = energy(image)
    # Output cells lie between pixels 2i and 2i+1, hence the half pixel in the kernel.
    offset = np.arange(-20, 20) + 0.5
    y, x = np.meshgrid(offset, offset, indexing="ij")
    envelope = np.exp(-0.5 * (x**2 + y**2) / steerable_pyramid.ENVELOPE**2)
    envelope *= 2 / (2 * np.pi * steerable_pyramid.ENVELOPE**2)
    for angle, found in zip(steerable_pyramid.ORIENTATIONS, ours, strict=True):
        wave = np.exp(2j * np.pi * steerable_pyramid.WAVE * (x * np.cos(angle) + y * np.sin(angle)))
        full = signal.fftconvolve(image, envelope * wave, mode="full")
        np.testing.assert_allclose(found, abs(full)[20:52:2, 20:52:2], atol=1e-4)


@pytest.mark.parametrize("orientation", range(4))
def test_energy_prefers_its_own_orientation_whatever_the_phase(orientation):
    angle = steerable_pyramid.ORIENTATIONS[orientation]
    inner = slice(8, -8)
    for phase in (0.0, 0.7, np.pi / 2, 2.5):
        responses = energy(grating(0, angle, phase, amplitude=0.4))[:, inner, inner]
        np.testing.assert_allclose(
            responses[orientation], 0.4, rtol=0.1
        )  # mirrored frequencies leak
        others = np.delete(responses.mean((1, 2)), orientation)
        assert others.max() < 0.25 * 0.4


def test_a_grating_drives_the_level_of_its_frequency_most():
    y, x = np.mgrid[: steerable_pyramid.PIXELS, : steerable_pyramid.PIXELS]
    for best in range(steerable_pyramid.LEVELS - 1):
        cycles = steerable_pyramid.WAVE / 2**best * x
        image = np.cos(2 * np.pi * cycles + 0.3).astype(np.float32)[None]
        means = []
        for _ in range(steerable_pyramid.LEVELS):
            means.append(energy(image[0])[0].mean())
            image = np.asarray(steerable_pyramid.halved(jnp.asarray(image)))
        assert int(np.argmax(means)) == best
        assert means[best] > 0.6


def test_energy_is_blind_to_contrast_polarity_and_uniform_fields():
    image = np.random.default_rng(1).normal(size=(16, 16)).astype(np.float32)
    np.testing.assert_allclose(energy(image), energy(-image), atol=1e-6)
    uniform = energy(np.ones((64, 64), np.float32))
    assert uniform[:, 10:-10, 10:-10].max() < 0.01


def test_signed_contrasts_of_known_colours():
    colours = {
        (0.5, 0.5, 0.5): (0, 0, 0),
        (1, 1, 1): (1, 0, 0),
        (0, 0, 0): (-1, 0, 0),
        (1, 0, 0): (-1 / 3, 1, -0.5),
        (0, 1, 0): (-1 / 3, -1, -0.5),
        (0, 0, 1): (-1 / 3, 0, 1),
    }
    images = np.asarray(list(colours), np.float32)[:, None, None] * np.ones((1, 64, 64, 1))
    found = np.asarray(steerable_pyramid.signed_contrasts(jnp.asarray(images)))
    assert found.shape == (len(colours), 3, steerable_pyramid.CELLS, steerable_pyramid.CELLS)
    expected = np.asarray(list(colours.values()))[:, :, None, None]
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-6)


@pytest.mark.parametrize("cells", [4, 8, 16])
def test_interpolation_keeps_constants_and_ramps(cells):
    matrix = steerable_pyramid.interpolation(cells)
    np.testing.assert_allclose(matrix.sum(1), 1, rtol=1e-6)
    centres = (np.arange(cells) + 0.5) / cells
    fine = (np.arange(steerable_pyramid.CELLS) + 0.5) / steerable_pyramid.CELLS
    ramp = (matrix @ np.tile(centres, cells)).reshape(
        steerable_pyramid.CELLS, steerable_pyramid.CELLS
    )
    expected = np.clip(fine, centres[0], centres[-1])
    np.testing.assert_allclose(ramp, np.broadcast_to(expected, ramp.shape), atol=1e-6)


def test_images_of_any_size_are_seen_at_the_same_scale():
    small = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    large = small.repeat(2, 1).repeat(2, 2)
    same = np.asarray(steerable_pyramid.as_seen(jnp.asarray(small)))
    np.testing.assert_allclose(same, small / 255.0, atol=1e-6)
    shrunk = np.asarray(steerable_pyramid.as_seen(jnp.asarray(large)))
    assert shrunk.shape == same.shape
    # The antialiasing filter is two pixels of the small image wide: alike, not equal.
    assert np.corrcoef(shrunk.ravel(), same.ravel())[0, 1] > 0.85
