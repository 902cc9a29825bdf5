"""What a small latent diffusion model minimises, and the examples that it is given."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.networks.unet import UNet
from fmri_jax.pretrained.latent_diffusion import autoencoder_shapes
from fmri_jax.priors import files
from fmri_jax.priors.autoencoder.prior import AutoencoderConfig
from fmri_jax.priors.diffusion import examples
from fmri_jax.priors.diffusion.conditions import Condition, project
from fmri_jax.priors.diffusion.loss import noise_prediction_loss
from fmri_jax.priors.diffusion.objective import Objective, prepared
from fmri_jax.priors.examples import Source
from fmri_jax.priors.photographs import Photographs
from fmri_jax.priors.registry import KINDS
from tests.priors.random_priors import DIFFUSION, random_arrays

CONFIG = dataclasses.replace(DIFFUSION, scale=1.0)
RNG = np.random.default_rng(0)
PHOTOGRAPHS = RNG.integers(0, 256, (12, 8, 8, 3), np.uint8)
CAPTIONS = ("dog", "", "cat", "dog", "", "", "owl", "cat", "dog", "")


@pytest.fixture
def embedded(monkeypatch):
    """Embeddings without networks: colours and lengths; returns how many rows were asked for."""
    asked = []

    def embed(condition, rows, kept=False):
        asked.append((condition.kind, len(rows)))
        if condition.kind == "text":
            numbers = np.array([[float(ord(word[0])) for word in words] for words in rows])
        else:
            numbers = np.asarray(rows).std(axis=(1, 2, 3))[:, None]
        waves = np.sin(numbers + np.arange(condition.shape[1]))
        return waves.reshape(len(rows), *condition.shape).astype(np.float32)

    monkeypatch.setattr(Condition, "embed", embed)
    monkeypatch.setattr("fmri_jax.priors.examples.BLOCK", 4)
    return asked


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("autoencoder")
    params = random_arrays(autoencoder_shapes(CONFIG.autoencoder))
    config = dataclasses.asdict(AutoencoderConfig(CONFIG.autoencoder, 8))
    files.save(folder, "autoencoder", config, params, {})
    return str(folder)


def source(folder, autoencoder):
    data = Photographs(PHOTOGRAPHS[:10], PHOTOGRAPHS[10:], CAPTIONS, ("", "owl"))
    return Source(data, CONFIG, folder, autoencoder, progress=False)


def test_examples_are_kept_and_finish_as_a_prior(embedded, autoencoder, tmp_path) -> None:
    found = examples.make(source(tmp_path, autoencoder))
    training = found.training
    assert training["latents"].shape == (10, 2, 4, 4, 2)
    assert training["has_text"].tolist() == [bool(word) for word in CAPTIONS]
    for kind in ("image", "text"):
        rows = training[kind] if kind == "image" else training[kind][training["has_text"]]
        rows = rows.astype(np.float32)
        assert np.allclose(rows.mean(axis=0), 0, atol=0.02)
        assert np.allclose(np.median(rows.std(axis=0)), 1, atol=0.05)
    embedded.clear()
    again = examples.make(source(tmp_path, autoencoder))
    assert [kind for kind, _ in embedded] == ["text", "text"]  # images were kept
    assert all(np.array_equal(again.training[name], training[name]) for name in training)

    trained = jax.tree.map(
        lambda x: RNG.normal(0, 0.03 * (x.ndim > 1), x.shape).astype(np.float32),
        jax.eval_shape(Objective(CONFIG).initial, jax.random.key(0)),
    )
    content = {"config": dataclasses.asdict(CONFIG)}
    prior = KINDS["latent_diffusion"].restore(content, found.finish(trained), tmp_path)
    mirrored = np.stack([prior.encode(x) for x in (PHOTOGRAPHS, PHOTOGRAPHS[:, :, ::-1])], axis=1)
    assert np.allclose(training["latents"], mirrored[:10], atol=0.01)
    assert np.allclose(found.held_out["latents"], mirrored[10:, 0], atol=0.01)
    told = prior.embed(PHOTOGRAPHS[10:], [("dog",), ("owl",)])
    tokens = project(CONFIG.conditions, prior.params["conditions"], told, 2)
    expected = found.held_out["image"].reshape(2, -1) @ trained["conditions"]["image"]["kernel"]
    assert np.allclose(tokens[:, :2], np.reshape(expected, (2, 2, -1)), atol=0.02)


def test_what_was_kept_is_not_taken_for_other_latents_and_features(
    embedded, autoencoder, tmp_path
) -> None:
    first = examples.make(source(tmp_path, autoencoder)).training
    params = random_arrays(CONFIG.shapes(), seed=1)
    files.save(tmp_path / "other", "latent_diffusion", dataclasses.asdict(CONFIG), params, {})
    embedded.clear()
    second = examples.make(source(tmp_path, str(tmp_path / "other"))).training
    assert "image" not in {kind for kind, _ in embedded}
    assert not np.allclose(first["latents"], second["latents"], atol=0.1)
    larger = dataclasses.replace(CONFIG.conditions[0], image_size=96)
    config = dataclasses.replace(CONFIG, conditions=(larger, CONFIG.conditions[1]))
    given = dataclasses.replace(source(tmp_path, autoencoder), config=config)
    examples.make(given)
    assert ("image", 4) in embedded


def test_an_autoencoder_of_other_sizes_is_rejected(autoencoder, tmp_path) -> None:
    other = dataclasses.replace(source(tmp_path, autoencoder), autoencoder=None)
    with pytest.raises(InputError, match="needs an autoencoder: train one"):
        examples.make(other)
    with pytest.raises(InputError, match="small_vdvae is no autoencoder of the sizes"):
        examples.make(dataclasses.replace(other, autoencoder="small_vdvae"))


def test_the_loss_is_the_error_of_noise_under_the_tokens_that_are_left() -> None:
    n, key = 8, jax.random.key(5)
    whole = Objective(CONFIG)
    params = jax.tree.map(jnp.asarray, random_arrays(
        {"/".join(k.key for k in path): leaf.shape
         for path, leaf in jax.tree_util.tree_leaves_with_path(jax.eval_shape(whole.initial, key))}
    ))  # fmt: skip
    batch = {
        "latents": RNG.normal(size=(n, 4, 4, 2)).astype(np.float32),
        "image": RNG.normal(size=(n, 1, 1280)).astype(np.float32),
        "text": RNG.normal(size=(n, 1, 384)).astype(np.float32),
        "has_text": (np.arange(n) % 2).astype(np.float32),
    }

    @jax.jit
    def expected(image, text):
        """With tokens of which some rows are zero."""
        statistics = {"mean": 0.0, "std": 1.0}
        maps = {kind: {**own, **statistics} for kind, own in params["conditions"].items()}
        tokens = project(CONFIG.conditions, maps, batch_of_conditions, n)
        tokens = tokens.at[:, :2].multiply(image[:, None, None])
        tokens = tokens.at[:, 2:].multiply(text[:, None, None])
        _, of_loss = jax.random.split(key)
        return noise_prediction_loss(
            params["unet"], UNet(CONFIG.unet), batch["latents"], (tokens,), of_loss, 0.0
        )

    batch_of_conditions = {kind: batch[kind] for kind in ("image", "text")}
    ones, zeros = jnp.ones(n), jnp.zeros(n)
    found = jax.jit(whole)(params, batch, key)[0]
    assert np.isclose(found, expected(ones, batch["has_text"]), rtol=1e-4)
    assert not np.isclose(found, expected(ones, ones), rtol=1e-4)
    assert np.isclose(
        jax.jit(Objective(CONFIG, drop_one=1.0))(params, batch, key)[0],
        expected(zeros, zeros),
        rtol=1e-4,
    )


def test_half_of_the_latents_are_of_mirror_images() -> None:
    latents = np.stack([np.zeros((200, 4, 4, 2)), np.ones((200, 4, 4, 2))], axis=1)
    sides = np.broadcast_to(np.arange(2)[:, None, None], (200, 2, 4, 3))
    rows = {"latents": latents.astype(np.float16), "image": sides.astype(np.float16)}
    found = prepared(rows, jax.random.key(0))
    assert found["latents"].dtype == found["image"].dtype == np.float32
    per_row = np.asarray(found["latents"]).reshape(200, -1)
    assert 70 < per_row[:, 0].sum() < 130 and (per_row == per_row[:, :1]).all()
    assert (found["image"] == per_row[:, 0, None, None]).all()  # embeddings of the same side
