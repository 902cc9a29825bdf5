"""A generator that refines a linear decoder's image: what it is given, and what is kept of it."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.methods import RunContext, gan, pixel_decoders
from fmri_jax.methods.gan import method
from fmri_jax.methods.gan.augmentation import moved_together
from fmri_jax.methods.gan.config import Config
from fmri_jax.methods.gan.method import GAN
from fmri_jax.methods.gan.pixels import PixelScale
from fmri_jax.methods.gan.reconstructor import GANReconstructor
from fmri_jax.training.averaging import averaged
from fmri_jax.training.mesh import make_mesh
from tests.methods.gan.conftest import SMALL

# One network compiles in a third of the time that three take.
ALONE = dataclasses.replace(
    SMALL, start="ridge", averaging=0.9, feature_weight=0.0, adversarial_weight=0.0
)
CROPPED = dataclasses.replace(ALONE, crop=24, feature_weight=1.0)


def context(workdir) -> RunContext:
    return RunContext(workdir, "all", jax.random.key(3), make_mesh(1), progress=False)


@pytest.mark.parametrize("kind", ["ridge", "local"])
def test_before_training_the_image_is_the_one_that_it_is_given(trials, kind):
    gan_of_24_px = GAN(dataclasses.replace(ALONE, start=kind, crop=24))
    start, made = pixel_decoders.fit(kind, trials)
    given = pixel_decoders.in_place_of_responses(made, trials)
    np.testing.assert_array_equal(given.stimulus, np.arange(12))
    np.testing.assert_array_equal(given.fmri, made.reshape(12, -1))
    networks = gan_of_24_px.networks(24, 3)
    state = gan_of_24_px.initial_state(networks, given, jax.random.key(0))
    scale = PixelScale.of(trials.images)
    fitted = GANReconstructor(state.generator.params, scale, networks.generator, start, 24)
    fmri = jnp.asarray(trials.fmri)
    images = np.asarray(fitted.reconstruct(fmri))
    assert images.shape == (24, 24, 24, 3) and fitted.image_shape == (24, 24, 3)
    np.testing.assert_allclose(images, np.clip(start(fmri), 0, 1)[:, 4:28, 4:28], atol=1e-5)
    again = gan.restore(*fitted.state())
    np.testing.assert_array_equal(again.reconstruct(fmri), images)
    assert again.image_shape == (24, 24, 3) and again.start.n_voxels == 20


def test_a_trained_one_refines_is_kept_and_resumes_to_the_same_bits(trials, tmp_path):
    first = GAN(CROPPED).fit(trials, context(tmp_path / "whole"))
    GAN(dataclasses.replace(CROPPED, n_steps=3)).fit(trials, context(tmp_path / "killed"))
    resumed = GAN(CROPPED).fit(trials, context(tmp_path / "killed"))
    chex.assert_trees_all_equal(first.params, resumed.params, strict=True)
    fmri = jnp.asarray(trials.fmri)
    made = np.asarray(first.reconstruct(fmri))
    begun = np.clip(first.start(fmri), 0, 1)[:, 4:28, 4:28]
    assert made.shape == begun.shape and np.abs(made - begun).max() > 1e-4
    again = gan.restore(*first.state())
    np.testing.assert_array_equal(again.reconstruct(fmri), made)
    with pytest.raises(InputError, match="takes 20 voxels, and these responses have 19"):
        first.reconstruct(fmri[:, 1:])


def test_both_sides_are_mirrored_and_shifted_alike(trials):
    images = jnp.asarray(trials.targets()[:12])
    given, targets = moved_together(jax.random.key(0), images, images)
    np.testing.assert_array_equal(given, targets)
    inside = np.asarray(given)[:, 4:-4, 4:-4]
    mirrored = []
    for image, found in zip(np.asarray(images), inside, strict=True):
        views = {
            side: [view[i : i + 24, j : j + 24] for i in range(9) for j in range(9)]
            for side, view in enumerate((image, image[:, ::-1]))
        }
        sides = [s for s in views if any(np.array_equal(found, view) for view in views[s])]
        assert len(sides) == 1
        mirrored += sides
    assert 0 < np.mean(mirrored) < 1


def test_the_moving_average_starts_with_the_steps_and_then_holds():
    params = {"w": jnp.arange(3.0)}
    early = averaged({"w": jnp.zeros(3)}, params, 0.98, jnp.array(0))
    np.testing.assert_allclose(early["w"], 0.9 * np.arange(3), rtol=1e-6)
    late = averaged({"w": jnp.ones(3)}, params, 0.98, jnp.array(10_000))
    np.testing.assert_allclose(late["w"], 0.98 + 0.02 * np.arange(3), rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"averaging": 1.0},
        {"averaging": -0.1},
        {"start": "ridge", "fmri_noise": 0.1},
        {"start": "ridge", "shard_dense": True},
    ],
)
def test_options_that_cannot_be_meant_are_rejected(options):
    with pytest.raises(InputError, match="expected"):
        Config(**options)
    with pytest.raises(InputError, match="with start='local' the generator sees none"):
        Config(start="local", fmri_noise=0.1)


def test_advice_names_options_that_have_an_effect():
    for config in (Config(), Config(start="ridge"), Config(start="local")):
        sentences = " ".join(gan.advice(config).values())
        for option in ("fmri_noise", "hidden", "start=ridge"):
            assert (option in sentences) == (config.start == "responses")


def test_steps_follow_the_rows_that_are_trained_on(trials, tmp_path, monkeypatch):
    """24 trials of 12 stimuli are 12 rows."""
    taken = []
    monkeypatch.setattr(
        method.loop, "train", lambda _, state, __, o, *___: taken.append(o) or state
    )
    monkeypatch.setattr(method, "Batches", lambda *_, **__: None)
    monkeypatch.setattr(Config, "for_rows", lambda self, n: dataclasses.replace(self, n_steps=n))
    for start in ("ridge", "local", "responses"):
        config = dataclasses.replace(ALONE, n_steps=None, start=start)
        GAN(config).fit(trials, context(tmp_path / start))
    assert [options.n_steps for options in taken] == [12, 12, 24]


def test_without_an_average_the_state_is_that_of_earlier_versions(trials):
    """Or their checkpoints would not be restored."""
    small = dataclasses.replace(ALONE, averaging=0.0)
    for config, more in ((small, []), (ALONE, ["average"])):
        networks = GAN(config).networks(32, 3)
        state = GAN(config).initial_state(networks, trials, jax.random.key(0))
        names = [field.name for field in dataclasses.fields(state)]
        assert names == ["step", "key", "generator", "discriminator", "gate", *more]
