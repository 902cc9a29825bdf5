"""Textures of known strength, stamped on noise."""

import numpy as np
import pytest

from fmri_jax.evaluation.shared_patterns import shared_patterns

RNG = np.random.default_rng(0)
NOISE = RNG.normal(0, 0.1, (40, 32, 32, 3))
STAMP = RNG.normal(0, 0.1, (1, 32, 32, 3))


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0, 2.0])
def test_the_share_of_a_stamp_is_its_share_of_the_energy(strength):
    found = shared_patterns(0.5 + NOISE + strength * STAMP)
    assert found.shared == pytest.approx(strength**2 / (1 + strength**2), abs=0.03)


def test_coarse_structure_that_images_share_is_no_texture():
    x = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    sky = 0.3 * np.sin(x)[None, :, None, None]
    assert shared_patterns(0.5 + NOISE + sky).shared < 0.05


def test_each_fold_has_a_texture_of_its_own():
    fold = np.repeat(["a", "b", "c", "d"], 10)
    stamps = RNG.normal(0, 0.1, (4, 32, 32, 3))[np.repeat(np.arange(4), 10)]
    assert shared_patterns(0.5 + NOISE + stamps, fold).shared == pytest.approx(0.5, abs=0.05)
    assert shared_patterns(0.5 + NOISE + stamps).shared < 0.25


def test_a_checkerboard_is_at_the_period_of_upsampling():
    board = np.where(np.indices((32, 32)).sum(axis=0) % 2, 0.1, -0.1)[None, :, :, None]
    plain, stamped = shared_patterns(0.5 + NOISE), shared_patterns(0.5 + NOISE + board)
    assert plain.upsampling < 0.1
    assert stamped.upsampling == pytest.approx(0.55, abs=0.03)  # half, and a tenth of the noise


def test_small_few_or_flat_images_have_no_texture():
    assert shared_patterns(NOISE[:, :16]) is None and shared_patterns(NOISE[:4]) is None
    assert shared_patterns(np.full((6, 32, 32, 1), 0.5)) is None
