"""`fmri-jax prior train` of an autoencoder, and of a latent diffusion model with it."""

import dataclasses
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

import fmri_jax as fj
from fmri_jax.cli import main
from fmri_jax.pipeline import prior_training
from fmri_jax.priors import recipes, registry
from fmri_jax.priors.autoencoder.prior import AutoencoderConfig
from fmri_jax.priors.diffusion.conditions import Condition
from fmri_jax.priors.training import Options
from tests.priors.random_priors import DIFFUSION

# Of one scale each, as compiling is what takes long here.
SMALL = dataclasses.replace(
    DIFFUSION,
    autoencoder=dataclasses.replace(DIFFUSION.autoencoder, channels=(8,), patch=2),
    unet=dataclasses.replace(DIFFUSION.unet, channels=(8,), attention=(True,)),
)
AUTOENCODER = AutoencoderConfig(SMALL.autoencoder, 8)
OPTIONS = Options(n_steps=2, batch_size=4)
TINY = {
    "tiny_autoencoder": recipes.Recipe("", "autoencoder", lambda: AUTOENCODER, OPTIONS),
    "tiny_diffusion": recipes.Recipe(
        "", "latent_diffusion", lambda: SMALL, OPTIONS, trained_through=("alexnet",)
    ),
}
RNG = np.random.default_rng(0)


def embed(condition, rows, kept=False):
    """In the place of networks: features of the number of letters, or of the first pixel."""
    numbers = [len(str(row)) if condition.kind == "text" else float(row[0, 0, 0]) for row in rows]
    waves = np.sin(np.array(numbers)[:, None] + np.arange(condition.shape[1]))
    return waves.reshape(len(rows), *condition.shape).astype(np.float32)


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Arguments for 24 photographs, of which half have a caption; scores and pages are not made.

    Those of priors have tests of their own, and would compile sampling several times.
    """
    monkeypatch.setattr(prior_training.scores, "of_prior", lambda *given: {})
    monkeypatch.setattr(prior_training.prior_page, "write", lambda path, *given: path)
    monkeypatch.setattr(Condition, "embed", embed)
    for name, recipe in TINY.items():
        monkeypatch.setitem(recipes.RECIPES, name, recipe)
    with zipfile.ZipFile(tmp_path / "photographs.zip", "w") as archive:
        for i in range(24):
            buffer = io.BytesIO()
            Image.fromarray(RNG.integers(0, 256, (8, 8, 3), np.uint8)).save(buffer, "PNG")
            archive.writestr(f"{'cats' if i % 2 else 'others'}/{i:02}.png", buffer.getvalue())
    (tmp_path / "captions.csv").write_text("folder,class\ncats,cat\n", encoding="utf-8")
    return [
        *("--images", str(tmp_path / "photographs.zip"), "--devices", "1", "--noprogress"),
        *("--captions", str(tmp_path / "captions.csv")),
    ]


def test_a_diffusion_model_has_the_autoencoder_that_was_trained_before(given, tmp_path, capsys):
    first, second = tmp_path / "autoencoder", tmp_path / "diffusion"
    assert main(["prior", "train", "tiny_autoencoder", *given, "--workdir", str(first)]) == 0
    train = ["prior", "train", "tiny_diffusion", *given, "--workdir", str(second)]
    assert main(train) == 2
    assert "needs an autoencoder: train one" in capsys.readouterr().err
    train += ["--autoencoder", str(first / "prior")]
    assert main(train) == 0
    autoencoder, prior = (fj.priors.load(folder / "prior") for folder in (first, second))
    images = RNG.random((3, 8, 8, 3), np.float32)
    latents = autoencoder.encode(images)
    assert np.allclose(prior.encode(images), SMALL.scale * latents, atol=1e-5)
    had_a_say = registry.trained_through(str(second / "prior"))
    assert had_a_say == ("efficientnet_lite0", "alexnet")
    assert prior.card["captions"] == ["captions.csv"] and prior.card["scores"]["noise_error"] > 0.3
    others = ["prior", "train", "tiny_diffusion", *given, "--workdir", str(second)]
    assert main([*others, "--autoencoder", str(second / "prior")]) == 2
    assert "begun with another autoencoder (" in capsys.readouterr().err
