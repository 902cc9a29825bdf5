"""A latent diffusion model with random weights: what it is told, and what it makes of it."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fmri_jax as fj
from fmri_jax.errors import InputError
from fmri_jax.features.preprocessing import Preprocessing
from fmri_jax.networks.autoencoder_kl import AutoencoderKL
from fmri_jax.networks.unet import UNet
from fmri_jax.priors import files
from fmri_jax.priors.diffusion import sampling
from fmri_jax.priors.diffusion.conditions import Condition, project, projection_shapes
from fmri_jax.priors.diffusion.prior import LatentDiffusionPrior
from fmri_jax.priors.diffusion.published import VERSATILE_DIFFUSION
from fmri_jax.priors.diffusion.sampling import sample
from fmri_jax.priors.diffusion.schedule import Schedule
from tests.networks.conv.layer_checks import random
from tests.priors.random_priors import DIFFUSION, kept_diffusion, random_arrays

STEPS = {"n_steps": 4, "guidance": 3.0}


@pytest.fixture(scope="module")
def prior(tmp_path_factory) -> LatentDiffusionPrior:
    return fj.priors.load(kept_diffusion(tmp_path_factory.mktemp("prior")))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).random((3, 8, 8, 3), np.float32)


def test_the_kept_model_has_its_sizes_again(prior) -> None:
    assert prior.config == DIFFUSION
    assert list(prior.conditions) == ["image", "text"]


def test_images_are_encoded_and_decoded_in_unit_range(prior, images) -> None:
    latents = prior.encode(images)
    assert latents.shape == (3, 4, 4, 2)
    model = AutoencoderKL(DIFFUSION.autoencoder)
    params = {"params": prior.params["autoencoder"]}
    mean, _ = jax.jit(lambda x: model.apply(params, x, method="encode"))(2 * images - 1)
    assert np.allclose(latents, 1.3 * mean, atol=1e-5)
    decoded = jax.jit(lambda z: model.apply(params, z, method="decode"))(mean)
    expected = np.clip(decoded / 2 + 0.5, 0, 1)
    assert np.allclose(prior.decode(latents), expected, atol=1e-4)


def test_sampling_is_ddim_under_the_projected_tokens(prior, images) -> None:
    """As put together by hand from the parts, which have peers of their own."""
    key = jax.random.key(3)
    given = {"image": random(0, 3, 1, 1280), "text": random(1, 3, 1, 384)}
    found = prior.sample(given, key, start=images, strength=0.5, **STEPS)
    tokens = []
    for kind, array in given.items():
        own = prior.params["conditions"][kind]
        flat = (array[:, 0] - own["mean"]) / own["std"] @ own["kernel"] + own["bias"]
        tokens.append(flat.reshape(3, -1, 8))
    noise = jax.random.normal(jax.random.split(key)[0], (3, 4, 4, 2))
    latents = sample(
        UNet(DIFFUSION.unet),
        prior.params["unet"],
        noise,
        Schedule().trajectory(4, 0.5),
        (jnp.concatenate(tokens, axis=1),),
        (jnp.zeros((1, 3, 8)),),
        guidance=3.0,
        start=prior.encode(images),
    )
    assert np.allclose(found, prior.decode(latents), atol=1e-4)


def test_draws_depend_on_their_key_and_on_what_is_given(prior, images) -> None:
    key, other = jax.random.split(jax.random.key(0))
    given = {"image": random(0, 3, 1, 1280)}
    first = prior.sample(given, key, **STEPS)
    assert first.shape == (3, 8, 8, 3) and 0 <= first.min() <= first.max() <= 1
    assert np.array_equal(first, prior.sample(given, key, **STEPS))
    assert not np.allclose(first, prior.sample(given, other, **STEPS), atol=1e-3)
    changed = {"image": -given["image"]}
    assert not np.allclose(first, prior.sample(changed, key, **STEPS), atol=1e-3)
    noisy = prior.sample(given, key, eta=1.0, **STEPS)
    assert np.array_equal(noisy, prior.sample(given, key, eta=1.0, **STEPS))
    assert not np.allclose(first, noisy, atol=1e-3)
    # A start of another size is resized.
    large = images.repeat(2, axis=1).repeat(2, axis=2)
    assert prior.sample(given, key, start=large, strength=0.5, **STEPS).shape == first.shape


def test_without_guidance_nothing_is_told_in_half_the_predictions(prior, monkeypatch) -> None:
    rows, key = {"image": random(0, 3, 1, 1280)}, jax.random.key(0)
    asked = []

    def counted(unet, params, latents, *given):
        asked.append(len(latents))
        return predicted(unet, params, latents, *given)

    predicted = sampling.predicted_noise
    monkeypatch.setattr(sampling, "predicted_noise", counted)
    jax.clear_caches()  # the counts are of tracing
    nearly = prior.sample(rows, key, n_steps=3, guidance=1e-6)
    free = prior.sample(rows, key, n_steps=3, guidance=0.0)
    assert asked == [6, 3] and np.allclose(free, nearly, atol=1e-4)
    other = prior.sample({"image": -rows["image"]}, key, n_steps=3, guidance=0.0)
    assert np.array_equal(free, other)


def test_embeddings_are_those_of_the_networks(prior, images) -> None:
    found = prior.embed(images, [("a dog",), ("two red cars", "traffic"), ("a dog",)])
    shown = Preprocessing(64)
    of_images = fj.features.load("efficientnet_lite0", ("pooled",), shown)(images)["pooled"]
    assert np.allclose(found["image"][:, 0], of_images, atol=1e-5)
    of_texts = fj.features.load_text("minilm")(["a dog"])["embedding"]
    assert np.allclose(found["text"][[0, 2], 0], of_texts, atol=1e-5)
    assert list(prior.embed(images)) == ["image"]


def test_contexts_of_their_own_share_as_asked() -> None:
    """As Versatile Diffusion has it: a context for each condition, none of them projected."""
    unet = dataclasses.replace(DIFFUSION.unet, contexts=(1280, 384))
    image, text = (dataclasses.replace(c, projected=0) for c in DIFFUSION.conditions)
    config = dataclasses.replace(DIFFUSION, unet=unet, conditions=(image, text))
    prior = LatentDiffusionPrior(config, random_arrays(config.shapes()))
    key = jax.random.key(0)
    given = {"image": random(0, 2, 1, 1280), "text": random(1, 2, 1, 384)}
    by_image = prior.sample(given, key, shares={"image": 1, "text": 0}, n_steps=3, guidance=1)
    without = prior.sample({"image": given["image"]}, key, n_steps=3, guidance=1)
    assert np.allclose(by_image, without, atol=1e-5)
    both = prior.sample(given, key, shares={"image": 0.6, "text": 0.4}, n_steps=3, guidance=1)
    assert not np.allclose(both, by_image, atol=1e-3)
    scaled = prior.sample(given, key, shares={"image": 6, "text": 4}, n_steps=3, guidance=1)
    assert np.allclose(both, scaled, atol=1e-6)
    with pytest.raises(InputError, match="above 0"):
        prior.sample({"image": given["image"]}, key, shares={"image": 0}, n_steps=3)


def test_tokens_of_places_share_a_map_and_have_biases_of_their_own() -> None:
    condition = Condition("image", "efficientnet_lite0", "block4_2", (16, 80), projected=2)
    shapes = projection_shapes((condition,), 5)
    own = {name: random(i, *shape) for i, (name, shape) in enumerate(shapes.items())}
    own = {name.split("/")[-1]: np.abs(x) for name, x in own.items()}
    rows = random(9, 3, 16, 80)
    scaled = (rows.reshape(3, -1) - own["mean"]) / own["std"]
    expected = np.einsum("npi,ij->npj", scaled.reshape(rows.shape), own["kernel"])
    expected = expected + own["bias"].reshape(16, 10)
    found = project((condition,), {"image": own}, {"image": rows}, 3)
    assert np.allclose(found, expected.reshape(3, 32, 5), atol=1e-3)
    assert condition.tokens == 32


def test_what_is_left_out_has_tokens_of_zeros(prior) -> None:
    tokens = project(
        DIFFUSION.conditions, prior.params["conditions"], {"text": random(0, 2, 1, 384)}, 2
    )
    assert tokens.shape == (2, 3, 8)
    assert not tokens[:, :2].any() and tokens[:, 2:].any()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"image": np.zeros((2, 1, 1279))}, r"\(1, 1280\)"),
        ({"sound": np.zeros((2, 1, 5))}, "image .* text"),
        ({"image": np.zeros((2, 1, 1280)), "text": np.zeros((3, 1, 384))}, r"\[2, 3\] rows"),
        ({}, "rows"),
    ],
)
def test_conditions_that_do_not_fit_are_said(prior, given, message) -> None:
    with pytest.raises(InputError, match=message):
        prior.sample(given, jax.random.key(0), **STEPS)


def test_a_config_that_cannot_be_read_is_said(tmp_path) -> None:
    folder = kept_diffusion(tmp_path / "prior")
    about = json.loads((folder / files.JSON).read_text())
    for change in ({"image_size": None}, {"colour": 3}, {"unet": {"channels": 3}}):
        config = {**about["config"], **change}
        if config["image_size"] is None:
            del config["image_size"]
        (folder / files.JSON).write_text(json.dumps({**about, "config": config}))
        with pytest.raises(InputError):
            fj.priors.load(folder)


def test_versatile_diffusion_has_the_published_sizes() -> None:
    assert VERSATILE_DIFFUSION.latent_shape == (64, 64, 4)
    assert not VERSATILE_DIFFUSION.joined
    assert VERSATILE_DIFFUSION.unet.contexts == tuple(
        condition.shape[1] for condition in VERSATILE_DIFFUSION.conditions
    )
    assert isinstance(VERSATILE_DIFFUSION.conditions[0], Condition)
