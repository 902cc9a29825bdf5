"""Brain-Diffuser as a method, with small priors of random weights."""

import dataclasses

import jax
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import estimator_checks_generator

import fmri_jax as fj
from fmri_jax.data.images import resize
from fmri_jax.data.preparation.folds import Trials
from fmri_jax.data.preparation.standardise import VoxelScale
from fmri_jax.errors import InputError
from fmri_jax.features import extractor
from fmri_jax.methods import RunContext, brain_diffuser, trained_through
from fmri_jax.methods.brain_diffuser import method
from fmri_jax.methods.brain_diffuser.config import Config
from fmri_jax.methods.brain_diffuser.priors import load_priors
from fmri_jax.methods.brain_diffuser.reconstructor import BrainDiffuserReconstructor
from fmri_jax.methods.choice import likeness
from fmri_jax.methods.decoder import About, Decoder
from fmri_jax.priors.vdvae.prior import VDVAEPrior
from fmri_jax.training.mesh import make_mesh
from tests.methods.test_estimators import UNFITTED_CHECKS
from tests.priors.random_priors import kept_diffusion, kept_vdvae

N, SIZE = 8, 16  # all calls have 8 rows, so that each network compiles once


@pytest.fixture(scope="module")
def priors(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("priors")
    return {
        "prior": str(kept_vdvae(folder / "vdvae")),
        "diffusion": str(kept_diffusion(folder / "diffusion")),
    }


@pytest.fixture(scope="module", autouse=True)
def same_features_of_same_images():
    """EfficientNet takes a second for eight images, and most tests show it the same eight."""
    compute, known = extractor.Features.__call__, {}

    def remembered(self, images):
        array = np.asarray(images)
        key = (self.network, self.layers, array.shape, array.dtype, array.tobytes())
        if key not in known:
            known[key] = compute(self, images)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extractor.Features, "__call__", remembered)
        yield


