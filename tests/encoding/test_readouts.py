"""Readouts find the weights and windows that responses were made with."""

import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.encoding import banded, best_ridge, receptive_fields, separable_training
from fmri_jax.encoding.options import Options
from tests.peers import peer

N, SIDE = 60, 6
FOLDS = best_ridge.as_folds(N, 4, seed=0)


@pytest.fixture(scope="module")
def maps():
    """Smooth maps of two layers."""
    rng = np.random.default_rng(0)
    return {
        "first": rng.normal(size=(N, SIDE, SIDE, 3)).astype(np.float32),
        "second": 5 + 2 * rng.normal(size=(N, 2, 2, 4)).astype(np.float32),
    }


def seen_through(maps, fields):
    """Responses of voxels with windows of a weighted channel of the first layer."""
    masks = receptive_fields.windows(fields, SIDE, SIDE)
    flat = maps["first"].reshape(N, -1, 3)
    pooled = np.einsum("npc,vp->nvc", flat, masks)
    return 7 + pooled @ np.array([1, -2, 0.5]), masks


def test_banded_ridge_predicts_as_kernel_ridge_does(maps):
    kernel_ridge = peer("sklearn.kernel_ridge").KernelRidge
    rng = np.random.default_rng(1)
    responses = maps["second"].reshape(N, -1) @ rng.normal(size=(16, 3)) + 4
    options = Options(features="pixels", penalties=(0.01,), n_candidates=0)
    readout, left_out = banded.fit(maps, responses.astype(np.float32), FOLDS, options)
    assert np.argmax([readout.weights[layer][0] for layer in maps]) == 1
    new = {layer: found[:5] + 1 for layer, found in maps.items()}
    flat = maps["second"].reshape(N, -1)
    centre = flat.mean(axis=0)
    unit = np.sqrt(np.sum((flat - centre) ** 2) / N)
    peer_fit = kernel_ridge(alpha=0.01).fit((flat - centre) / unit, responses - responses.mean(0))
    expected = peer_fit.predict((new["second"].reshape(5, -1) - centre) / unit)
    own = np.asarray(readout.predict({k: jnp.asarray(v) for k, v in new.items()}))
    alone = np.stack([each for each in readout.weights.values()])[1] == 1
    assert alone.any()
    np.testing.assert_allclose(
        own[:, alone], (expected + responses.mean(0))[:, alone], rtol=1e-3, atol=1e-3
    )
    assert np.corrcoef(left_out[:, 0], responses[:, 0])[0, 1] > 0.99


def test_receptive_fields_are_found_and_predict_new_images(maps):
    fields = receptive_fields.candidates()[[10, 64 + 37, 256]]
    responses, masks = seen_through(maps, fields)
    options = Options(features="gabor", readout="receptive_field", penalties=(1e-3,))
    first = {"first": maps["first"]}
    readout, left_out = receptive_fields.fit(first, responses.astype(np.float32), FOLDS, options)
    np.testing.assert_allclose(readout.fields, fields)
    np.testing.assert_allclose(readout.space["first"], masks, atol=1e-6)
    np.testing.assert_allclose(
        readout.channels["first"], np.tile([1, -2, 0.5], (3, 1)), rtol=0.02, atol=0.02
    )
    predicted = readout.predict({"first": jnp.asarray(maps["first"][:7])})
    np.testing.assert_allclose(predicted, responses[:7], atol=0.02)
    assert np.corrcoef(left_out[:, 0], responses[:, 0])[0, 1] > 0.99


def test_windows_are_gaussians_in_image_sides():
    fields = np.array([[0.25, 0.75, 0.1], [0.5, 0.5, 1e3], [0.1, 0.1, 1e-4]])
    wide, even, one = receptive_fields.windows(fields, 8, 16).reshape(3, 8, 16)
    y, x = np.unravel_index(np.argmax(wide), wide.shape)
    assert (y, x) in [(5, 3), (5, 4), (6, 3), (6, 4)]
    across = wide[5] / wide[5].max()
    expected = np.exp(-0.5 * ((np.arange(16) + 0.5) / 16 - 0.25) ** 2 / 0.01)
    np.testing.assert_allclose(across, expected / expected.max(), atol=1e-5)
    np.testing.assert_allclose(even, 1 / 128, rtol=1e-4)
    assert one.max() == 1 and one[0, 1] == 1


def test_training_finds_a_separable_readout(maps):
    fields = np.array([[0.3, 0.3, 0.12], [0.7, 0.6, 0.12]], np.float32)
    responses, masks = seen_through(maps, fields)
    responses = (responses / responses.std(axis=0)).astype(np.float32)
    options = Options(features="pixels", readout="separable", n_steps=200, sparsity=0.01)
    first = {"first": maps["first"]}
    programs = separable_training._advance._cache_size()
    readout, left_out = separable_training.fit(first, responses, FOLDS, options)
    assert separable_training._advance._cache_size() == programs + 1
    out = FOLDS == 0
    assert np.isnan(left_out[~out]).all() and np.isfinite(left_out[out]).all()
    predicted = np.asarray(readout.predict({"first": jnp.asarray(maps["first"])}))
    np.testing.assert_allclose(predicted[out], left_out[out], atol=1e-4)
    for voxel in range(2):
        assert np.corrcoef(left_out[out, voxel], responses[out, voxel])[0, 1] > 0.9
        found = np.abs(np.asarray(readout.space["first"][voxel]))
        assert np.corrcoef(found, masks[voxel])[0, 1] > 0.8
