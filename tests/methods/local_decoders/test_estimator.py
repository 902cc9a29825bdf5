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

import fmri_jax
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
        MultiScaleDecoder(decoder="univariate", weights="equal", clip=False),
        on_skip=None,
        on_fail=None,
    )
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}
    assert not failed
    assert sum(r["status"] == "passed" for r in results) > 45


def test_is_the_method_under_another_name(recorded):
    fmri, images = recorded
    decoder = MultiScaleDecoder(n_inner=3, clip=False).fit(fmri, images)
    images = images[..., None].astype(np.float32)
    training = TrainingSet(fmri.astype(np.float32), images, groups_of(images))
    method = fit(training, Config(n_inner=3), jax.random.key(0))
    np.testing.assert_allclose(
        decoder.predict(fmri), method.contrast(fmri.astype(np.float32))[..., 0], atol=1e-4
    )
    np.testing.assert_allclose(decoder.weights_, method.weights, atol=1e-5)
    assert decoder.scales_ == ((1, 1), (1, 2), (2, 1), (2, 2))


@pytest.mark.parametrize("decoder", ["sparse_logistic", "receptive_fields"])
def test_predicts_as_the_method_does_with_other_decoders(recorded, decoder):
    fmri, images = recorded
    options = {"decoder": decoder, "weights": "equal", "n_voxels": 10}
    estimator = MultiScaleDecoder(**options, clip=False).fit(fmri, images)
    images = images[..., None].astype(np.float32)
    training = TrainingSet(fmri.astype(np.float32), images, groups_of(images))
    method = fit(training, Config(**options), jax.random.key(0))
    expected = method.contrast(fmri.astype(np.float32))[..., 0]
    np.testing.assert_allclose(estimator.predict(fmri), expected, atol=1e-4)


def test_gives_images_by_default_from_voxels_in_any_unit(recorded, tmp_path):
    fmri, images = recorded
    decoder = MultiScaleDecoder(weights="equal").fit(fmri, images)
    found, contrasts = decoder.predict(fmri), decoder.set_params(clip=False).predict(fmri)
    assert found.dtype == np.float32 and contrasts.min() < 0
    np.testing.assert_array_equal(found, np.clip(contrasts, 0, 1).astype(np.float32))
    unit, offset = np.logspace(-3, 3, 30), np.linspace(-5000, 5000, 30) * np.logspace(-3, 3, 30)
    other = MultiScaleDecoder(weights="equal").fit(offset + unit * fmri, images)
    np.testing.assert_allclose(other.predict(offset + unit * fmri), found, atol=0.02)
    stack = other.predict(offset + unit * fmri)[..., None]
    loaded = fmri_jax.load_decoder(other.save(tmp_path / "decoder"))
    np.testing.assert_allclose(loaded.predict(offset + unit * fmri), stack, atol=1e-3)
    eight_bits = MultiScaleDecoder(weights="equal").fit(fmri, (255 * images).astype(np.uint8))
    np.testing.assert_allclose(eight_bits.predict(fmri), found, atol=1e-5)
    with pytest.raises(InputError, match="clip=True to save"):
        decoder.save(tmp_path / "contrasts")
    with pytest.raises(InputError, match="clip=True expects images"):
        MultiScaleDecoder().fit(fmri, 2 * images - 1)


@pytest.mark.parametrize("decoder, alpha", [("receptive_fields", 300.0), ("ridge", 1.0)])
def test_each_decoder_has_its_own_penalty_where_none_is_given(recorded, decoder, alpha):
    options = {"decoder": decoder, "weights": "equal", "scales": 1}
    found, expected, other = (
        MultiScaleDecoder(**options, **given).fit(*recorded).coef_
        for given in ({}, {"alpha": alpha}, {"alpha": 5 * alpha})
    )
    np.testing.assert_array_equal(found, expected)
    assert np.abs(found - other).max() > 1e-3
    assert Config(decoder=decoder).penalty == alpha


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


@pytest.mark.parametrize("weights", ["learned", "element", "pixel"])
def test_two_images_are_distinguished_although_no_weights_can_be_learned(weights):
    """An inner fold would learn from a single image, and weigh its predictions by zero."""
    rng, shown = np.random.default_rng(0), np.arange(40) % 2
    fmri = rng.standard_normal((40, 5))
    fmri[:, 0] += 10 * shown
    decoder = MultiScaleDecoder(n_nonzero=2, weights=weights)
    with pytest.warns(UserWarning, match="leave a single image to learn from") as said:
        decoder.fit(fmri, shown)
    assert said[0].filename == __file__
    np.testing.assert_array_equal(decoder.predict(fmri).ravel() > 0.5, shown == 1)


@pytest.mark.parametrize("weights", ["learned", "element", "pixel"])
def test_weights_are_never_all_zero(weights):
    """Each pixel is on in one image only: left out, the image is predicted to be black."""
    rng, shown = np.random.default_rng(0), np.arange(40) % 3
    fmri = rng.standard_normal((40, 5))
    fmri[:, :3] += 10 * np.eye(3)[shown]
    decoder = MultiScaleDecoder(scales=1, n_nonzero=3, weights=weights)
    with pytest.warns(UserWarning, match="predict no image that was left out") as said:
        decoder.fit(fmri, np.eye(3)[shown])
    assert said[0].filename == __file__
    np.testing.assert_array_equal(decoder.predict(fmri).argmax(axis=1), shown)


