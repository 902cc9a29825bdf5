"""Receptive fields: where they lie, how large they are, how they weigh an image."""

import numpy as np
import pytest
from scipy import integrate, stats

from fmri_jax.datasets.simulated import areas
from fmri_jax.datasets.simulated.areas import FIELD, ReceptiveFields


def test_voxels_are_dealt_in_proportion_and_no_area_is_empty():
    dealt = areas.deal_voxels(3000, areas.NAMES)
    assert len(dealt) == 3000
    for name in areas.NAMES:
        assert abs((dealt == name).mean() - areas.TABLE[name].share) < 0.005
    tiny = areas.deal_voxels(7, areas.NAMES)
    assert tiny.tolist() == list(areas.NAMES)
    assert areas.deal_voxels(11, ("V2", "FFA")).tolist().count("FFA") >= 1


def test_receptive_fields_grow_with_eccentricity_and_from_v1_to_v4():
    names = np.repeat(areas.EARLY, 500)
    fields = areas.draw_receptive_fields(names, np.random.default_rng(0))
    lines = {}
    for name in areas.EARLY:
        voxels = names == name
        lines[name] = stats.linregress(fields.eccentricity[voxels], fields.size[voxels])
        assert lines[name].slope > 0 and lines[name].pvalue < 1e-6
        assert abs(lines[name].slope - areas.TABLE[name].growth) < 0.05
    for smaller, larger in zip(areas.EARLY, areas.EARLY[1:], strict=False):
        assert lines[smaller].slope < lines[larger].slope
        at_two = [line.intercept + 2 * line.slope for line in (lines[smaller], lines[larger])]
        assert at_two[0] < at_two[1]


def test_centres_follow_cortical_magnification():
    n, half = 20_000, areas.TABLE["V1"].half
    fields = areas.draw_receptive_fields(np.repeat("V1", n), np.random.default_rng(0))
    assert max(abs(fields.x).max(), abs(fields.y).max()) < FIELD / 2
    inner = fields.eccentricity[fields.eccentricity < FIELD / 2]  # rings that lie on the image

    def cells(upper):
        return integrate.quad(lambda e: e / (e + half) ** 2, 0, upper)[0]

    expected = np.vectorize(lambda e: cells(e) / cells(FIELD / 2))
    assert stats.kstest(inner[:2000], expected).pvalue > 0.01
    angle = np.arctan2(fields.y, fields.x)[fields.eccentricity < FIELD / 2]
    assert stats.kstest(angle[:2000], stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 0.01


def test_faces_are_foveal_and_places_peripheral():
    names = np.repeat(["FFA", "PPA"], 500)
    eccentricity = areas.draw_receptive_fields(names, np.random.default_rng(0)).eccentricity
    assert np.median(eccentricity[:500]) < np.median(eccentricity[500:])


def test_weights_are_gaussian_densities_with_the_first_row_on_top():
    fields = ReceptiveFields(x=np.array([1.5]), y=np.array([3.0]), size=np.array([0.8]))
    grid = fields.weights(24).reshape(24, 24)
    centres = (np.arange(24) + 0.5) * FIELD / 24 - FIELD / 2
    points = np.stack(np.meshgrid(centres, -centres), axis=-1)  # y grows upward
    density = stats.multivariate_normal([1.5, 3.0], 0.8**2).pdf(points) * (FIELD / 24) ** 2
    np.testing.assert_allclose(grid, density, atol=1e-6)
    row, column = np.unravel_index(grid.argmax(), grid.shape)
    assert row < 12 <= column  # up and to the right of fixation


@pytest.mark.parametrize(("x", "total"), [(0.0, 1.0), (FIELD / 2, 0.5)])
def test_what_lies_beyond_the_image_weighs_nothing(x, total):
    fields = ReceptiveFields(np.array([x]), np.array([0.0]), np.array([1.0]))
    np.testing.assert_allclose(fields.weights(32).sum(), total, atol=1e-3)
