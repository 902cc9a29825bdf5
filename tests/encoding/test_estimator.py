"""`EncodingModel`: from images to responses, noise, files, and scikit-learn's contract."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator

import fmri_jax as fj
from fmri_jax.encoding import noise_model
from fmri_jax.errors import InputError

VOXELS, STIMULI, REPEATS = 5, 40, 4
OPTIONS = {"features": "pixels", "grid": 3, "rank": 1, "penalties": (0.01, 1.0)}


@pytest.fixture(scope="module")
def trials():
    """Images, four trials each, of voxels that weigh pixels and share noise."""
    rng = np.random.default_rng(0)
    images = rng.random((STIMULI, 6, 6, 1), np.float32)
    cells = images.reshape(STIMULI, 3, 2, 3, 2).mean((2, 4)).reshape(STIMULI, 9)
    signal = 100 + 30 * cells @ rng.normal(size=(9, VOXELS))
    shared = rng.normal(size=(STIMULI * REPEATS, 1)) * np.array([3, 3, -3, 0, 0])
    noise = shared + rng.normal(size=(STIMULI * REPEATS, VOXELS))
    stimulus = np.repeat(np.arange(STIMULI), REPEATS)
    return images, stimulus, signal, (signal[stimulus] + noise).astype(np.float32)


@pytest.fixture(scope="module")
def model(trials):
    images, stimulus, _, fmri = trials
    return fj.EncodingModel(**OPTIONS).fit(images[stimulus], fmri)


def test_predicts_in_recorded_units_and_says_how_well(model, trials):
    images, _, signal, fmri = trials
    predicted = model.predict(images)
    assert predicted.dtype == np.float32
    np.testing.assert_allclose(predicted, signal, atol=0.35 * signal.std())
    means = fmri.reshape(STIMULI, REPEATS, VOXELS).mean(axis=1)
    within = np.array([np.corrcoef(predicted[:, v], means[:, v])[0, 1] for v in range(VOXELS)])
    assert (model.accuracy_ < within + 1e-3).all() and (model.accuracy_ > 0.6).all()


def test_simulated_trials_have_the_noise_of_the_repeats(model, trials):
    images, stimulus, _, fmri = trials
    simulated = model.simulate(images, repeats=200, random_state=1)
    assert simulated.shape == (STIMULI, 200, VOXELS)
    residuals = (simulated - simulated.mean(axis=1, keepdims=True)).reshape(-1, VOXELS)
    expected = np.diag(np.ones(VOXELS)) + 9 * np.outer([1, 1, -1, 0, 0], [1, 1, -1, 0, 0])
    np.testing.assert_allclose(np.cov(residuals.T), expected, atol=2.5)
    measured, freedom = noise_model.residuals_of_repeats(fmri, stimulus)
    variance = np.mean(measured**2, axis=0) / freedom
    np.testing.assert_allclose(residuals.var(axis=0), variance, rtol=0.06)
    np.testing.assert_allclose(simulated.mean(axis=1), model.predict(images), atol=1)
    again = model.simulate(images, repeats=200, random_state=1)
    np.testing.assert_array_equal(simulated, again)
    assert model.fitted_.noise_from == "repeats"


def test_seen_images_are_identified_by_likelihood(model, trials):
    images, stimulus, _, fmri = trials
    means = fmri.reshape(STIMULI, REPEATS, VOXELS).mean(axis=1)
    found = model.identify(means, images)
    assert (found == np.arange(STIMULI)).mean() > 0.5
    assert found[0] == model.fitted_.log_likelihood(means[:1], images).argmax()
    with pytest.raises(InputError, match="2 voxels: expected 5"):
        model.identify(means[:, :2], images)


def test_saved_models_predict_the_same(model, trials, tmp_path):
    images = trials[0]
    loaded = fj.load_encoding(model.save(tmp_path / "kept"))
    np.testing.assert_array_equal(loaded.predict(images), model.predict(images))
    np.testing.assert_array_equal(
        loaded.log_likelihood(trials[3][:4], images),
        model.fitted_.log_likelihood(trials[3][:4], images),
    )
    assert loaded.options == model.fitted_.options and not hasattr(clone(model), "fitted_")
    arrays = tmp_path / "kept" / "encoding.safetensors"
    content = bytearray(arrays.read_bytes())
    content[-1] ^= 1
    arrays.write_bytes(content)
    with pytest.raises(InputError, match="corrupt"):
        fj.load_encoding(tmp_path / "kept")
    with pytest.raises(InputError, match="holds no encoding model"):
        fj.load_encoding(tmp_path)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"features": "alexnett"}, "did you mean 'alexnet'"),
        ({"layers": ("conv9",)}, "has no layer 'conv9'"),
        ({"readout": "lasso"}, "lasso"),
        ({"n_folds": 1}, "n_folds is 1"),
        ({"penalties": (0.0,)}, "above 0"),
        ({"x_range": (1, 0)}, "x_range is"),
    ],
)
def test_what_cannot_be_used_is_named(options, message, trials):
    images, stimulus, _, fmri = trials
    with pytest.raises(InputError, match=message):
        fj.EncodingModel(**{**OPTIONS, **options}).fit(images[stimulus], fmri)


# The other checks fit once more each, on data of another shape.
CHECKS = {
    *("check_estimator_cloneable", "check_estimator_tags_renamed", "check_valid_tag_types"),
    *("check_estimator_repr", "check_no_attributes_set_in_init", "check_get_params_invariance"),
    *("check_parameters_default_constructible", "check_set_params", "check_mixin_order"),
    *("check_requires_y_none", "check_fit1d", "check_fit2d_1sample", "check_complex_data"),
    *("check_methods_subset_invariance", "check_methods_sample_order_invariance"),
    *("check_estimators_unfitted", "check_fit2d_predict1d", "check_estimator_sparse_array"),
}


@pytest.mark.filterwarnings("ignore")
def test_keeps_the_contract_of_scikit_learn():
    options = {"features": "pixels", "grid": 99, "penalties": (1e-3,), "rank": 1, "x_range": None}
    done = set()
    for estimator, check in estimator_checks_generator(fj.EncodingModel(**options)):
        name = getattr(check, "func", check).__name__
        if name in CHECKS:
            check(estimator)
            done.add(name)
    assert done == CHECKS
