"""Choosing on inner folds: honest, and able to find what is known to be right."""

import dataclasses

import jax
import numpy as np
import pytest

from fmri_jax.methods.local_decoders import selection
from fmri_jax.methods.local_decoders.bases import basis, sizes_of
from fmri_jax.methods.local_decoders.decoders import fit_elements
from fmri_jax.methods.local_decoders.options import Config
from fmri_jax.methods.local_decoders.training import TrainingSet, groups_of, inner_folds

KEY = jax.random.key(0)
INVERTED = Config(decoder="receptive_fields", scales=(1,), weights="equal", n_inner=3)


@pytest.fixture(scope="module")
def recorded():
    rng = np.random.default_rng(0)
    images = (rng.random((15, 5, 5, 1)) < 0.4).astype(np.float32)[np.arange(60) % 15]
    mixing = rng.standard_normal((25, 40)) * (rng.random((25, 40)) < 0.1)
    fmri = images.reshape(60, 25) @ mixing + 0.2 * rng.standard_normal((60, 40))
    return TrainingSet(fmri.astype(np.float32), images, groups_of(images))


def test_picks_what_decodes_left_out_stimuli_best(recorded):
    candidates = ({"n_nonzero": 10}, {"decoder": "univariate"}, {"decoder": "ridge", "alpha": 1e6})
    config = Config(scales=(1,), weights="equal", n_inner=3, select="inner")
    scores = selection.score_configs(
        recorded, [dataclasses.replace(config, select="fixed", **c) for c in candidates], KEY
    )
    chosen = selection.select(recorded, config, KEY, candidates)
    assert chosen == dataclasses.replace(config, select="fixed", **candidates[np.argmax(scores)])
    assert scores[0] > scores[2] + 0.05


def test_inversions_of_one_call_equal_decoders_fitted_fold_by_fold(recorded):
    fmri, images, groups = recorded.fmri, recorded.images, recorded.groups
    configs = [
        dataclasses.replace(INVERTED, alpha=a, prior_scale=s) for a, s in ((10.0, 1), (99.0, 2))
    ]
    scores = selection.score_configs(recorded, configs, KEY)
    for config, found in zip(configs, scores, strict=True):
        seen = np.empty_like(images)
        for out in inner_folds(groups, 3):
            model = fit_elements(fmri[~out], images[~out], basis(sizes_of(1), 5, 5), config)
            seen[out] = np.asarray(model.predict(fmri[out])).reshape(-1, 5, 5, 1)
        assert selection.criterion(seen, images) == pytest.approx(found, abs=2e-3)


def test_weights_are_cross_fitted(recorded):
    """A trial's own image never shapes the weights that its score is computed with."""
    config = Config(n_inner=3, weights="pixel", decoder="linear", n_voxels=10)
    out = next(iter(inner_folds(recorded.groups, 3)))
    changed = recorded.images.copy()
    changed[out] = 1 - changed[out]
    other = TrainingSet(recorded.fmri, changed, recorded.groups)
    other._predictions = recorded._predictions  # what decoders learn is not the question here
    before = selection.cross_fitted(recorded, config, KEY)
    after = selection.cross_fitted(other, config, KEY)
    np.testing.assert_array_equal(before[out], after[out])
    assert np.abs(before[~out] - after[~out]).max() > 0.1


def test_grey_images_are_judged_by_their_squared_error():
    grey = np.full((2, 3, 3, 1), 0.4, np.float32)
    assert selection.criterion(grey + 0.1, grey) == pytest.approx(-0.01, abs=1e-6)
    binary = np.eye(3, dtype=np.float32)[None, ..., None]
    assert selection.criterion(np.zeros_like(binary), binary) == pytest.approx(6 / 9)


def test_candidates_that_do_not_fit_the_images_are_left_out(recorded):
    tiny = (np.arange(60) % 15 < 7).astype(np.float32)[:, None, None, None]
    training = TrainingSet(recorded.fmri, tiny, np.arange(60) % 15)
    config = Config(scales=(1,), select="inner", n_inner=2)
    chosen = selection.select(training, config, KEY, ({"scales": (2,)}, {"n_nonzero": 3}))
    assert chosen.n_nonzero == 3 and chosen.select == "fixed"
