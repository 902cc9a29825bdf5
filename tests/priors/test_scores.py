"""Scores of a prior, with priors and features whose answers are known."""

import dataclasses

import jax
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.evaluation.frechet import frechet_distance
from fmri_jax.evaluation.precision_recall import precision_recall
from fmri_jax.features.registry import find_network
from fmri_jax.priors import scores
from fmri_jax.priors.photographs import Photographs

RNG = np.random.default_rng(0)
IMAGES = RNG.random((60, 12, 12, 3), np.float32)


class Blurring:
    """Latents are block averages: 1 x 1, then twice 12 x 12, of which one is enough."""

    latent_shapes = ((1, 1, 3), (12, 12, 3), (12, 12, 3))

    def encode(self, images):
        return np.mean(images, axis=(1, 2), keepdims=True), images, images

    def decode(self, latents):
        return np.broadcast_to(latents[-1], (len(latents[0]), 12, 12, 3)) * 0.9

    def sample(self, n, key, temperature):
        return temperature * np.asarray(jax.random.uniform(key, (n, 12, 12, 3)))


class Conditioned:
    """Latents are one array, and samples are the conditions."""

    conditions = ("image",)

    def encode(self, images):
        return images

    def decode(self, latents):
        return latents * 0.9

    def embed(self, images):
        return {"image": images}

    def sample(self, condition, key, n_steps, guidance):
        return 0.5 + guidance * (condition["image"] ** 2 - 0.5)  # 0: nothing is told


class Instances(Conditioned):
    """Images of an instance: its features, and noise that makes all of them brighter."""

    truncation, share = 0.5, 0.5

    def embed(self, images):
        return np.asarray(images).reshape(len(images), -1)

    def draw_noise(self, n, key):
        return np.asarray(jax.random.normal(key, (n, 432)))

    def generate(self, features, noise):
        made = self.share * features + (1 - self.share) * noise
        return made.reshape(-1, 12, 12, 3)

    def sample(self, features, key, truncation):
        return features.reshape(-1, 12, 12, 3) * truncation


@dataclasses.dataclass
class Pooled:
    """The means of quarters in place of a network's features."""

    def __call__(self, images):
        return {"pooled": np.asarray(images).reshape(-1, 2, 6, 2, 6, 3).mean(axis=(2, 4))}


def test_reconstructions_with_all_and_with_the_first_blocks():
    found = scores.of_reconstructions(Blurring(), IMAGES)
    expected = [peak_signal_noise_ratio(x, 0.9 * x, data_range=1) for x in IMAGES]
    assert found["psnr"] == pytest.approx(np.mean(expected), abs=1e-4)
    assert list(found["first_blocks"]) == ["1"]  # two blocks of one size are not told apart
    flat = 0.9 * IMAGES.mean(axis=(1, 2), keepdims=True) + np.zeros_like(IMAGES)
    assert found["first_blocks"]["1"]["psnr"] == pytest.approx(scores.psnr(IMAGES, flat).mean())
    assert found["first_blocks"]["1"]["ssim"] < 0.1 < 0.9 < found["ssim"]
    one_array = scores.of_reconstructions(Conditioned(), IMAGES)
    assert one_array == {"psnr": found["psnr"], "ssim": found["ssim"], "first_blocks": {}}
    assert scores.psnr(IMAGES[:2], IMAGES[:2]) == pytest.approx(100, abs=1e-4)


def test_sets_of_samples_beside_other_photographs(monkeypatch):
    monkeypatch.setattr(scores, "features", Pooled)
    data = Photographs(RNG.random((70, 12, 12, 3), np.float32), IMAGES)
    key = jax.random.key(0)
    found = scores.of_prior(Blurring(), data, key)
    names = [f"samples, temperature {t}" for t in (1.0, 0.8, 0.6)]
    assert list(found["sets"]) == [*names, "other photographs"] and found["photographs"] == 60
    real, others = (
        Pooled()(x)["pooled"].reshape(60, -1) for x in (data.held_out, data.training[:60])
    )
    distances = [each["frechet"] for each in found["sets"].values()]
    assert distances[3] == pytest.approx(frechet_distance(real, others))
    assert distances[0] < distances[1] < distances[2]
    expected = precision_recall(real, others)
    assert (found["sets"]["other photographs"]["precision"]) == expected.precision
    assert (found["sets"]["other photographs"]["recall"]) == expected.recall

    found = scores.of_prior(Conditioned(), data, key)
    assert list(found["sets"]) == [
        "samples, under the photographs' conditions",
        "samples, under no conditions",
        "other photographs",
    ]
    _, told_nothing, _ = found["sets"].values()
    grey = np.full((60, 12), 0.5)
    assert told_nothing["frechet"] == pytest.approx(frechet_distance(real, grey))
    few = Photographs(data.training, data.held_out[:20])
    assert "sets" not in scores.of_prior(Blurring(), few, key)


def test_a_prior_under_instances_is_drawn_from_at_two_truncations(monkeypatch):
    """And how far the noise decides is told: here there is as much of it as is asked for."""
    monkeypatch.setattr(scores, "features", Pooled)
    data = Photographs(RNG.random((70, 12, 12, 3), np.float32), IMAGES)
    found = scores.of_prior(Instances(), data, jax.random.key(0))
    wide, narrow = (f"samples, under the photographs' features, truncation {x}" for x in (1.0, 0.5))
    assert list(found["sets"]) == [wide, narrow, "other photographs"]
    assert found["sets"][wide]["frechet"] == pytest.approx(0, abs=1e-6)
    real = Pooled()(IMAGES)["pooled"].reshape(60, -1)
    expected = frechet_distance(real, real / 2)
    assert found["sets"][narrow]["frechet"] == pytest.approx(expected, rel=1e-4)
    variance = 1 / 12  # of uniform numbers, beside that of normal ones
    assert found["instance_share"] == pytest.approx(variance / (variance + 1), abs=0.02)
    for share in (0.0, 1.0):
        monkeypatch.setattr(Instances, "share", share)
        shares = scores.of_prior(Instances(), data, jax.random.key(0))
        assert shares["instance_share"] == pytest.approx(share, abs=0.01)


def test_sets_are_compared_by_pooled_features_where_weights_are_at_hand(monkeypatch):
    def load(name, download):
        assert name == "efficientnet_lite0" and not download
        return "weights"

    monkeypatch.setattr(pretrained, "load", load)
    found = scores.features()
    assert found.params == "weights" and found.layers == ("pooled",)
    assert found.network == find_network("efficientnet_lite0")
    assert found.preprocessing.keep_aspect

    def missing(name, download):
        raise InputError("there are none.")

    monkeypatch.setattr(pretrained, "load", missing)
    assert scores.features() is None
    data = Photographs(IMAGES, IMAGES)
    assert "sets" not in scores.of_prior(Blurring(), data, jax.random.key(0))


@dataclasses.dataclass(frozen=True)
class Mean:
    """A loss that is the mean of an image, times its parameter."""

    def __call__(self, params, images, key):
        return params * images.mean(), {}


def test_the_held_out_loss_weighs_the_last_block_by_its_images():
    images = RNG.integers(0, 256, (37, 4, 4, 3), np.uint8)
    found = scores.held_out_loss(Mean(), 2.0, images, jax.random.key(0))
    assert found == pytest.approx(2 * images.mean() / 255, rel=1e-5)