@pytest.fixture(scope="module")
def trials() -> Trials:
    """Images shown twice; 40 voxels are noisy linear views of them."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (N, 4, 4, 3), np.uint8)
    images = small.repeat(SIZE // 4, axis=1).repeat(SIZE // 4, axis=2)
    stimulus = np.repeat(np.arange(N, dtype=np.int32), 2)
    fmri = (small.reshape(N, -1)[stimulus] / 128 - 1) @ rng.standard_normal((48, 40)) / 7
    fmri = (fmri + 0.1 * rng.standard_normal(fmri.shape)).astype(np.float32)
    names = tuple(f"thing {'abcdefghijklmnopqrstuvwxyz'[i]}x" for i in range(N))
    return Trials(fmri, stimulus, images, np.zeros(2 * N, np.int32), names)


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> RunContext:
    folder = tmp_path_factory.mktemp("run")
    return RunContext(folder, "all", jax.random.key(0), make_mesh(1), progress=False)


def fit(trials, context, priors, **options):
    config = Config(**priors, n_steps=3, **options)
    return brain_diffuser.build(config).fit(trials, context)


def averages(trials) -> np.ndarray:
    return trials.fmri.reshape(N, 2, -1).mean(axis=1)


def test_latents_are_ridge_from_averages_over_trials(trials, context, priors) -> None:
    """Against scikit-learn, latent by latent; then the VAE decodes them."""
    fitted = fit(trials, context, priors, stages="first", alpha=3.0, gain="none")
    new = trials.fmri[:N] + 0.1
    vae = fj.priors.load(priors["prior"])
    small = resize(trials.images, vae.image_size)
    decoded = []
    for latents in vae.encode(small):
        ridge = Ridge(alpha=3.0).fit(averages(trials), latents.reshape(N, -1))
        decoded.append(ridge.predict(new).reshape(N, *latents.shape[1:]))
    found = fitted.latents.decode(new)
    for ours, theirs in zip(found.values(), decoded, strict=True):
        assert np.allclose(ours, theirs, atol=1e-4)
    images = fitted.reconstruct(new)
    assert images.shape == (N, SIZE, SIZE, 3)
    expected = vae.decode([np.asarray(array) for array in found.values()])
    assert np.allclose(np.asarray(images)[:, ::2, ::2].mean(), expected.mean(), atol=0.02)
    assert np.array_equal(images, fitted.first_stage(new))


@pytest.mark.parametrize("largest", [2.0, 10.0])
def test_gains_restore_the_spread_of_stimuli_that_were_left_out(
    trials, context, priors, largest, monkeypatch
) -> None:
    """Up to a limit, which is 2 unless it is changed."""
    if largest != 2:
        monkeypatch.setattr("fmri_jax.methods.brain_diffuser.method.LATENT_GAIN", largest)
    fitted = fit(trials, context, priors, stages="first", alpha=3.0)
    rows = averages(trials)
    for name, targets in fitted.latents.targets.items():
        flat = np.asarray(targets).reshape(N, -1)
        left_out = np.stack(
            [
                Ridge(alpha=3.0).fit(rows[keep], flat[keep]).predict(rows[[i]])[0]
                for i, keep in ((i, np.arange(N) != i) for i in range(N))
            ]
        )
        mean, channels = flat.mean(axis=0), targets.shape[-1]
        spread = [((x - mean) ** 2).reshape(-1, channels).mean(axis=0) for x in (flat, left_out)]
        expected = np.clip(np.sqrt(spread[0] / spread[1]), 1, largest)
        assert 2 <= expected.max() < 10
        assert np.allclose(fitted.latents.gains[name], expected, rtol=1e-3)


def test_fewer_blocks_leave_the_others_to_the_prior(trials, context, priors) -> None:
    coarse = fit(trials, context, priors, stages="first", n_layers=1)
    assert list(coarse.latents.targets) == ["latents 00"]
    new = trials.fmri[:N]
    assert np.array_equal(coarse.reconstruct(new), coarse.reconstruct(new))
    drawn = fit(trials, context, priors, stages="first", n_layers=1, temperature=1.0, n_samples=2)
    samples = drawn.samples(new)
    assert samples.shape == (2, N, SIZE, SIZE, 3)
    assert not np.allclose(samples[0], samples[1], atol=1e-3)
    with pytest.raises(InputError, match="has 3"):
        fit(trials, context, priors, stages="first", n_layers=4)


def test_both_stages_differ_from_each_alone_and_samples_from_each_other(
    trials, context, priors
) -> None:
    new = trials.fmri[:N]
    both = fit(trials, context, priors, n_samples=2, stages="both")
    assert set(both.conditions.targets) == {"image", "text"}
    samples = both.samples(new)
    assert np.array_equal(both.reconstruct(new), samples[0])
    assert np.array_equal(samples, both.samples(new))  # of a seed
    assert not np.allclose(samples[0], samples[1], atol=1e-3)
    assert not np.allclose(samples[0], both.first_stage(new), atol=1e-3)
    second = fit(trials, context, priors, stages="second")
    assert not np.allclose(second.reconstruct(new), samples[0], atol=1e-3)
    with pytest.raises(InputError, match="no first stage"):
        second.first_stage(new)
    mean = dataclasses.replace(both.config, choice="mean")
    assert np.allclose(both.replace(config=mean).reconstruct(new), samples.mean(axis=0))


def test_samples_are_chosen_by_the_responses_they_would_give(trials, context, priors) -> None:
    """Images are mixtures of two, and responses say how much there is of each."""
    share = np.linspace(0, 1, N, dtype=np.float32)
    one, two = np.asarray(trials.images[:2], np.float32)
    images = np.uint8(share[:, None, None, None] * one + (1 - share)[:, None, None, None] * two)
    rng = np.random.default_rng(0)
    responses = (share[trials.stimulus, None] - 0.5) * rng.standard_normal((1, 40))
    fmri = np.float32(responses + 0.1 * rng.standard_normal((2 * N, 40)))
    mixed = dataclasses.replace(trials, images=images, fmri=fmri)
    fitted = fit(mixed, context, priors, n_samples=3, choice="responses", stages="second")
    samples = fitted.samples(fmri[:N])
    alike = np.stack([likeness(fitted.encoding, drawn, fmri[:N]) for drawn in samples])
    chosen = samples[alike.argmax(axis=0), np.arange(N)]
    assert np.array_equal(fitted.reconstruct(fmri[:N]), chosen)
    far = np.roll(np.arange(N), N // 2)
    rows = averages(mixed)
    own, other = (np.asarray(likeness(fitted.encoding, images, fmri)) for fmri in (rows, rows[far]))
    assert (own > other).mean() > 0.8


def test_images_without_words_for_them_are_told_of_by_the_image_alone(
    trials, context, priors
) -> None:
    nameless = dataclasses.replace(trials, stimulus_names=tuple(map(str, range(N))))
    fitted = fit(nameless, context, priors, stages="second")
    assert list(fitted.conditions.targets) == ["image"]
    assert fitted.reconstruct(trials.fmri[:N]).shape == (N, SIZE, SIZE, 3)


@pytest.mark.parametrize(("share", "told"), [(1.0, "image"), (0.0, "text")])
def test_a_condition_without_a_share_is_not_decoded(trials, priors, share, told) -> None:
    config, seen = Config(**priors, stages="second", image_share=share), np.arange(N)
    _, found = method.targets(config, *load_priors(config), trials, seen)
    assert list(found) == [told]


def test_grey_images_stay_grey(trials, context, priors) -> None:
    grey = dataclasses.replace(trials, images=np.asarray(trials.images)[..., :1])
    fitted = fit(grey, context, priors, stages="both")
    assert fitted.reconstruct(trials.fmri[:N]).shape == (N, SIZE, SIZE, 1)


def test_a_kept_decoder_reconstructs_to_the_same_bits(
    trials, context, priors, tmp_path, monkeypatch
) -> None:
    """Without the VAE's encoder, unless it was kept without latents, as once all were."""
    fitted = fit(trials, context, priors, n_samples=2, choice="responses", stages="both")
    scale = VoxelScale.fit(trials.fmri, standardise=False)
    about = About("brain_diffuser", dataclasses.asdict(fitted.config))
    decoder = Decoder(fitted, scale, about)
    decoder.save(tmp_path / "kept")
    new = trials.fmri[:N]
    expected, encode, encoded = decoder.predict(new), VDVAEPrior.encode, []
    monkeypatch.setattr(
        VDVAEPrior, "encode", lambda *given: encoded.append(given) or encode(*given)
    )
    loaded = fj.load_decoder(tmp_path / "kept")
    assert np.array_equal(expected, loaded.predict(new)) and not encoded
    assert set(loaded.summary()) == set(decoder.summary()) and len(decoder.summary()) == 5
    arrays, options = fitted.state()
    without = {name: a for name, a in arrays.items() if not name.startswith("latents/targets/")}
    assert len(arrays) - len(without) == 3
    earlier = BrainDiffuserReconstructor.restore(without, options)
    assert encoded and np.array_equal(expected, earlier.reconstruct(decoder.standardise(new)))


