"""Noiseless responses: what drives a voxel, and what does not."""

import numpy as np
import pytest

from fmri_jax.datasets.simulated import areas, early_areas, higher_areas
from fmri_jax.datasets.simulated.areas import FIELD, ReceptiveFields
from fmri_jax.errors import InputError

SIZE = 64


def probes(cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A patch of fine checks at each place of a grid: images and the patches' x and y in deg."""
    side = SIZE // cells
    checks = np.where(np.indices((side, side)).sum(0) // 2 % 2, 255, 0)[..., None]
    images = np.full((cells * cells, SIZE, SIZE, 3), 128, np.uint8)
    places = np.indices((cells, cells)).reshape(2, -1)
    for image, row, column in zip(images, *places, strict=True):
        image[row * side : (row + 1) * side, column * side : (column + 1) * side] = checks
    y, x = (places + 0.5) * FIELD / cells - FIELD / 2
    return images, x, -y


def test_receptive_fields_can_be_mapped_from_responses():
    area_of = np.repeat(areas.EARLY, 40)
    fields = areas.draw_receptive_fields(area_of, np.random.default_rng(0))
    images, x, y = probes(16)
    mapped = early_areas.early_responses(images, area_of, fields, np.random.default_rng(1))
    driven = np.clip(mapped - np.quantile(mapped, 0.75, axis=0), 0, None)
    driven /= driven.sum(0)
    centre_x, centre_y = x @ driven, y @ driven
    assert np.corrcoef(centre_x, fields.x)[0, 1] > 0.95
    assert np.corrcoef(centre_y, fields.y)[0, 1] > 0.95
    spread = np.sqrt(((x[:, None] - centre_x) ** 2 * driven).sum(0))
    means = [spread[area_of == name].mean() for name in areas.EARLY]
    assert means == sorted(means)  # V1 < V2 < V3 < V4


def test_a_v1_voxel_ignores_what_lies_outside_its_receptive_field():
    rng = np.random.default_rng(0)
    fields = ReceptiveFields(np.array([-3.0, 3.0]), np.array([3.0, -3.0]), np.array([0.5, 0.5]))
    images = rng.integers(0, 256, (12, SIZE, SIZE, 3), dtype=np.uint8)
    images[6:] = images[:6]
    images[6:, SIZE // 2 :, SIZE // 2 :] = 128  # the lower right quarter of the second half
    area_of = np.array(["V1", "V1"])
    found = early_areas.early_responses(images, area_of, fields, np.random.default_rng(1))
    # The coarsest Gabors reach far, so the upper left voxel changes a little, the other one much.
    change = abs(found[6:] - found[:6]).mean(0)
    assert change[0] < 0.2 * change[1]


def test_batches_do_not_change_responses(monkeypatch):
    area_of = np.repeat(["V1", "V4"], 10)
    fields = areas.draw_receptive_fields(area_of, np.random.default_rng(0))
    images = np.random.default_rng(0).integers(0, 256, (10, SIZE, SIZE, 3), dtype=np.uint8)
    whole = early_areas.early_responses(images, area_of, fields, np.random.default_rng(1))
    monkeypatch.setattr(early_areas, "BATCH", 4)
    parts = early_areas.early_responses(images, area_of, fields, np.random.default_rng(1))
    np.testing.assert_allclose(parts, whole, atol=1e-4)


@pytest.fixture(scope="module")
def deep() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shape = (20, 6, 6, 32)
    return {
        layer: np.maximum(rng.normal(size=shape), 0).astype("f") for layer in higher_areas.LAYERS
    }


def test_higher_voxels_are_sparse_mixtures_of_one_layer_each(deep):
    area_of = np.repeat(["LOC", "FFA", "PPA"], 30)
    fields = areas.draw_receptive_fields(area_of, np.random.default_rng(0))

    def respond(features):
        return higher_areas.higher_responses(features, area_of, fields, np.random.default_rng(1))

    found = respond(deep)
    # By least squares: each voxel is a linear function of one layer's compressed channels.
    zero = np.zeros_like(deep["relu4"])
    fourth = abs(respond({"relu4": deep["relu4"], "relu5": zero})).max(0) > 0
    fifth = abs(respond({"relu4": zero, "relu5": deep["relu5"]})).max(0) > 0
    assert (fourth ^ fifth).all()
    assert fourth[:30].mean() > fourth[30:].mean()  # LOC takes more of the fourth layer
    voxel = int(np.flatnonzero(fourth)[0])
    units = np.sqrt(deep["relu4"])
    units = (units - units.mean((0, 1, 2))) / units.std((0, 1, 2))
    space = fields[np.array([voxel])].weights(6).reshape(6, 6)
    pooled = np.einsum("nyxc,yx->nc", units, space / space.sum())
    weights, *_ = np.linalg.lstsq(pooled.T @ pooled + 1e-9 * np.eye(32), pooled.T @ found[:, voxel])
    np.testing.assert_allclose(pooled @ weights, found[:, voxel], atol=1e-3)


def test_a_single_higher_voxel_leaves_a_layer_without_voxels(deep):
    fields = areas.draw_receptive_fields(np.asarray(["LOC"]), np.random.default_rng(0))
    found = higher_areas.higher_responses(
        deep, np.asarray(["LOC"]), fields, np.random.default_rng(1)
    )
    assert found.shape == (20, 1) and found.std() > 0


def test_large_deep_maps_are_averaged_over_blocks():
    units = np.random.default_rng(0).normal(size=(2, 13, 13, 3)).astype(np.float32)
    reduced = higher_areas._reduced(units)
    assert reduced.shape == (2, 6, 6, 3)
    np.testing.assert_allclose(reduced[1, 2, 3], units[1, 4:6, 6:8].mean((0, 1)), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda deep: {"relu4": deep["relu4"]}, "features gave relu4: expected 'relu4' and"),
        (lambda deep: {}, "features gave nothing"),
        (lambda deep: {**deep, "relu5": deep["relu5"][:3]}, r"relu5 of shape \(3, 6, 6, 32\)"),
        (lambda deep: {**deep, "relu5": deep["relu5"][:, 0]}, r"expected \(20, side, side"),
        (lambda deep: {**deep, "relu4": -deep["relu4"]}, "relu4 with negative or non-finite"),
        (lambda deep: {**deep, "relu4": deep["relu4"] * np.nan}, "relu4 with negative or non-fin"),
    ],
)
def test_wrong_deep_features_are_named(deep, change, message):
    with pytest.raises(InputError, match=message):
        higher_areas.checked_features(change(deep), 20)


def test_categories_are_clusters_of_alike_images_and_nothing_else():
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (3, 1, 1, 3))
    label = rng.integers(0, 3, 40)
    images = np.clip(colours[label] + rng.normal(0, 8, (40, 16, 16, 3)), 0, 255).astype(np.uint8)
    found, category = higher_areas.category_responses(images, 30, 3, 50, rng)
    for one in range(3):
        assert len(set(category[label == one])) == 1
        assert np.ptp(found[label == one], axis=0).max() == 0
    assert len(np.unique(found, axis=0)) == 3


def test_standardising_uses_the_reference_rows_and_silences_constants():
    values = np.random.default_rng(0).normal(3, 2, (50, 4))
    values[:, 2] = 7.0
    found = early_areas.standardised(values, slice(30))
    np.testing.assert_allclose(found[:30, [0, 1, 3]].mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(found[:30, [0, 1, 3]].std(0), 1)
    assert (found[:, 2] == 0).all()
