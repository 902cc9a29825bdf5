"""IC-GAN as a method, with a small generator of random weights."""

import dataclasses

import jax
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import estimator_checks_generator

import fmri_jax as fj
from fmri_jax.data.preparation.folds import Trials
from fmri_jax.data.preparation.standardise import VoxelScale
from fmri_jax.encoding.options import Options
from fmri_jax.errors import InputError
from fmri_jax.methods import RunContext, choice, ic_gan, trained_through
from fmri_jax.methods.decoder import About, Decoder
from fmri_jax.methods.ic_gan.config import Config
from fmri_jax.training.mesh import make_mesh
from tests.methods.test_estimators import UNFITTED_CHECKS
from tests.priors.random_priors import kept_ic_gan, kept_vdvae

N, SIZE = 8, 32  # all calls have 8 rows, so that the generator compiles once


@pytest.fixture(scope="module")
def prior(tmp_path_factory) -> str:
    return str(kept_ic_gan(tmp_path_factory.mktemp("priors") / "ic_gan"))


@pytest.fixture(scope="module")
def trials() -> Trials:
    """Images shown twice; 40 voxels are noisy linear views of them."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (N, 4, 4, 3), np.uint8)
    images = small.repeat(SIZE // 4, axis=1).repeat(SIZE // 4, axis=2)
    stimulus = np.repeat(np.arange(N, dtype=np.int32), 2)
    fmri = (small.reshape(N, -1)[stimulus] / 128 - 1) @ rng.standard_normal((48, 40)) / 7
    fmri = (fmri + 0.1 * rng.standard_normal(fmri.shape)).astype(np.float32)
    return Trials(fmri, stimulus, images, np.zeros(2 * N, np.int32), tuple(map(str, range(N))))


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> RunContext:
    folder = tmp_path_factory.mktemp("run")
    return RunContext(folder, "all", jax.random.key(0), make_mesh(1), progress=False)


def fit(trials, context, prior, **options):
    return ic_gan.build(Config(prior=prior, **options)).fit(trials, context)


def averages(trials) -> np.ndarray:
    return trials.fmri.reshape(N, 2, -1).mean(axis=1)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_instances_are_ridge_at_unit_length_and_their_noise_is_drawn(
    trials, context, prior
) -> None:
    """Against scikit-learn; then the generator paints them."""
    fitted = fit(trials, context, prior, alpha=3.0, gain="none", n_samples=2)
    generator, new = fj.priors.load(prior), trials.fmri[:N] + 0.1
    ridge = Ridge(alpha=3.0).fit(averages(trials), generator.embed(trials.images))
    expected = unit(ridge.predict(new))
    assert np.allclose(fitted.instances(new), expected, atol=1e-4)
    samples = fitted.samples(new)
    assert samples.shape == (2, N, SIZE, SIZE, 3)
    first, second = jax.random.split(jax.random.key(0))
    noise = np.repeat(generator.draw_noise(1, second), N, axis=0)
    assert np.abs(noise).max() <= 1.4 and noise.std() > 0.2
    assert np.allclose(samples[1], generator.generate(expected, noise), atol=1e-3)
    assert not np.allclose(samples[0], samples[1], atol=1e-2)
    assert np.array_equal(fitted.reconstruct(new), samples[0])
    reversed_rows = np.asarray(fitted.reconstruct(new[::-1]))[::-1]  # rows do not depend on others
    assert np.allclose(reversed_rows, samples[0], atol=1e-5)
    mean = fitted.replace(config=dataclasses.replace(fitted.config, choice="mean"))
    assert np.allclose(mean.reconstruct(new), samples.mean(axis=0), atol=1e-6)
    without = fitted.replace(config=dataclasses.replace(fitted.config, noise="zeros", n_samples=1))
    assert np.allclose(without.reconstruct(new), generator.generate(expected, 0 * noise), atol=1e-3)


def test_the_nearest_real_instance_replaces_the_decoded_one(trials, context, prior) -> None:
    decoded = fit(trials, context, prior)
    nearest = fit(trials, context, prior, instance="nearest")
    new = trials.fmri[:N]
    real = fj.priors.load(prior).embed(trials.images)
    chosen = (np.asarray(decoded.instances(new)) @ real.T).argmax(axis=1)
    assert np.array_equal(nearest.instances(new), real[chosen])
    assert (chosen == trials.stimulus[:N]).mean() > 0.7


def test_samples_are_chosen_by_the_responses_they_would_give(
    trials, context, prior, monkeypatch
) -> None:
    """By pixels, which need no network to be compiled."""
    monkeypatch.setattr(choice, "OPTIONS", Options(features="pixels", n_folds=4, rank=0))
    fitted = fit(trials, context, prior, n_samples=4, choice="responses", truncation=1.0)
    new = trials.fmri[:N]
    samples = fitted.samples(new)
    alike = np.stack([choice.likeness(fitted.encoding, drawn, new) for drawn in samples])
    assert len(np.unique(alike.argmax(axis=0))) > 1
    made, shown = fitted.reconstruct_beside(new)
    assert np.array_equal(made, samples[alike.argmax(axis=0), np.arange(N)])
    assert len(shown) == 5 and np.array_equal(shown["sample 2"], samples[1])
    again = ic_gan.restore(*fitted.state())
    assert np.array_equal(again.reconstruct(new), made)
    assert ic_gan.trained_through(fitted.config)[-1:] == ("efficientnet_lite0",)


def test_the_prior_alone_paints_training_images_and_knows_nothing_of_the_responses(
    trials, context, prior
) -> None:
    fitted, test = fit(trials, context, prior), trials.take(np.arange(N))
    (name, predict), *others = fitted.controls(None, 0).items()
    assert (name, others) == ("prior_samples", [])
    made, generator = predict(test), fj.priors.load(prior)
    assert np.array_equal(made, predict(dataclasses.replace(test, fmri=test.fmri[::-1])))
    assert not np.array_equal(made, fitted.controls(None, 1)["prior_samples"](test))
    of_instances, of_noise = jax.random.split(jax.random.fold_in(jax.random.key(0), 1))
    rows = np.asarray(jax.random.randint(of_instances, (N,), 0, N))
    assert len(set(rows)) > 1
    features = generator.embed(trials.images)[rows]
    expected = generator.generate(features, generator.draw_noise(N, of_noise))
    assert np.allclose(made, expected, atol=1e-4)


def test_noise_and_first_layer_can_be_decoded_as_published(trials, context, prior) -> None:
    options = {"noise": "decoded", "first": "decoded", "inversion_steps": 2, "gain": "none"}
    fitted = fit(trials, context, prior, alpha=3.0, noise_alpha=1.0, first_alpha=2.0, **options)
    new, generator = trials.fmri[:N], fj.priors.load(prior)
    found = {}
    for (name, targets), alpha in zip(fitted.map.targets.items(), (3.0, 1.0, 2.0), strict=True):
        ridge = Ridge(alpha=alpha).fit(averages(trials), np.asarray(targets))
        found[name] = ridge.predict(new)
    assert list(found) == ["features", "noise", "first layer"]
    expected = generator.generate(unit(found["features"]), found["noise"], found["first layer"])
    assert np.allclose(fitted.reconstruct(new), expected, atol=2e-3)
    assert set(fitted.summary()) == {f"penalty of {name}" for name in found}
    (figure, _) = ic_gan.draw_figures([fitted, fitted])["inversion"]
    lines = figure.axes[0].lines
    assert len(lines) == 2 and np.allclose(lines[0].get_ydata(), np.median(fitted.inversion, 1))
    assert fitted.inversion.shape == (3, N) and ic_gan.draw_figures([]) == {}


def test_a_kept_decoder_reconstructs_to_the_same_bits_with_the_same_prior(
    trials, context, tmp_path
) -> None:
    place = tmp_path / "prior"
    kept_ic_gan(place)
    fitted = fit(trials, context, str(place), instance="nearest", n_samples=2)
    scale = VoxelScale.fit(trials.fmri, standardise=False)
    decoder = Decoder(fitted, scale, About("ic_gan", dataclasses.asdict(fitted.config)))
    decoder.save(tmp_path / "kept")
    loaded = fj.load_decoder(tmp_path / "kept")
    assert np.array_equal(decoder.predict(trials.fmri[:N]), loaded.predict(trials.fmri[:N]))
    assert loaded.summary() == decoder.summary()
    kept_ic_gan(place, seed=100)
    with pytest.raises(InputError, match="another prior"):
        fj.load_decoder(tmp_path / "kept")


def test_grey_images_stay_grey_and_scores_through_the_instances_network_are_circular(
    trials, context, prior
) -> None:
    grey = dataclasses.replace(trials, images=np.asarray(trials.images)[..., :1])
    assert fit(grey, context, prior).reconstruct(trials.fmri[:N]).shape == (N, SIZE, SIZE, 1)
    assert trained_through("ic_gan", Config(prior=prior)) == ("alexnet",)
    published = Config(prior="icgan_biggan_imagenet_res256")
    assert trained_through("ic_gan", published) == ("swav_resnet50",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_samples": 0}, "n_samples"),
        ({"alpha": -1.0}, ">= 0"),
        ({"truncation": float("nan")}, ">= 0"),
        ({"first": "decoded"}, "inversion_steps is 0"),
    ],
)
def test_options_that_nothing_can_be_made_with_are_rejected(options, message) -> None:
    with pytest.raises(InputError, match=message):
        Config(**options)


def test_priors_that_do_not_fit_are_rejected(trials, context, prior, tmp_path) -> None:
    with pytest.raises(InputError, match="has no encoder"):
        fit(trials, context, prior, noise="decoded")
    with pytest.raises(InputError, match="a VDVAEPrior"):
        fit(trials, context, str(kept_vdvae(tmp_path / "vdvae")))
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="photographs"):
        fit(trials, context, prior, instance="nearest", instances=str(tmp_path / "none"))


def test_the_estimator_keeps_the_contract_of_scikit_learn(trials, prior) -> None:
    done = set()
    for estimator, check in estimator_checks_generator(fj.ICGANDecoder()):
        name = getattr(check, "func", check).__name__
        if name in UNFITTED_CHECKS:
            check(estimator)
            done.add(name)
    assert done == UNFITTED_CHECKS
    decoder = fj.ICGANDecoder(prior, n_samples=2)
    decoder.fit(trials.fmri, trials.images[trials.stimulus])
    found = decoder.predict(trials.fmri[:N])
    assert found.shape == (N, SIZE, SIZE, 3)
    assert np.array_equal(found, decoder.samples(trials.fmri[:N])[0])
    assert np.allclose(np.linalg.norm(decoder.instance_features(trials.fmri[:N]), axis=1), 1)
