"""What local decoders draw of themselves: scale weights and maps of voxels."""

import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.methods import local_decoders
from fmri_jax.methods.local_decoders.bases import basis
from fmri_jax.methods.local_decoders.combine import combination
from fmri_jax.methods.local_decoders.decoders import ElementModel
from fmri_jax.methods.local_decoders.figures import N_VOXELS, pixel_weights, scale_weights
from fmri_jax.methods.local_decoders.method import LocalReconstructor
from fmri_jax.methods.local_decoders.options import Config

SIZES = ((1, 1), (2, 2))


def fitted(weights: tuple[float, float], kind="learned", channels=1) -> LocalReconstructor:
    """50 voxels, voxel i with weights about i; images of 3 x 4 pixels at two scales."""
    elements = basis(SIZES, 3, 4)
    rng = np.random.default_rng(0)
    size = (50, elements.n_elements * channels)
    coef = rng.normal(size=size) * np.arange(50)[:, None]
    return LocalReconstructor(
        ElementModel(jnp.asarray(coef, jnp.float32), jnp.zeros(size[1])),
        weights=jnp.asarray(weights),
        combination=jnp.asarray(combination(elements, np.asarray(weights, np.float32))),
        shape=(3, 4, channels),
        config=Config(scales=SIZES, weights=kind),
    )


def test_bars_are_the_means_of_the_learned_weights_and_their_spread():
    models = [fitted((0.2, 0.5)), fitted((0.4, 0.5))]
    assert scale_weights(models[0]) == pytest.approx({"1x1": 0.2, "2x2": 0.5})
    drawing, caption = local_decoders.draw_figures(iter(models))["scale_weights"]
    (axes,) = drawing.axes
    heights = [bar.get_height() for bar in axes.patches]
    np.testing.assert_allclose(heights, [0.3, 0.5], rtol=1e-6)
    ((first, second),) = (lines.get_segments() for lines in axes.collections)
    np.testing.assert_allclose([np.ptp(first[:, 1]), np.ptp(second[:, 1])], [0.2, 0], atol=1e-6)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1x1", "2x2"]
    assert "add up to 0.80" in caption


@pytest.mark.parametrize("kinds", [("equal", "equal"), ("learned", "equal")])
def test_weights_that_not_every_fold_learned_are_not_drawn(kinds):
    models = [fitted((0.5, 0.5), kind) for kind in kinds]
    assert set(local_decoders.draw_figures(models)) == {"voxel_maps"}


@pytest.mark.parametrize("channels", [1, 3])
def test_a_voxel_s_map_is_how_the_image_changes_with_the_voxel(channels):
    model = fitted((0.2, 0.5), channels=channels)
    voxels = np.eye(50, dtype=np.float32)
    change = np.asarray(model.contrast(voxels) - model.contrast(np.zeros_like(voxels)))
    np.testing.assert_allclose(pixel_weights(model), change.mean(axis=-1), atol=1e-4)


def test_the_strongest_voxels_are_drawn_each_in_its_own_range():
    model = fitted((0.2, 0.5))
    maps = pixel_weights(model)
    drawing, caption = local_decoders.draw_figures([model, model])["voxel_maps"]
    (axes,) = drawing.axes
    canvas = axes.images[0].get_array()
    assert np.isfinite(canvas).sum() == N_VOXELS * 12 and np.nanmax(np.abs(canvas)) == 1
    strongest = int(np.argmax(np.linalg.norm(maps.reshape(50, -1), axis=1)))
    assert axes.texts[0].get_text() == f"voxel {strongest}"
    first = canvas[np.isfinite(canvas).any(axis=1)][:3]
    first = first[:, np.isfinite(first).any(axis=0)][:, :4]
    np.testing.assert_allclose(first, maps[strongest] / np.abs(maps[strongest]).max(), rtol=1e-6)
    assert "Haufe" in caption
