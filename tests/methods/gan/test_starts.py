"""A generator that refines a linear decoder's image: what it is given, and what is kept of it."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from fmri_jax import MultiScaleDecoder
from fmri_jax.errors import InputError
from fmri_jax.linear import pixel_bands
from fmri_jax.methods import RunContext, gan
from fmri_jax.methods.gan import method, starts
from fmri_jax.methods.gan.augmentation import moved_together
from fmri_jax.methods.gan.config import Config
from fmri_jax.methods.gan.method import GAN
from fmri_jax.methods.gan.pixels import PixelScale
from fmri_jax.methods.gan.reconstructor import GANReconstructor
from fmri_jax.methods.local_decoders import method as local_decoders
from fmri_jax.methods.local_decoders.training import TrainingSet, groups_of
from fmri_jax.training.averaging import averaged
from fmri_jax.training.mesh import make_mesh
from tests.methods.gan.conftest import SMALL

# One network compiles in a third of the time that three take.
ALONE = dataclasses.replace(
    SMALL, start="ridge", averaging=0.9, feature_weight=0.0, adversarial_weight=0.0
)
LOCAL = dataclasses.replace(ALONE, start="local")
CROPPED = dataclasses.replace(ALONE, crop=24, feature_weight=1.0)


def context(workdir) -> RunContext:
    return RunContext(workdir, "all", jax.random.key(3), make_mesh(1), progress=False)


def averages(trials) -> np.ndarray:
    """Of the two trials of each stimulus, which follow one another."""
    return trials.fmri.reshape(12, 2, -1).mean(axis=1)


def ridge_of_each_octave(start, images, rows, new) -> np.ndarray:
    """scikit-learn's answer with the penalties that were chosen."""
    linear = pytest.importorskip("sklearn.linear_model")
    found = {}
    for name, part in pixel_bands.coefficients(images).items():
        model = linear.Ridge(float(start.map.map.alphas[name])).fit(
            rows, part.reshape(len(rows), -1)
        )
        found[name] = model.predict(new).reshape(len(new), *part.shape[1:])
    return pixel_bands.images_of(found, 32, 32)


def test_before_training_the_image_is_that_of_ridge(trials):
    gan_of_24_px = GAN(dataclasses.replace(ALONE, crop=24))
    start, given = starts.fit("ridge", trials, jax.random.key(0))
    networks = gan_of_24_px.networks(24, 3)
    state = gan_of_24_px.initial_state(networks, given, jax.random.key(0))
    scale = PixelScale.of(trials.images)
    fitted = GANReconstructor(state.generator.params, scale, networks.generator, start, 24)
    made = np.asarray(fitted.reconstruct(jnp.asarray(trials.fmri)))
    assert made.shape == (24, 24, 24, 3) and fitted.image_shape == (24, 24, 3)
    images = np.float32(trials.images / 255)
    whole = ridge_of_each_octave(start, images, averages(trials), trials.fmri)
    np.testing.assert_allclose(made, np.clip(whole, 0, 1)[:, 4:28, 4:28], atol=1e-4)


def test_in_training_it_is_given_images_of_stimuli_that_ridge_has_not_seen(trials):
    start, given = starts.fit("ridge", trials, jax.random.key(0))
    np.testing.assert_array_equal(given.stimulus, np.arange(12))
    rows, images, others = averages(trials), np.float32(trials.images / 255), np.arange(12) != 5
    expected = ridge_of_each_octave(start, images[others], rows[others], rows[[5]])
    np.testing.assert_allclose(given.fmri[5], expected.reshape(-1), atol=1e-4)
    single = dataclasses.replace(trials, stimulus=np.zeros(24, np.int32))
    with pytest.raises(InputError, match="expected at least two"):
        starts.fit("ridge", single, jax.random.key(0))


