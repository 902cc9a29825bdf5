"""`fmri-jax prior`: photographs in, a prior and its page out; resumed or rejected."""

import dataclasses
import io
import json
import re
import zipfile

import jax
import numpy as np
import pytest
from PIL import Image

import fmri_jax as fj
from fmri_jax.cli import main
from fmri_jax.networks.vdvae import VDVAEConfig
from fmri_jax.priors import files, recipes, registry
from fmri_jax.priors.training import Options

CONFIG = VDVAEConfig(
    encoder="8d8,1x1", decoder="1x1,8m1", width=8, latent_channels=2, mixtures=1, patch=2
)
RECIPE = recipes.Recipe(
    "a tiny VDVAE", "vdvae", lambda: CONFIG, Options(n_steps=4, batch_size=4, checkpoint_every=2)
)
NOISE = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3), np.uint8)


def pack(path, pictures):
    with zipfile.ZipFile(path, "w") as archive:
        for i, picture in enumerate(pictures):
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, "PNG")
            archive.writestr(f"{i:03}.png", buffer.getvalue())
    return path


@pytest.fixture(scope="module", autouse=True)
def tiny():
    recipes.RECIPES["tiny"] = RECIPE
    yield
    del recipes.RECIPES["tiny"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A training that left 5 of the 60 pictures out."""
    folder = tmp_path_factory.mktemp("prior")
    pack(folder / "photographs.zip", NOISE)
    shown = folder / "shown.npz"
    np.savez(
        shown,
        fmri=np.random.default_rng(1).normal(size=(10, 6)).astype(np.float32),
        stimulus=np.arange(10) % 5,
        images=NOISE[10:15],
    )
    assert main(arguments(folder)) == 0
    return folder


def arguments(folder, *more):
    return [
        *("prior", "train", "tiny", "--images", str(folder / "photographs.zip")),
        *("--exclude", str(folder / "shown.npz"), "--workdir", str(folder / "run")),
        *("--licence", "CC0-1.0", "--devices", "2", "--noprogress"),
        *more,
    ]


def test_training_leaves_a_prior_that_loads_its_card_and_page(trained):
    prior = fj.priors.load(trained / "run/prior")
    images = NOISE[:2].astype(np.float32) / 255
    made = prior.decode(prior.encode(images))
    assert made.shape == images.shape and np.isfinite(made).all()
    card, text = prior.card, (trained / "run/prior/prior.json").read_text()
    assert card["excluded"] == 5 and card["trained_on"] == 53 and card["held_out"] == 2
    assert card["photographs"] == ["photographs.zip"] and card["excluded_from"] == ["shown.npz"]
    assert card["licence"] == "CC0-1.0" and card["steps"] == 4
    assert str(trained) not in text + (trained / "run/training.json").read_text()
    found = card["scores"]
    assert 0 < found["psnr"] < 40 and -1 < found["ssim"] < 1
    assert list(found["first_blocks"]) == ["1"] and found["bits_per_dimension"] > 0
    assert "sets" not in found  # two photographs make no distribution
    page = (trained / "run/report.html").read_text()
    for words in ("first 1 of 2, up to 1 × 1", "Temperature 0.6", "shown.npz", "CC0-1.0"):
        assert words in page
    assert f"{found['psnr']:.1f} dB" in page and "Training curves: " in page
    assert page.count("<img") == 2 * 3 + 3 * 24 + 1
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_scores_of_the_card_are_those_of_the_kept_prior_on_the_pictures_held_out(trained):
    rest = np.delete(NOISE, range(10, 15), axis=0)
    held_out = rest[np.random.default_rng(0).permutation(55)[:2]]
    prior = fj.priors.load(trained / "run/prior")
    made = prior.decode(prior.encode(held_out))
    error = ((made - held_out / 255) ** 2).mean(axis=(1, 2, 3))
    found = prior.card["scores"]
    assert found["psnr"] == pytest.approx(np.mean(10 * np.log10(1 / error)), abs=1e-3)
    expected = fj.metrics.score(held_out, made, perceptual=False)["ssim"]
    assert found["ssim"] == pytest.approx(expected, abs=1e-5)


def test_a_finished_training_is_scored_again_from_its_checkpoint(trained, capsys):
    before = files.load(trained / "run/prior")[1]
    assert main(arguments(trained)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(trained / "run/report.html")
    after = files.load(trained / "run/prior")[1]
    assert all(map(np.array_equal, jax.tree.leaves(before), jax.tree.leaves(after)))


def test_other_trainings_in_the_same_folder_are_rejected(trained, capsys):
    record = trained / "run/training.json"
    written = json.loads(record.read_text())
    del written["options"]["weight_decay"], written["objective"]  # as of an earlier version
    record.write_text(json.dumps(written))
    assert main(arguments(trained, "--options.learning_rate=0.01")) == 2
    said = capsys.readouterr().err
    assert "options.learning_rate (0.0006 there, 0.01 here)" in said
    pack(trained / "others.zip", NOISE[:50])
    assert main(arguments(trained, "--images", str(trained / "others.zip"))) == 2
    said = capsys.readouterr().err
    assert "begun on other photographs" in said and len(said.splitlines()) == 1


def test_show_writes_a_page_of_a_folder(trained, capsys):
    page = trained / "shown/page.html"
    photographs = str(trained / "photographs.zip")
    given = ["--images", photographs, "--n-images", "2", "--out", str(page)]
    assert main(["prior", "show", str(trained / "run/prior"), *given]) == 0
    assert capsys.readouterr().out.strip() == str(page)
    text = page.read_text()
    assert "Means over 2 photographs" in text and "Shown here" in text
    assert "Training curves" not in text and not re.search(r'(src|href)="(?!data:|#)', text)


def test_list_names_what_is_there(trained, capsys, monkeypatch):
    monkeypatch.setattr(registry, "PACKAGED", trained / "run")
    assert main(["prior", "list"]) == 0
    shown = capsys.readouterr().out
    n = json.loads((trained / "run/prior/prior.json").read_text())["parameters"]
    assert f"prior: vdvae, {n:,} parameters, 0.0 MB" in shown and "licence: CC0-1.0" in shown
    assert "vdvae_imagenet64 (125,005,860 parameters)" in shown
    assert "small_vdvae: very deep VAE of nine blocks for photographs of 64 px (6,000 steps)" in (
        shown
    )


@pytest.mark.parametrize(
    "more, message",
    [
        (["--options.n_steps=0"], "--options.n_steps is 0: expected at least 1"),
        (["--options.moments=0.9"], r"--options.moments is 0\.9: expected a list"),
        (["--options.seed=one"], r"--options.seed is 'one' \(str\): expected int"),
        (["--options.batch_size=3", "--workdir", "{}/b"], "expected a positive multiple of 2"),
        (["--devices", "99", "--workdir", "{}/d"], "--devices is 99"),
        (["--exclude", "nowhere.npz", "--workdir", "{}/n"], "nowhere.npz is not a file"),
        (["--workdir", "{}"], "holds no training.json"),
        (["--exclude", "{}/photographs.zip", "--workdir", "{}/e"], "0 photographs are left"),
    ],
)
def test_what_cannot_be_used_is_one_message(trained, capsys, more, message):
    given = [word.format(trained) for word in more]
    assert main(arguments(trained, *given)) == 2
    said = capsys.readouterr().err
    assert re.search(message, said) and len(said.splitlines()) == 1


def test_unknown_names_are_told_the_closest(capsys):
    assert main(["prior", "train", "smal_vdvae", "--images", "x"]) == 2
    assert "did you mean 'small_vdvae'?" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["prior", "train", "small_vdvae"])
    assert "--images" in capsys.readouterr().err


def test_the_small_vdvae_is_the_network_that_the_package_ships():
    recipe = recipes.find("small_vdvae")
    config = recipe.make_config()
    assert config.image_size == 64 and len(config.latent_shapes()) == 9
    assert dataclasses.asdict(recipe.options)["n_steps"] == 6000