@pytest.mark.parametrize(
    "options", [{"select": "inner"}, {"decoder": "receptive_fields", "weights": "equal"}]
)
@pytest.mark.parametrize("unit", [lambda i: 255 * i, lambda i: 2 * i - 1], ids=["0/255", "-1/1"])
def test_images_in_a_unit_that_an_option_does_not_expect_are_refused(recorded, options, unit):
    fmri, images = recorded
    with pytest.raises(InputError, match=r"expects images in \[0, 1\]; divide"):
        MultiScaleDecoder(**options).fit(fmri, unit(images))


def test_receptive_fields_take_images_that_resizing_left_just_outside(recorded):
    fmri, images = recorded
    decoder = MultiScaleDecoder(decoder="receptive_fields", weights="equal", alpha=1.0)
    assert decoder.fit(fmri, 1.0001 * images).score(fmri, images) > 0.5


@pytest.mark.parametrize("image_shape", [np.array([2, 8]), [2, 8], (np.int64(2), 8)])
def test_an_image_shape_may_be_any_sequence(recorded, image_shape):
    fmri, images = recorded
    decoder = MultiScaleDecoder(weights="equal", image_shape=image_shape)
    assert decoder.fit(fmri, images.reshape(48, 16)).image_shape_ == (2, 8, 1)


@pytest.mark.parametrize("scales", [np.array([[1, 1], [2, 2]]), [[1, 1], (2, 2)]])
def test_scales_may_be_any_sequence(recorded, scales):
    decoder = MultiScaleDecoder(weights="equal", scales=scales).fit(*recorded)
    assert decoder.scales_ == ((1, 1), (2, 2))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"image_shape": 16}, "image_shape is 16: expected None, "),
        ({"image_shape": ()}, "image_shape is .*: expected None, "),
        ({"image_shape": (-2, -8)}, "image_shape is .*: expected None, "),
        ({"image_shape": (4.0, 4.0)}, "image_shape is .*: expected None, "),
        ({"scales": "2"}, "scales='2': expected"),
        ({"scales": 2.0}, "scales=2.0: expected"),
        ({"scales": None}, "scales=None: expected"),
        ({"scales": True}, "scales=True: expected"),
        ({"scales": ((1, 2, 3),)}, "scales=.*: expected"),
        ({"scales": (2, (1, 0))}, "scales=.*: expected"),
        ({"n_voxels": "all"}, "n_voxels is 'all': expected"),
        ({"n_nonzero": 2.5}, "n_nonzero is 2.5: expected"),
        ({"alpha": np.inf}, "alpha is inf: expected"),
        ({"alpha": 0}, "alpha is 0: expected a positive number, not infinite, or None"),
        ({"random_state": 2**40}, "random_state is 1099511627776: expected"),
        ({"random_state": -1}, "random_state is -1: expected"),
        ({"random_state": "a"}, "random_state is 'a': expected"),
    ],
)
def test_options_that_cannot_be_used_are_refused(recorded, options, message):
    with pytest.raises(InputError, match=message):
        MultiScaleDecoder(weights="equal").set_params(**options).fit(*recorded)


def test_a_random_state_draws_a_seed(recorded):
    def weights(random_state):
        return MultiScaleDecoder(n_inner=2, random_state=random_state).fit(*recorded).weights_

    drawn = np.random.RandomState(0)
    first, second = weights(drawn), weights(drawn)
    np.testing.assert_array_equal(first, weights(np.random.RandomState(0)))
    assert np.any(first != second) and np.all(np.isfinite(weights(None)))


@pytest.mark.parametrize(
    "groups, message",
    [
        (np.zeros((48, 2)), r"groups has shape \(48, 2\): expected \(n,\)"),
        (np.r_[np.arange(47.0), np.nan], "no label for 1 trials, the first at place 47"),
        ([None] + 47 * ["a"], "no label for 1 trials, the first at place 0"),
        (np.array([1] + 47 * ["a"], object), "labels that cannot be compared"),
    ],
)
def test_groups_that_say_nothing_are_refused(recorded, groups, message):
    with pytest.raises(InputError, match=message):
        MultiScaleDecoder(n_inner=2).fit(*recorded, groups=groups)


def test_groups_may_be_words(recorded):
    runs = np.arange(48) // 24
    numbers = MultiScaleDecoder(n_inner=2).fit(*recorded, groups=runs).weights_
    words = MultiScaleDecoder(n_inner=2).fit(*recorded, groups=[f"run {run}" for run in runs])
    np.testing.assert_array_equal(numbers, words.weights_)


@pytest.mark.parametrize("decoder", ["omp", "ridge", "receptive_fields"])
@pytest.mark.parametrize("n_voxels", [20, 500])
def test_the_unit_of_the_voxels_does_not_matter(recorded, decoder, n_voxels):
    fmri, images = recorded
    options = {"decoder": decoder, "n_voxels": n_voxels, "weights": "equal"}
    usual, faint = (
        MultiScaleDecoder(**options).fit(unit * fmri, images).predict(unit * fmri)
        for unit in (1, 1e-26)
    )
    np.testing.assert_allclose(faint, usual, atol=1e-4)


def test_choosing_on_inner_folds_takes_images_of_one_row():
    rng = np.random.default_rng(0)
    y = (rng.random((24, 7)) < 0.5).astype(np.float32)
    X = y @ rng.standard_normal((7, 12)) + 0.1 * rng.standard_normal((24, 12))
    fitted = MultiScaleDecoder(select="inner", n_inner=2).fit(X, y)
    assert fitted.image_shape_ == (1, 7, 1) and fitted.predict(X).shape == y.shape
