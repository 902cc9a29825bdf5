"""The scikit-learn estimator: its contract, its tools, and its agreement with the method."""

import pickle

import jax
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from fmri_jax.errors import InputError
from fmri_jax.methods.local_decoders import Config, MultiScaleDecoder
from fmri_jax.methods.local_decoders.method import fit
from fmri_jax.methods.local_decoders.training import TrainingSet, groups_of


@pytest.fixture(scope="module")
def recorded():
    rng = np.random.default_rng(0)
    images = (rng.random((12, 4, 4)) < 0.4).astype(float)[np.arange(48) % 12]
    mixing = rng.standard_normal((16, 30)) * (rng.random((16, 30)) < 0.3)
    return images.reshape(48, 16) @ mixing + 0.3 * rng.standard_normal((48, 30)), images


@pytest.mark.filterwarnings("ignore")
def test_keeps_the_contract_of_scikit_learn():
    """Every check; with a decoder that compiles quickly, because each check has its own shapes."""
    results = check_estimator(
        MultiScaleDecoder(decoder="univariate", weights="equal"), on_skip=None, on_fail=None
    )
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}
    assert not failed
    assert sum(r["status"] == "passed" for r in results) > 45


def test_is_the_method_under_another_name(recorded):
    fmri, images = recorded
    decoder = MultiScaleDecoder(n_inner=3).fit(fmri, images)
    images = images[..., None].astype(np.float32)
    training = TrainingSet(fmri.astype(np.float32), images, groups_of(images))
    method = fit(training, Config(n_inner=3), jax.random.key(0))
    np.testing.assert_allclose(
        decoder.predict(fmri), method.contrast(fmri.astype(np.float32))[..., 0], atol=1e-4
    )
    np.testing.assert_array_equal(decoder.weights_, method.weights)
    assert decoder.scales_ == ((1, 1), (1, 2), (2, 1), (2, 2))


@pytest.mark.parametrize("decoder", ["sparse_logistic", "receptive_fields"])
def test_predicts_as_the_method_does_with_other_decoders(recorded, decoder):
    fmri, images = recorded
    estimator = MultiScaleDecoder(decoder=decoder, weights="equal", n_voxels=10).fit(fmri, images)
    images = images[..., None].astype(np.float32)
    training = TrainingSet(fmri.astype(np.float32), images, groups_of(images))
    config = Config(decoder=decoder, weights="equal", n_voxels=10)
    method = fit(training, config, jax.random.key(0))
    expected = method.contrast(fmri.astype(np.float32))[..., 0]
    np.testing.assert_allclose(estimator.predict(fmri), expected, atol=1e-4)


def test_gives_images_back_in_the_shape_they_came_in(recorded):
    fmri, images = recorded
    decoder = MultiScaleDecoder(weights="equal")
    as_stack = decoder.fit(fmri, images).predict(fmri)
    flat = decoder.fit(fmri, images.reshape(48, 16)).predict(fmri)
    with_channel = decoder.fit(fmri, images[..., None]).predict(fmri)
    assert as_stack.shape == (48, 4, 4) and with_channel.shape == (48, 4, 4, 1)
    np.testing.assert_array_equal(as_stack.reshape(48, 16), flat)
    np.testing.assert_array_equal(with_channel[..., 0], as_stack)
    oblong = decoder.set_params(image_shape=(2, 8)).fit(fmri, images.reshape(48, 16))
    assert oblong.image_shape_ == (2, 8, 1) and oblong.predict(fmri).shape == (48, 16)


def test_score_is_r2_over_the_pixels_that_vary(recorded):
    fmri, images = recorded
    decoder = MultiScaleDecoder(weights="equal").fit(fmri, images)
    residual = ((images - decoder.predict(fmri)) ** 2).sum()
    total = ((images - images.mean(axis=0)) ** 2).sum()
    assert decoder.score(fmri, images) == pytest.approx(1 - residual / total, abs=1e-6)


def test_pickles_and_clones(recorded):
    fmri, images = recorded
    decoder = MultiScaleDecoder(decoder="ridge", alpha=3.0, weights="equal").fit(fmri, images)
    restored = pickle.loads(pickle.dumps(decoder))
    np.testing.assert_array_equal(restored.predict(fmri), decoder.predict(fmri))
    copy = clone(decoder)
    assert copy.get_params() == decoder.get_params() and not hasattr(copy, "coef_")


def test_grid_search_inside_a_pipeline_with_groups(recorded):
    fmri, images = recorded
    pipeline = make_pipeline(StandardScaler(), MultiScaleDecoder(weights="equal", n_voxels=20))
    search = GridSearchCV(
        pipeline, {"multiscaledecoder__n_nonzero": [1, 4]}, cv=GroupKFold(2), error_score="raise"
    )
    search.fit(fmri, images, groups=np.arange(48) % 12)
    assert search.best_params_ == {"multiscaledecoder__n_nonzero": 4}


def test_groups_decide_what_inner_folds_keep_together(recorded):
    fmri, images = recorded
    runs = np.arange(48) // 24
    by_run = MultiScaleDecoder(n_inner=2).fit(fmri, images, groups=runs).weights_
    by_stimulus = MultiScaleDecoder(n_inner=2).fit(fmri, images).weights_
    assert np.abs(by_run - by_stimulus).max() > 0.01


def test_shapes_that_do_not_fit_are_refused(recorded):
    fmri, images = recorded
    with pytest.raises(InputError, match="expected images"):
        MultiScaleDecoder(image_shape=(3, 5)).fit(fmri, images)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        MultiScaleDecoder().fit(fmri[:-1], images)
    with pytest.raises(InputError, match="did you mean 'omp'"):
        MultiScaleDecoder(decoder="opm").fit(fmri, images)