def test_local_decoders_begin_as_their_estimator_does_and_are_kept(trials):
    start, given = starts.fit("local", trials, jax.random.key(0))
    networks = GAN(LOCAL).networks(32, 3)
    state = GAN(LOCAL).initial_state(networks, given, jax.random.key(0))
    scale = PixelScale.of(trials.images)
    fitted = GANReconstructor(state.generator.params, scale, networks.generator, start, 32)
    made = np.asarray(fitted.reconstruct(jnp.asarray(trials.fmri)))
    squares = estimated(np.arange(12), trials).predict(trials.fmri)
    np.testing.assert_allclose(made, np.clip(blurred(squares), 0, 1), atol=2e-4)
    assert made.std(axis=0).mean() > 0.02
    again = gan.restore(*fitted.state())
    np.testing.assert_array_equal(again.reconstruct(jnp.asarray(trials.fmri)), made)
    assert again.image_shape == (32, 32, 3) and again.start.n_voxels == 20


@pytest.mark.parametrize("together", [None, np.arange(12) // 4])
def test_in_training_local_decoders_have_not_seen_what_belongs_together(trials, together):
    trials = dataclasses.replace(trials, together=together)
    _, given = starts.fit("local", trials, jax.random.key(0))
    groups = groups_of(trials.images) if together is None else together
    folds = GroupKFold(min(5, len(np.unique(groups)))).split(groups, groups=groups)
    for known, left_out in folds:
        images = np.float32(trials.images[known] / 255)
        training = TrainingSet(averages(trials)[known], images, np.arange(len(known)))
        decoders = local_decoders.fit(training, starts.local_config(32, 32), jax.random.key(0))
        squares = np.asarray(decoders.contrast(averages(trials)[left_out]))
        expected = blurred(squares)
        found = given.fmri[left_out].reshape(expected.shape)
        np.testing.assert_allclose(found, expected, atol=2e-4)


def blurred(images: np.ndarray) -> np.ndarray:
    """Over two pixels about each: half of its own value and a quarter of each neighbour's."""
    found = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    found = (found[:, :-2] + 2 * found[:, 1:-1] + found[:, 2:]) / 4
    return (found[:, :, :-2] + 2 * found[:, :, 1:-1] + found[:, :, 2:]) / 4


@pytest.mark.parametrize("width", [1, 2, 3, 4, 14])
def test_what_is_blurred_is_not_displaced(width):
    kernel = starts._box(width)
    assert len(kernel) % 2 and kernel.sum() == pytest.approx(1)
    np.testing.assert_array_equal(kernel, kernel[::-1])


@pytest.mark.parametrize("change", ["together", "images"])
def test_local_decoders_need_two_groups(trials, change):
    of_one = {"together": np.zeros(12, int), "images": np.zeros_like(trials.images)}
    with pytest.raises(InputError, match="expected at least two groups"):
        starts.fit("local", dataclasses.replace(trials, **{change: of_one[change]}), None)


def estimated(seen: np.ndarray, trials) -> MultiScaleDecoder:
    """Local decoders of 4 x 4 pixels, every second position, fitted to averages of some stimuli."""
    decoder = MultiScaleDecoder(
        scales=((4, 4),), stride=2, n_voxels=300, n_nonzero=20, weights="equal", clip=False
    )
    return decoder.fit(averages(trials)[seen], np.float32(trials.images[seen] / 255))


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
    for start in ("ridge", "responses"):
        config = dataclasses.replace(ALONE, n_steps=None, start=start)
        GAN(config).fit(trials, context(tmp_path / start))
    assert [options.n_steps for options in taken] == [12, 24]


def test_without_an_average_the_state_is_that_of_earlier_versions(trials):
    """Or their checkpoints would not be restored."""
    small = dataclasses.replace(ALONE, averaging=0.0)
    for config, more in ((small, []), (ALONE, ["average"])):
        networks = GAN(config).networks(32, 3)
        state = GAN(config).initial_state(networks, trials, jax.random.key(0))
        names = [field.name for field in dataclasses.fields(state)]
        assert names == ["step", "key", "generator", "discriminator", "gate", *more]
