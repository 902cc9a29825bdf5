"""Controls of Brain-Diffuser: the prior alone, wrong embeddings, samples, decoded spaces."""

import dataclasses
import json

import jax
import numpy as np
import pytest

import fmri_jax as fj
from fmri_jax.data.preparation.folds import Fold
from fmri_jax.data.readers.npz import save_npz
from fmri_jax.evaluation.feature_scores import identification
from fmri_jax.evaluation.fold_features import FoldFeatures
from fmri_jax.evaluation.repeats import of_another_stimulus
from fmri_jax.methods.brain_diffuser import diagnose
from fmri_jax.methods.brain_diffuser.diagnostics import spaces
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.run import run
from fmri_jax.report.io import workdir
from tests.methods.brain_diffuser.test_method import (  # noqa: F401
    SIZE,
    N,
    averages,
    context,
    fit,
    priors,
    trials,
)
from tests.report.test_page import Page


@pytest.fixture(scope="module")
def both(trials, context, priors):  # noqa: F811
    """Fitted with both stages, three samples; and a fold that tests on the averages."""
    fitted = fit(trials, context, priors, stages="both", n_samples=3)
    test = dataclasses.replace(trials.take(np.arange(0, 2 * N, 2)), fmri=averages(trials))
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
    # A guidance of 0 leaves the prediction without condition, whatever the condition is.
    key = jax.random.key(1)
    layout = fitted.first.sample(N, key)
    decoded = fitted.conditions.decode(test.fmri)
    nothing = {name: 0 * array for name, array in decoded.items()}
    two = [fitted.picture(given, layout, key, guidance=0.0) for given in (decoded, nothing)]
    assert np.allclose(*two, atol=1e-5)
    assert not np.allclose(two[0], fitted.picture(decoded, layout, key, guidance=7.5), atol=1e-3)


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
    vae = fj.priors.load(fitted.config.prior)
    true = [np.asarray(array) for array in fitted.latents.targets.values()]
    assert [array.shape[1] for array in true] == [shape[0] for shape in vae.latent_shapes]
    flat = np.concatenate([array.reshape(N, -1) for array in true], axis=1)
    decoded = fitted.latents.decode(test.fmri).values()
    rows = np.concatenate([np.asarray(array).reshape(N, -1) for array in decoded], axis=1)
    expected = identification(flat, rows, test.stimulus)
    assert np.array_equal(found["latents"].identification[0], expected)
    assert expected.mean() > 0.9  # these are the training trials
    units = [found[name].units[0] for name in ("latents", *sides)]
    assert units[0] == units[1] + units[2]
    # Decoded embeddings in the place of true ones of the wrong images are identified below chance.
    text = found["text embedding"]
    assert text.identification[0].mean() > 0.8 and text.true.shape[0] == N
    assert spaces({"latents 00": flat.reshape(N, 1, 1, -1)}).keys() == {"latents"}


def test_true_latents_and_embeddings_give_what_the_priors_allow(both, diagnosed) -> None:
    fitted, _ = both
    true = tuple(np.asarray(array) for array in fitted.latents.targets.values())
    expected = fitted.sample_of(true, fitted.conditions.targets, jax.random.key(0))
    assert np.array_equal(diagnosed.recovered_stimulus, np.arange(N))
    assert np.allclose(diagnosed.recovered, expected, atol=1e-4)


def test_a_run_shows_stages_samples_and_controls(trials, priors, tmp_path) -> None:  # noqa: F811
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
    config.method.update(priors, stages="both", n_steps=3, n_samples=2)
    config.evaluation.update(perceptual=False, n_bootstrap=0)
    run(config, tmp_path / "run", progress=False)
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    controls = {"first_stage", "prior_samples", "shuffled_embeddings"}
    assert controls < set(scores["baselines"])
    kinds = {note["kind"]: note["values"] for note in scores["notes"]}
    assert controls < set(kinds["controls"]) and kinds["samples"]["standard_deviation"] > 0
    assert {"recovery_check"} < set(kinds)
    assert "text embedding" in scores["features"]["sets"]["test"]["decoded"]
    found = workdir.read(tmp_path / "run")
    assert list(found.beside) == ["sample 1", "sample 2", "mean of samples", "spread of samples"]
    assert np.isfinite(found.baselines["first_stage"][found.rows("test")]).all()
    page = Page(tmp_path / "run/report.html")
    for text in ("first stage", "prior alone", "shuffled embeddings", "spread of samples"):
        assert text in page.text
