"""Controls of Brain-Diffuser: the prior alone, wrong embeddings, samples, decoded spaces.

The priors are simple functions with the methods of the real ones, which test_method.py has.
"""

import dataclasses
import json
import types

import jax
import numpy as np
import pytest

import fmri_jax as fj
from fmri_jax.data.preparation.folds import Fold, Trials
from fmri_jax.data.readers.npz import save_npz
from fmri_jax.evaluation.feature_scores import identification
from fmri_jax.evaluation.fold_features import FoldFeatures
from fmri_jax.evaluation.repeats import of_another_stimulus
from fmri_jax.methods import RunContext, brain_diffuser
from fmri_jax.methods.brain_diffuser import diagnose
from fmri_jax.methods.brain_diffuser.config import Config
from fmri_jax.methods.brain_diffuser.diagnostics import spaces
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.run import run
from fmri_jax.report.io import workdir
from fmri_jax.training.mesh import make_mesh
from tests.report.test_page import Page

N, SIZE = 8, 8


class Vae:
    """Latents are the mean and the 4 x 4 means of red and green."""

    image_size, latent_shapes, fingerprint = SIZE, ((1, 1, 2), (4, 4, 2)), "vae"

    def encode(self, images, key=None):
        small = np.float32(images).reshape(len(images), 4, 2, 4, 2, 3).mean(axis=(2, 4)) / 255
        mean = small[..., :2].mean(axis=(1, 2), keepdims=True)
        return mean, small[..., :2] - mean

    def decode(self, latents, key=None, temperature=1.0, pixels="mean"):
        mean, rest = map(np.asarray, latents)
        red_green = np.clip(mean + rest, 0, 1).repeat(2, axis=1).repeat(2, axis=2)
        return np.concatenate([red_green, 0.5 + 0 * red_green[..., :1]], axis=-1)

    def sample(self, n, key, temperature=1.0):
        return np.asarray(jax.random.uniform(key, (n, SIZE, SIZE, 3)))


class Diffusion:
    """Lays the embeddings, times guidance, and noise upon the image that it starts from."""

    image_size, fingerprint = SIZE, "diffusion"
    conditions = types.MappingProxyType(
        {"image": types.SimpleNamespace(shape=(1, 12)), "text": types.SimpleNamespace(shape=(1, 4))}
    )

    def embed(self, images, captions=None, kept=False):
        blocks = np.float32(images).reshape(len(images), 2, 4, 2, 4, 3).mean(axis=(2, 4)) / 255
        found = {"image": blocks.reshape(len(images), 1, 12)}
        if captions:
            letters = [[ord(letter) % 7 / 7 for letter in text[-4:]] for (text,) in captions]
            found["text"] = np.float32(letters)[:, None]
        return found

    def sample(self, condition, key, start, guidance, **options):
        n = len(condition["image"])
        start = np.full((n, SIZE, SIZE, 3), 0.5) if start is None else start
        told = sum(np.asarray(rows).reshape(n, -1).mean(axis=1) for rows in condition.values())
        noise = np.asarray(jax.random.normal(key, (n, SIZE, SIZE, 3)))
        laid = 0.02 * guidance * np.asarray(told)[:, None, None, None]
        return np.clip(0.5 * np.asarray(start) + laid + 0.05 * noise, 0, 1)