def test_a_decoder_of_another_prior_is_rejected(trials, context, tmp_path) -> None:
    """Trained anew under the same name, a prior's latents mean something else."""
    place = tmp_path / "vdvae"
    kept_vdvae(place)
    fitted = fit(trials, context, {"prior": str(place)})
    scale = VoxelScale.fit(trials.fmri, standardise=False)
    about = About("brain_diffuser", dataclasses.asdict(fitted.config))
    Decoder(fitted, scale, about).save(tmp_path / "kept")
    kept_vdvae(place, seed=100)
    with pytest.raises(InputError, match="another prior"):
        fj.load_decoder(tmp_path / "kept")


def test_scores_through_the_network_of_the_condition_are_circular(priors) -> None:
    given = Config(**priors, stages="both")
    assert trained_through("brain_diffuser", given) == ("efficientnet_lite0",)
    assert trained_through("brain_diffuser", Config(**priors, stages="first")) == ()
    chosen = Config(**priors, choice="responses", n_samples=2)
    assert trained_through("brain_diffuser", chosen) == ("efficientnet_lite0",)
    published = Config(diffusion="versatile_diffusion", stages="second")
    assert trained_through("brain_diffuser", published) == ("clip_vit_l14",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_samples": 0}, "n_samples"),
        ({"strength": 1.5}, "share"),
        ({"alpha": -1.0}, ">= 0"),
        ({"guidance": float("nan")}, ">= 0"),
    ],
)
def test_options_that_nothing_can_be_made_with_are_rejected(options, message) -> None:
    with pytest.raises(InputError, match=message):
        Config(**options)


def test_the_estimator_keeps_the_contract_of_scikit_learn(trials, priors) -> None:
    done = set()
    for estimator, check in estimator_checks_generator(fj.BrainDiffuserDecoder(stages="first")):
        name = getattr(check, "func", check).__name__
        if name in UNFITTED_CHECKS:
            check(estimator)
            done.add(name)
    assert done == UNFITTED_CHECKS
    decoder = fj.BrainDiffuserDecoder(**priors, stages="both", n_steps=3, n_samples=2)
    images = trials.images[trials.stimulus]
    decoder.fit(trials.fmri, images)
    found = decoder.predict(trials.fmri[:N])
    assert found.shape == (N, SIZE, SIZE, 3)
    assert np.array_equal(found, decoder.samples(trials.fmri[:N])[0])
    assert decoder.first_stage(trials.fmri[:N]).shape == found.shape
