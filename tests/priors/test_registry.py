"""Where priors come from: folders, the package, and published weights."""

import dataclasses
import json

import numpy as np
import pytest

import fmri_jax as fj
from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.networks.vdvae import IMAGENET64
from fmri_jax.pretrained import latent_diffusion
from fmri_jax.pretrained.catalogue import CATALOGUE
from fmri_jax.priors import files, recipes, registry
from fmri_jax.priors.diffusion.published import VERSATILE_DIFFUSION
from fmri_jax.priors.ic_gan import config as ic_gan_config
from tests.priors.random_priors import IC_GAN


@pytest.fixture
def asked(monkeypatch):
    """Which published weights were asked for, and from where; they are their own names here."""
    given = []

    def load(name, weights=None):
        assert name in CATALOGUE
        given.append((name, weights))
        return name

    monkeypatch.setattr(pretrained, "load", load)
    return given


@pytest.mark.parametrize("name", [*registry.IC_GANS, "vdvae_imagenet64"])
def test_published_priors_have_the_weights_of_their_name(asked, name, tmp_path):
    prior = fj.priors.load(name)
    assert prior.params == name and asked == [(name, None)]
    configs = {**ic_gan_config.PUBLISHED, "vdvae_imagenet64": IMAGENET64}
    assert prior.config == configs[name]
    fj.priors.load(name, str(tmp_path / "weights.pth"))
    assert asked[1] == (name, tmp_path / "weights.pth")


def test_versatile_diffusion_is_of_two_files_or_of_a_folder_of_diffusers(
    asked, tmp_path, monkeypatch
):
    prior = fj.priors.load("versatile_diffusion")
    assert prior.config == VERSATILE_DIFFUSION
    parts = {"unet": "versatile_diffusion_unet", "autoencoder": "sd1_autoencoder"}
    assert prior.params == parts
    for loader in ("load_versatile_unet", "load_autoencoder"):
        monkeypatch.setattr(latent_diffusion, loader, lambda *given: given)
    found = fj.priors.load("versatile_diffusion", tmp_path)
    assert found.params["unet"] == (tmp_path, VERSATILE_DIFFUSION.unet)
    assert found.params["autoencoder"] == (tmp_path / "vae", VERSATILE_DIFFUSION.autoencoder)
    assert len(asked) == 2


def test_names_are_what_can_be_loaded_without_a_path():
    packaged = {folder.name for folder in registry.PACKAGED.iterdir()}
    assert set(registry.names()) == packaged | set(registry.PUBLISHED)


def test_a_recipe_whose_prior_is_not_in_the_package_says_how_to_train_it():
    left = [name for name in recipes.RECIPES if name not in registry.names()]
    assert left
    for name in left:
        with pytest.raises(InputError, match=f"does not come with .*prior train {name} --images"):
            fj.priors.load(name)


def kept(folder, kind, config):
    """A folder that holds a prior without parameters."""
    files.save(folder, kind, config, {"a": np.ones(2, np.float32)}, {})
    return str(folder)


def test_the_networks_that_had_a_say_in_a_prior_are_known_without_weights(asked, tmp_path):
    image = VERSATILE_DIFFUSION.conditions[0]
    assert image.kind == "image"
    assert registry.trained_through("versatile_diffusion") == (image.network,)
    for name, config in ic_gan_config.PUBLISHED.items():
        assert registry.trained_through(name) == (config.network,)
    for name, expected in (
        ("small_latent_diffusion", ("efficientnet_lite0",)),
        ("small_ic_gan", ("efficientnet_lite0", "alexnet")),  # and LPIPS in its loss
        ("small_vdvae", ()),
        (kept(tmp_path / "of_instances", "ic_gan", dataclasses.asdict(IC_GAN)), ("alexnet",)),
        (kept(tmp_path / "of_text", "latent_diffusion", {"conditions": [{"kind": "text"}]}), ()),
    ):
        assert registry.trained_through(name) == expected
    with pytest.raises(InputError, match="did you mean 'small_ic_gan'"):
        registry.trained_through("smal_ic_gan")
    assert not asked


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"prior.json is missing or corrupt \(Expecting property name"),
        ("[1]", r"prior.json is missing or corrupt \(it is no JSON object\)"),
        ('{"kind": "vdvae"}', "has format None, written by"),
    ],
)
def test_a_card_that_cannot_be_read_is_one_message(tmp_path, content, message):
    folder = kept(tmp_path / "prior", "vdvae", {})
    (tmp_path / "prior" / files.JSON).write_text(content)
    with pytest.raises(InputError, match=message):
        fj.priors.load(folder)


def test_a_prior_without_its_arrays_is_one_message(tmp_path):
    folder = kept(tmp_path / "prior", "vdvae", {})
    (tmp_path / "prior" / files.ARRAYS).unlink()
    with pytest.raises(InputError, match=r"is missing or corrupt \(No such file.*copy the prior"):
        fj.priors.load(folder)


@pytest.mark.parametrize("kind", ["autoencoder", "ic_gan", "latent_diffusion", "vdvae"])
def test_options_that_this_version_does_not_know_are_one_message(tmp_path, kind):
    folder = kept(tmp_path / "prior", kind, {"colour_of_hair": 3})
    with pytest.raises(InputError, match="colour_of_hair|autoencoder"):
        fj.priors.load(folder)


def with_defaults(content, config):
    """What a file says, as JSON, where an earlier version left options out that now exist."""
    return json.loads(json.dumps({**dataclasses.asdict(config), **content}))


@pytest.mark.parametrize("name", sorted(recipes.RECIPES))
def test_recipes_make_the_networks_that_the_package_ships(name):
    recipe = recipes.find(name)
    config = recipe.make_config()
    assert config.image_size == 64 and recipe.kind in registry.KINDS
    objective = recipe.objective(config)
    assert objective == recipe.objective(recipe.make_config())  # share a compiled step
    assert hash(objective) == hash(recipe.objective(config))
    for option, value in recipe.objective_options.items():
        assert getattr(objective, option) == value
    folder = registry.PACKAGED / name
    if folder.is_dir():
        about = files.read_about(folder)
        assert about["kind"] == recipe.kind
        ours = json.loads(json.dumps(dataclasses.asdict(config)))
        assert with_defaults(about["config"], config) == ours