@pytest.fixture(scope="module", autouse=True)
def simple_priors():
    known = {"vae": Vae(), "small_latent_diffusion": Diffusion()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(brain_diffuser.priors.priors, "load", lambda name, weights: known[name])
        yield


@pytest.fixture(scope="module")
def trials() -> Trials:
    """Images shown twice; 40 voxels are noisy linear views of them."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (N, 4, 4, 3), np.uint8)
    stimulus = np.repeat(np.arange(N, dtype=np.int32), 2)
    fmri = (small.reshape(N, -1)[stimulus] / 128 - 1) @ rng.standard_normal((48, 40)) / 7
    fmri = (fmri + 0.1 * rng.standard_normal(fmri.shape)).astype(np.float32)
    names = tuple("thing " + "".join(rng.choice(list("abcdefg"), 4)) for _ in range(N))
    images = small.repeat(2, axis=1).repeat(2, axis=2)
    return Trials(fmri, stimulus, images, np.zeros(2 * N, np.int32), names)


@pytest.fixture(scope="module")
def both(trials, tmp_path_factory):
    """Fitted with both stages, three samples; and a fold that tests on the averages."""
    config = Config("vae", stages="both", n_samples=3)
    folder = tmp_path_factory.mktemp("run")
    context = RunContext(folder, "all", jax.random.key(0), make_mesh(1), progress=False)
    fitted = brain_diffuser.build(config).fit(trials, context)
    averages = trials.fmri.reshape(N, 2, -1).mean(axis=1)
    test = dataclasses.replace(trials.take(np.arange(0, 2 * N, 2)), fmri=averages)
    return fitted, Fold("all", trials, {"test": test}, np.ones(40, bool))


def test_rows_of_another_stimulus_are_a_derangement() -> None:
    stimulus = np.array([5, 5, 2, 9, 2, 9, 7])
    wrong = of_another_stimulus(stimulus, seed=1)
    assert (stimulus[wrong] != stimulus).all()
    partners = {own: set(stimulus[wrong[stimulus == own]]) for own in set(stimulus)}
    assert all(len(partner) == 1 for partner in partners.values())
    assert set.union(*partners.values()) == set(stimulus)
    assert of_another_stimulus(np.array([3, 3])) is None


def test_the_prior_alone_depends_on_nothing_that_was_decoded(both) -> None:
    fitted, fold = both
    offered = fitted.controls(fold, 0)
    assert set(offered) == {"prior_samples", "shuffled_embeddings", "first_stage"}
    test = fold.tests["test"]
    images = offered["prior_samples"](test)
    assert images.shape == (N, SIZE, SIZE, 3) and images.std(axis=0).max() > 1e-3
    other = dataclasses.replace(test, fmri=test.fmri[::-1] + 1)
    assert np.array_equal(images, offered["prior_samples"](other))
    assert not np.allclose(images, fitted.controls(fold, 1)["prior_samples"](test), atol=1e-3)


def test_shuffled_embeddings_are_another_stimulus_s_under_the_own_layout(both) -> None:
    fitted, fold = both
    test = fold.tests["test"]
    wrong = of_another_stimulus(test.stimulus, seed=2)
    offered = fitted.controls(fold, 2)
    second = fitted.replace(latents=None)  # no layout: the embeddings alone count
    shuffled = second.controls(fold, 2)["shuffled_embeddings"](test)
    expected = second.reconstruct(test.fmri[wrong])  # noise goes by row
    assert np.allclose(shuffled, expected, atol=1e-6)
    key = jax.random.split(jax.random.key(0), 3)[0]
    blocks = tuple(np.asarray(array) for array in fitted.latents.decode(test.fmri).values())
    own = fitted.sample_of(blocks, fitted.conditions.decode(test.fmri[wrong]), key)
    assert np.allclose(offered["shuffled_embeddings"](test), own, atol=1e-6)
    assert np.array_equal(offered["first_stage"](test), fitted.first_stage(test.fmri))
    # A set of one stimulus takes the embeddings of training trials of others.
    alone = dataclasses.replace(test, stimulus=np.zeros_like(test.stimulus))
    others = offered["shuffled_embeddings"](alone)
    assert others.shape == own.shape and not np.allclose(others, fitted.reconstruct(test.fmri))


def test_samples_are_shown_with_their_mean_and_spread(both) -> None:
    fitted, fold = both
    fmri = fold.tests["test"].fmri
    images, beside = fitted.reconstruct_beside(fmri)
    drawn = fitted.samples(fmri)
    assert np.array_equal(images, drawn[0]) and np.array_equal(images, beside["sample 1"])
    assert np.allclose(beside["mean of samples"], np.mean(drawn, axis=0), atol=1e-6)
    assert np.allclose(beside["spread of samples"], 2 * np.std(drawn, axis=0), atol=1e-6)
    one = fitted.replace(config=dataclasses.replace(fitted.config, n_samples=1))
    assert one.reconstruct_beside(fmri)[1] == {}


@pytest.fixture(scope="module")
def diagnosed(both) -> FoldFeatures:
    fitted, fold = both
    rois = {"all": np.ones(40, bool), "half": np.arange(40) < 20}
    return diagnose(fitted, fold, rois, None)


def test_latents_and_embeddings_are_identified_space_by_space(both, diagnosed) -> None:
    fitted, fold = both
    found, test = diagnosed.sets["test"], fold.tests["test"]
    sides = ["latents of 1 px", "latents of 4 px"]
    assert list(found) == ["latents", *sides, "image embedding", "text embedding"]
    true = [np.asarray(array) for array in fitted.latents.targets.values()]
    assert [array.shape[1] for array in true] == [shape[0] for shape in Vae.latent_shapes]
    flat = np.concatenate([array.reshape(N, -1) for array in true], axis=1)
    decoded = fitted.latents.decode(test.fmri).values()
    rows = np.concatenate([np.asarray(array).reshape(N, -1) for array in decoded], axis=1)
    expected = identification(flat, rows, test.stimulus)
    assert np.array_equal(found["latents"].identification[0], expected)
    assert expected.mean() > 0.9  # these are the training trials
    units = [found[name].units[0] for name in ("latents", *sides)]
    assert units[0] == units[1] + units[2]
    for name in ("image embedding", "text embedding"):
        assert found[name].identification[0].mean() > 0.8
    assert spaces({"latents 00": flat.reshape(N, 1, 1, -1)}).keys() == {"latents"}


def test_true_latents_and_embeddings_give_what_the_priors_allow(both, diagnosed) -> None:
    fitted, _ = both
    true = tuple(np.asarray(array) for array in fitted.latents.targets.values())
    expected = fitted.sample_of(true, fitted.conditions.targets, jax.random.key(0))
    assert np.array_equal(diagnosed.recovered_stimulus, np.arange(N))
    assert np.allclose(diagnosed.recovered, expected, atol=1e-4)


def test_a_run_shows_stages_samples_and_controls(trials, tmp_path) -> None:
    """From a recording to the page: images, scores, notes. The test images are the negatives."""
    names = (*trials.stimulus_names, *(f"not {name}" for name in trials.stimulus_names))
    recording = fj.data.Recording(
        fmri=np.concatenate([trials.fmri, -trials.fmri]),
        stimulus=np.concatenate([trials.stimulus, trials.stimulus + N]),
        images=np.concatenate([trials.images, 255 - trials.images]),
        run=np.zeros(4 * N, np.int32),
        rois={"half": np.arange(40) < 20},
        stimulus_names=names,
        split=np.repeat(["train", "test"], 2 * N),
    )
    save_npz(recording, tmp_path / "recording.npz")
    config = default_config(method="brain_diffuser", data="file")
    config.data.path = str(tmp_path / "recording.npz")
    config.preparation.average_repeats = "all"
    config.method.update(prior="vae", stages="both", n_samples=2)
    config.evaluation.update(perceptual=False, n_bootstrap=0)
    run(config, tmp_path / "run", progress=False)
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    controls = {"first_stage", "prior_samples", "shuffled_embeddings"}
    assert controls < set(scores["baselines"])
    kinds = {note["kind"]: note["values"] for note in scores["notes"]}
    # Eight prior samples are at chance, luck apart: three times 1 / sqrt(12 n).
    assert controls < set(kinds["controls"]) and kinds["controls"]["chance"] == 0.5
    assert abs(kinds["controls"]["prior_samples"] - 0.5) < 3 / (12 * N) ** 0.5
    assert kinds["samples"]["standard_deviation"] > 0
    assert {"recovery_check"} < set(kinds)
    assert "text embedding" in scores["features"]["sets"]["test"]["decoded"]
    found = workdir.read(tmp_path / "run")
    assert list(found.beside) == ["sample 1", "sample 2", "mean of samples", "spread of samples"]
    assert np.isfinite(found.baselines["first_stage"][found.rows("test")]).all()
    page = Page(tmp_path / "run/report.html")
    for text in ("first stage", "prior alone", "shuffled embeddings", "spread of samples"):
        assert text in page.text
