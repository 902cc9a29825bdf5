"""The method as a whole: reference scores on the real recording, inner folds, the pytree."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax import data, methods
from fmri_jax.data.preparation.folds import PreparationConfig, Trials, folds
from fmri_jax.errors import InputError
from fmri_jax.evaluation import binary
from fmri_jax.methods.local_decoders import Config, build
from fmri_jax.methods.local_decoders import training as inner
from fmri_jax.methods.local_decoders.bases import basis, sizes_of
from fmri_jax.methods.local_decoders.combine import equal_weights
from fmri_jax.methods.local_decoders.method import fit
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.training.mesh import make_mesh


@pytest.fixture(scope="module")
def trials():
    """60 trials of 15 images of 5x5 pixels."""
    rng = np.random.default_rng(0)
    images = (255 * (rng.random((15, 5, 5, 1)) < 0.4)).astype(np.uint8)
    stimulus = (np.arange(60) % 15).astype(np.int32)
    mixing = rng.standard_normal((25, 40)) * (rng.random((25, 40)) < 0.2)
    fmri = images[stimulus].reshape(60, 25) / 255 @ mixing + 0.3 * rng.standard_normal((60, 40))
    fmri = (fmri - fmri.mean(axis=0)) / fmri.std(axis=0)
    names = tuple(f"image {i}" for i in range(15))
    return Trials(fmri.astype(np.float32), stimulus, images, np.zeros(60, np.int32), names)


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return methods.RunContext(
        workdir=tmp_path_factory.mktemp("run"),
        fold="all",
        key=jax.random.key(0),
        mesh=make_mesh(1),
        progress=False,
    )


def score(recordings, of=slice(None), **options):
    """Micro scores over all trials of the figure session, leave one image out; or of some folds."""
    recording = data.load(str(recordings / "miyawaki2008_s1_v1_figures.npz"))
    split = PreparationConfig(split="stimulus", average_repeats="none")
    method, total = build(Config(**options)), 0
    context = methods.RunContext(recordings, "", jax.random.key(0), make_mesh(1), False)
    for fold in list(folds(recording, split))[of]:
        test = fold.tests["test"]
        images = method.fit(fold.train, context).reconstruct(test.fmri)
        total += np.asarray(binary.counts(test.targets(), images)).sum(axis=0)
    return {name: float(metric(total)) for name, metric in binary.SCORES.items()}


def test_omp_reproduces_the_reference_row_on_real_voxels(recordings):
    """scikit-learn, one pipeline an element, equal weights: .938, .894, .840, .866."""
    found = score(recordings, scales=(2,), weights="equal")
    expected = {"accuracy": 0.938, "precision": 0.894, "recall": 0.840, "f1": 0.866}
    for metric, value in expected.items():
        assert abs(found[metric] - value) < 0.003, (metric, found)


def test_receptive_fields_decode_unseen_images_better_than_any_regression(recordings):
    found = score(recordings, scales=(1,), weights="equal", decoder="receptive_fields")
    assert found["accuracy"] > 0.955 and found["f1"] > 0.9, found


def test_choices_on_inner_folds_decode_real_voxels(recordings):
    """The best configuration by inner folds alone, on two of the twenty images."""
    found = score(recordings, of=slice(4, 6), select="inner", n_inner=3)
    assert found["accuracy"] > 0.95, found


@pytest.mark.parametrize("weights", ["equal", "learned", "element", "pixel"])
def test_reconstructs_what_was_seen(trials, context, weights):
    config = Config(n_nonzero=5, weights=weights, n_inner=3)
    fitted = build(config).fit(trials, context)
    images = np.asarray(fitted.reconstruct(trials.fmri))
    assert images.shape == (60, 5, 5, 1) and images.min() >= 0 and images.max() <= 1
    assert np.mean((images > 0.5) == (trials.targets() > 0.5)) > 0.85
    shapes = {"element": (81,), "pixel": (81, 25)}
    assert fitted.weights.shape == shapes.get(weights, (4,))


def test_a_reconstructor_is_a_pytree_that_reconstructs_under_jit(trials, context):
    fitted = build(Config(weights="equal")).fit(trials, context)
    leaves, structure = jax.tree.flatten(fitted)
    rebuilt = jax.tree.unflatten(structure, [jnp.array(leaf) for leaf in leaves])
    jitted = jax.jit(lambda model, fmri: model.reconstruct(fmri))
    np.testing.assert_allclose(
        jitted(rebuilt, jnp.asarray(trials.fmri)), fitted.reconstruct(trials.fmri), atol=1e-6
    )


def test_decoders_dealt_over_devices_are_the_same(trials, context):
    four = dataclasses.replace(context, mesh=make_mesh(4))
    config = Config(weights="equal")
    one, several = (build(config).fit(trials, where) for where in (context, four))
    np.testing.assert_allclose(one.elements.coef, several.elements.coef, atol=1e-5)


def test_inner_folds_never_divide_a_stimulus(trials):
    groups = inner.groups_of(trials.targets())
    assert len(np.unique(groups)) == 15
    left_out = np.stack(list(inner.inner_folds(groups, 4)))
    np.testing.assert_array_equal(left_out.sum(axis=0), 1)
    for mask in left_out:
        assert not set(groups[mask]) & set(groups[~mask])


def test_out_of_sample_predictions_do_not_depend_on_the_trials_own_images(trials):
    images = trials.targets()
    groups, config = inner.groups_of(images), Config(decoder="linear", n_voxels=10, n_inner=3)
    before = inner.TrainingSet(trials.fmri, images, groups).out_of_sample(config)
    out = next(iter(inner.inner_folds(groups, 3)))
    swapped = images.copy()
    swapped[out] = 1 - swapped[out]
    after = inner.TrainingSet(trials.fmri, swapped, groups).out_of_sample(config)
    np.testing.assert_array_equal(after[out], before[out])
    assert np.abs(after[~out] - before[~out]).max() > 0.1


def test_in_sample_predictions_would_have_given_other_weights(trials, context):
    """The trap of the earlier code: in sample every scale looks better than it is."""
    from fmri_jax.methods.local_decoders.combine import by_channel, learn
    from fmri_jax.methods.local_decoders.decoders import fit_elements

    images, elements = trials.targets(), basis(sizes_of(2), 5, 5)
    config = Config(n_nonzero=20, n_inner=3)
    in_sample = np.asarray(fit_elements(trials.fmri, images, elements, config).predict(trials.fmri))
    wrong = learn("learned", elements, *by_channel(in_sample, images), context.key)
    right = np.asarray(build(config).fit(trials, context).weights)
    assert wrong[0] > right[0] + 0.1


def test_configs_fitted_to_the_same_trials_share_their_decoders(trials, context, monkeypatch):
    calls = []
    monkeypatch.setattr(
        inner, "fit_elements", lambda *a, f=inner.fit_elements: calls.append(a) or f(*a)
    )
    same = dataclasses.replace(trials)
    equal, learned, pixel = (
        build(Config(weights=weights, n_inner=3)).fit(same, context)
        for weights in ("equal", "learned", "pixel")
    )
    assert len(calls) == 1 + 3
    assert equal.elements is learned.elements is pixel.elements
    fresh = build(Config(weights="pixel", n_inner=3)).fit(dataclasses.replace(trials), context)
    np.testing.assert_array_equal(fresh.combination, pixel.combination)


@pytest.mark.parametrize("decoder", ["receptive_fields", "bayesian_ridge", "omp"])
@pytest.mark.parametrize("count", [1, 5], ids=["two trials", "one trial against five"])
def test_one_trial_is_not_enough_to_learn_from_in_an_inner_fold(trials, decoder, count):
    shown = np.r_[0, np.full(count, 1)].astype(np.int32)
    images = (trials.images[shown] / 255).astype(np.float32)
    few = inner.TrainingSet(trials.fmri[: count + 1], images, shown)
    assert not few.has_inner_folds(6)
    config = Config(decoder=decoder, n_voxels=20)
    with pytest.warns(UserWarning, match="leave a single image to learn from"):
        fitted = fit(few, config, jax.random.key(0))
    np.testing.assert_array_equal(fitted.weights, equal_weights(basis(sizes_of(2), 5, 5)))
    assert np.all(np.isfinite(fitted.reconstruct(trials.fmri)))
    enough = inner.TrainingSet(trials.fmri[:3], trials.targets()[:3], np.arange(3))
    assert enough.has_inner_folds(6) and not enough.has_inner_folds(2)


def test_one_training_stimulus_leaves_nothing_to_learn_weights_from(trials, context):
    same = dataclasses.replace(trials, stimulus=np.zeros(60, np.int32))
    with pytest.warns(UserWarning, match="scales are weighted equally"):
        fitted = build(Config()).fit(same, context)
    np.testing.assert_array_equal(fitted.weights, equal_weights(basis(sizes_of(2), 5, 5)))


def test_every_option_can_be_given_on_the_command_line():
    """An option that is None by default has a placeholder of a type to read a word as."""
    options = default_config("local_decoders", "file").method
    assert options.get_type("alpha") is float and options.get_type("block") is int
    for field in dataclasses.fields(Config):
        assert options.get_type(field.name) is not type(None), field.name


@pytest.mark.parametrize(
    "options, message",
    [
        ({"decoder": "opm"}, "did you mean 'omp'"),
        ({"weights": "best"}, "choose one of"),
        ({"n_voxels": 0}, "n_voxels is 0"),
        ({"alpha": -1.0}, "expected a positive number, not infinite, or None for"),
        ({"noise_diagonal": 0.0}, "expected a share"),
        ({"n_inner": 1}, "n_inner is 1: expected a whole number, at least 2"),
        ({"n_voxels": 3.5}, "n_voxels is 3.5: expected a whole number, at least 1; a number above"),
        ({"n_voxels": None}, "n_voxels is None: expected a whole number"),
        ({"n_voxels": "all"}, "n_voxels is 'all': expected a whole number"),
        ({"n_nonzero": 2.5}, "n_nonzero is 2.5: expected a whole number"),
        ({"n_nonzero": True}, "n_nonzero is True: expected a whole number"),
        ({"alpha": np.inf}, "alpha is inf: expected a positive number, not infinite"),
        ({"alpha": "1"}, "alpha is '1': expected a positive number"),
        ({"noise_diagonal": None}, "noise_diagonal is None: expected a share"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Config(**options)
