"""RidgeDecoder and GANDecoder as scikit-learn estimators, against scikit-learn and the pipeline."""

import functools
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

import fmri_jax as fj
from fmri_jax import report
from fmri_jax.data.readers.npz import save_npz
from fmri_jax.errors import InputError
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.run import run

GAN = functools.partial(
    fj.GANDecoder,
    n_steps=3,
    batch_size=8,
    width=1 / 64,
    hidden=8,
    feature_weight=0.0,
    adversarial_weight=0.0,
)


@pytest.fixture(scope="module")
def recording():
    """8 training images shown six times and 4 test images twice, 8 x 8 pixels, 20 voxels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 8, 8, 3), np.uint8)
    stimulus = np.r_[np.tile(np.arange(8), 6), np.tile(np.arange(8, 12), 2)].astype(np.int32)
    mixing = rng.standard_normal((192, 20))
    signal = images.reshape(12, 192)[stimulus] / 255 @ mixing
    return fj.data.Recording(
        fmri=(50 + 3 * signal + rng.standard_normal(signal.shape)).astype(np.float32),
        stimulus=stimulus,
        images=images,
        run=np.zeros(56, np.int32),
        rois={},
        stimulus_names=tuple(map(str, range(12))),
        split=np.where(stimulus < 8, "train", "test"),
    )


@pytest.fixture(scope="module")
def trials(recording):
    return fj.train_test_split(recording, by="given")


def test_gan_decoder_gives_the_bits_of_the_pipeline(recording, trials, tmp_path):
    train, test = trials
    decoder = GAN(random_state=3).fit(train.fmri, train.images)
    options = {
        name: value
        for name, value in decoder.get_params().items()
        if name not in ("image_shape", "y_range", "n_devices", "random_state", "verbose")
    }
    options["comparator_weights"] = ""
    save_npz(recording, tmp_path / "recording.npz")
    config = default_config(method="gan", data="file")
    config.data.path, config.seed, config.n_devices = str(tmp_path / "recording.npz"), 3, 1
    config.preparation.average_repeats = "none"
    config.method.update(options)
    config.evaluation.update(perceptual=False, n_bootstrap=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "write", lambda workdir: workdir)
        run(config, tmp_path / "run", progress=False)
    stored = np.load(tmp_path / "run/reconstructions.npz")
    expected = stored["reconstructions"][stored["split"] == "test"]
    images = decoder.predict(test.fmri)
    assert images.dtype == np.float32 and images.shape == (8, 8, 8, 3)
    np.testing.assert_array_equal(images, expected)
    other = GAN(random_state=4).fit(train.fmri, train.images).predict(test.fmri)
    assert np.abs(other - images).max() > 1e-3


@pytest.mark.parametrize("average", [True, False])
def test_ridge_decoder_is_ridge_of_scikit_learn(trials, average):
    train, test = trials
    decoder = fj.RidgeDecoder(average=average).fit(train.fmri, train.images)
    mean, std = train.fmri.mean(axis=0, dtype=np.float64), train.fmri.std(axis=0, dtype=np.float64)
    x, y = (train.fmri - mean) / std, train.images.reshape(len(train), -1)
    if average:
        rows = [train.stimulus == s for s in range(8)]
        x, y = (np.stack([values[row].mean(axis=0) for row in rows]) for values in (x, y))
    peer = Ridge(alpha=decoder.penalty_, solver="svd").fit(x, y)
    expected = np.clip(peer.predict((test.fmri - mean) / std), 0, 1).reshape(8, 8, 8, 3)
    np.testing.assert_allclose(decoder.predict(test.fmri), expected, atol=2e-4)
    assert decoder.fitted_.summary()["penalty"] == decoder.penalty_ > 0
    np.testing.assert_array_equal(decoder.predict(test.fmri, repeats=9), decoder.predict(test.fmri))


@pytest.mark.parametrize("make", [fj.RidgeDecoder, GAN], ids=["ridge", "gan"])
def test_images_come_in_several_shapes_and_units(trials, make, tmp_path):
    train, test = trials
    images = train.images[..., :1]
    expected = make().fit(train.fmri, images).predict(test.fmri)
    assert expected.shape == (8, 8, 8, 1) and 0 <= expected.min() and expected.max() <= 1
    forms = {
        "stack": (images[..., 0], {}),
        "flat": (images.reshape(len(train), -1), {}),
        "bytes": (np.rint(255 * images).astype(np.uint8), {}),
        "contrast": (2 * images - 1, {"y_range": (-1, 1)}),
    }
    for name, (form, options) in forms.items():
        found = make(**options).fit(train.fmri, form).predict(test.fmri)
        np.testing.assert_array_equal(found, expected, err_msg=name)
    decoder = make().fit(train.fmri, images)
    loaded = fj.load_decoder(decoder.save(tmp_path / "decoder"))
    np.testing.assert_array_equal(loaded.predict(test.fmri), expected)
    copy = pickle.loads(pickle.dumps(decoder))
    np.testing.assert_array_equal(copy.predict(test.fmri), expected)
    assert not hasattr(clone(decoder), "fitted_")
    view = decoder._repr_html_()
    assert "Fitted." in view and "8 × 8 × 1" in view
    assert "Fitted." not in make()._repr_html_()


def test_ridge_in_a_pipeline_and_a_grid_search(trials):
    train, test = trials
    steps = make_pipeline(FunctionTransformer(lambda x: x / 7), fj.RidgeDecoder(average=False))
    grid = {"ridgedecoder__penalties": [(1e-3,), (1e4,)]}
    search = GridSearchCV(steps, grid, cv=GroupKFold(2), error_score="raise")
    search.fit(train.fmri, train.images, groups=train.stimulus)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all() and search.best_index_ == np.argmax(scores)
    fitted = steps.set_params(ridgedecoder__penalties=(1e-6,)).fit(train.fmri, train.images)
    assert fitted.score(train.fmri, train.images) > 0.9
    assert set(fj.metrics.score(test.images, fitted.predict(test.fmri))) >= {"ssim", "mse"}


# scikit-learn's checks give targets of one or more numbers and expect them back in their shape;
# these decoders always return images, as `fmri_jax.metrics` takes them.
IMAGES = "predictions are images (n, height, width, channels), whatever the shape of y"
FLOAT32 = "predictions are float32 images; of several numbers float64 is expected"
EXPECTED_TO_FAIL = {
    "check_regressors_train": IMAGES,
    "check_regressor_multioutput": f"{IMAGES}; {FLOAT32}",
}


@pytest.mark.filterwarnings("ignore")
def test_ridge_keeps_the_contract_of_scikit_learn():
    results = check_estimator(
        fj.RidgeDecoder(y_range=None),
        expected_failed_checks=EXPECTED_TO_FAIL,
        on_skip=None,
        on_fail=None,
    )
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}
    assert not failed
    assert sum(r["status"] == "passed" for r in results) > 45


# Checks that fit the network cost a compilation each; these cover what the GAN does not share with
# RidgeDecoder: its own constructor, tags and randomness.
GAN_CHECKS = {
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_param",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_mixin_order",
    "check_positive_only_tag_during_fit",
    "check_dont_overwrite_attributes",
    "check_fit_idempotent",
    "check_requires_y_none",
    "check_estimators_nan_inf",
}


# Its own constructor and tags; `tests/methods/feature_decoding` fits it.
UNFITTED_CHECKS = {
    "check_estimator_cloneable",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_mixin_order",
}


def test_feature_decoder_keeps_the_contract_of_scikit_learn():
    done = set()
    for estimator, check in estimator_checks_generator(fj.FeatureDecoder()):
        name = getattr(check, "func", check).__name__
        if name in UNFITTED_CHECKS:
            check(estimator)
            done.add(name)
    assert done == UNFITTED_CHECKS


@pytest.mark.filterwarnings("ignore")
def test_gan_keeps_the_contract_of_scikit_learn():
    done = set()
    for estimator, check in estimator_checks_generator(GAN(y_range=None, n_steps=1)):
        name = getattr(check, "func", check).__name__
        if name in GAN_CHECKS:
            check(estimator)
            done.add(name)
    assert len(done) >= 12


@pytest.mark.parametrize(
    "decoder, y, message",
    [
        (fj.RidgeDecoder(), lambda y: 255 * y, r"expected images in \[0, 1\]; divide"),
        (fj.RidgeDecoder(y_range=(1, 0)), lambda y: y, r"y_range is \(1, 0\): expected"),
        (fj.RidgeDecoder(y_range=3), lambda y: y, "y_range is 3: expected"),
        (fj.RidgeDecoder(), lambda y: (y > 0.5).astype(np.uint8), "uint8 and holds 0 and 1 only"),
        (fj.RidgeDecoder(penalties=()), lambda y: y, "expected one or more positive numbers"),
        (fj.RidgeDecoder(average="no"), lambda y: y, "RidgeDecoder.average is 'no'"),
        (fj.RidgeDecoder(image_shape=(3, 3)), lambda y: y, "image_shape is"),
        (GAN(n_steps=-1), lambda y: y, "n_steps is -1: expected >= 1"),
        (GAN(comparator="resnet"), lambda y: y, "'resnet' is not a known value"),
        (GAN(), lambda y: y[:, :4], "generator needs square ones"),
        (GAN(random_state=-1), lambda y: y, "random_state is -1"),
    ],
)
def test_what_cannot_be_used_is_rejected(trials, decoder, y, message):
    train = trials[0]
    with pytest.raises(InputError, match=message):
        decoder.fit(train.fmri, y(train.images))


def test_ridge_behind_a_nilearn_masker():
    """Volumes in, images out; the masked voxels are those of the mask, in nilearn's order."""
    nibabel, maskers = pytest.importorskip("nibabel"), pytest.importorskip("nilearn.maskers")
    rng = np.random.default_rng(0)
    images = rng.random((10, 4, 4))[np.arange(40) % 10]
    inside = np.zeros((5, 5, 5), bool)
    inside[1:4, 1:4, 1:4] = True
    volumes = 100 + rng.standard_normal((40, 5, 5, 5))
    volumes[:, inside] += images.reshape(40, 16) @ rng.standard_normal((16, 27))
    scans = [nibabel.Nifti1Image(volume, np.eye(4)) for volume in volumes]
    mask = nibabel.Nifti1Image(inside.astype(np.int8), np.eye(4))
    pipeline = make_pipeline(maskers.NiftiMasker(mask, standardize=None), fj.RidgeDecoder())
    found = pipeline.fit(scans[:30], images[:30]).predict(scans[30:])
    alone = fj.RidgeDecoder().fit(volumes[:30, inside], images[:30])
    np.testing.assert_allclose(found, alone.predict(volumes[30:, inside]), atol=1e-4)
    assert pipeline.score(scans[30:], images[30:]) > 0.3
