"""Choosing among methods on training stimuli that were left out."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax import methods
from fmri_jax.data.preparation.folds import PreparationConfig, Trials, folds
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.methods import RunContext, best
from fmri_jax.methods.best.config import Config
from fmri_jax.training.mesh import make_mesh

WEAK, STRONG = ({"name": "ridge", "penalties": (value,)} for value in (1e-3, 1e4))


def trials() -> Trials:
    """36 trials of 18 images that follow from a few of 40 noisy voxels."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(18, 3))
    images = 128 + 40 * np.tanh(hidden @ rng.normal(size=(3, 48)))
    stimulus = np.repeat(np.arange(18, dtype=np.int32), 2)
    fmri = hidden[stimulus] @ rng.normal(size=(3, 40)) + 0.2 * rng.normal(size=(36, 40))
    return Trials(
        fmri.astype(np.float32),
        stimulus,
        images.astype(np.uint8).reshape(18, 4, 4, 3),
        np.zeros(36, np.int32),
        tuple(map(str, range(18))),
    )


def context(workdir) -> RunContext:
    return RunContext(workdir, "all", jax.random.key(0), make_mesh(1), progress=False)


@pytest.mark.parametrize("order", [(WEAK, STRONG), (STRONG, WEAK)])
@pytest.mark.parametrize("measure", ["pixel_correlation", "mse"])
def test_the_better_one_is_chosen_and_fitted_to_all_trials(tmp_path, order, measure):
    given = trials()
    fitted = best.build(Config(order, measure)).fit(given, context(tmp_path))
    assert fitted.chosen == "ridge (penalties=(0.001,))"
    assert not list(tmp_path.glob("inner/*/*/[!s]*")), "nothing but scores is left of inner fits"
    alone = methods.package("ridge").build(methods.package("ridge").Config((1e-3,)))
    expected = alone.fit(given, context(tmp_path)).reconstruct(jnp.asarray(given.fmri))
    np.testing.assert_array_equal(fitted.reconstruct(jnp.asarray(given.fmri)), expected)
    told = fitted.summary()
    assert told["chosen"] == fitted.chosen and len(told) == 3
    again = best.restore(*_through_json(fitted.state()))
    np.testing.assert_array_equal(again.reconstruct(jnp.asarray(given.fmri)), expected)
    assert again.summary() == told and again.image_shape == (4, 4, 3)


def _through_json(state):
    arrays, options = state
    return arrays, json.loads(json.dumps(options))


def test_no_inner_fit_sees_the_stimuli_that_it_is_scored_by(tmp_path, monkeypatch):
    given, seen = trials(), []
    package = methods.package("ridge")
    original = package.build

    def build(config):
        method = original(config)

        class Watched:
            def fit(self, rows, within):
                seen.append(set(rows.stimulus.tolist()))
                return method.fit(rows, within)

        return Watched()

    monkeypatch.setattr(package, "build", build)
    best.build(Config((WEAK, STRONG), n_inner=3)).fit(given, context(tmp_path))
    *inner, whole = seen
    assert whole == set(range(18)) and [len(one) for one in inner] == [12] * 6
    left_out = [whole - one for one in inner[:3]]
    assert set.union(*left_out) == whole and inner[:3] == inner[3:]
    # Another start: finished scores are read, and a damaged one is computed again.
    seen.clear()
    kept = sorted(tmp_path.glob("inner/all/*/score/score.json"))
    kept[0].write_text(kept[0].read_text().replace("0", "1"))
    best.build(Config((WEAK, STRONG), n_inner=3)).fit(given, context(tmp_path))
    assert len(kept) == 6 and [len(one) for one in seen] == [12, 18]


def test_stimuli_of_a_group_are_left_out_together(tmp_path, monkeypatch):
    """Groups of a recording, as its own folds label them; too few of them are rejected."""
    given, seen = trials(), []
    names = ("movie", "", "film", "movie", "film", "clip") * 3
    n = len(given.fmri)
    recording = Recording(
        **{name: getattr(given, name) for name in ("fmri", "stimulus", "images", "stimulus_names")},
        run=given.run,
        rois={},
        split=np.where(given.stimulus < 16, "train", "test"),
        groups=names,
    )
    (fold,) = folds(recording, PreparationConfig())
    method = best.build(Config((WEAK,)))
    monkeypatch.setattr(
        type(method), "_score", lambda self, one, rows, left_out, *_: seen.append(left_out) or 0.0
    )
    method.fit(fold.train, context(tmp_path))
    assert len(seen) == 3 and (np.sum(seen, axis=0) == 1).all() and n == 36
    for name in ("movie", "film", "clip"):
        inside = np.isin(fold.train.stimulus, np.flatnonzero(np.array(names) == name))
        assert sorted(rows[inside].mean() for rows in seen) == [0, 0, 1]
    alone = dataclasses.replace(fold.train, together=np.zeros(18, int))
    with pytest.raises(InputError, match="1 groups of training stimuli are too few"):
        method.fit(alone, context(tmp_path))


def test_what_it_is_made_of_is_said_of_all_candidates():
    gan = {"name": "gan", "comparator": "vgg16"}
    assert best.trained_through(Config((WEAK, gan))) == ("vgg16",)
    assert best.stays_in_span(Config((WEAK, STRONG)))
    assert not best.stays_in_span(Config((WEAK, gan)))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"candidates": ({"name": "rigde"},)}, "did you mean 'ridge'"),
        ({"candidates": ({"name": "ridge", "alpha": 1},)}, r"candidates\[0\].alpha"),
        ({"candidates": ("ridge",)}, "expected a method's name with its options"),
        ({"candidates": ()}, "name one method or more"),
        ({"candidates": (WEAK, WEAK)}, "twice"),
        ({"candidates": ({"name": "best"},)}, "the choice itself"),
        ({"candidates": ({**WEAK, "label": "a"}, {**WEAK, "label": "b"})}, "'b' twice"),
        ({"candidates": ({"name": "gan", "crop": 8},)}, "images of one size"),
        ({"measure": "beauty"}, "not a known metric"),
        ({"measure": "lpips"}, "needs no network"),
        ({"n_inner": 1}, "expected >= 2"),
    ],
)
def test_what_cannot_be_chosen_from_is_rejected(options, message):
    with pytest.raises(InputError, match=message):
        Config(**options)


def test_what_the_chosen_method_offers_is_offered(tmp_path):
    fitted = best.build(Config((WEAK,))).fit(trials(), context(tmp_path))
    fmri = jnp.asarray(trials().fmri)
    images, shown = fitted.reconstruct_beside(fmri)
    np.testing.assert_array_equal(images, fitted.reconstruct(fmri))
    assert shown == {} and fitted.controls(None, 0) == {}

    class Sampler:
        def reconstruct_beside(self, fmri):
            return "images", {"sample 1": fmri}

        def controls(self, fold, number):
            return {"prior_samples": (fold, number)}

    other = fitted.replace(fitted=Sampler())
    assert other.reconstruct_beside(1) == ("images", {"sample 1": 1})
    assert other.controls("fold", 2) == {"prior_samples": ("fold", 2)}


@pytest.mark.parametrize("measure", ["identification_centred", "identification_vs_train"])
def test_measures_that_need_training_images_have_them(tmp_path, measure):
    fitted = best.build(Config((WEAK, STRONG), measure)).fit(trials(), context(tmp_path))
    assert fitted.chosen == "ridge (penalties=(0.001,))"


def test_a_measure_that_few_images_do_not_allow_is_said(tmp_path):
    config = Config((WEAK,), "identification_10way")
    with pytest.raises(InputError, match="identification_10way.* which 12 left-out images"):
        best.build(config).fit(trials(), context(tmp_path))


def test_processes_that_would_wait_for_one_another_are_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(InputError, match="all processes train together"):
        best.build(Config((WEAK, {"name": "gan"}))).fit(trials(), context(tmp_path))


def test_too_few_stimuli_are_rejected(tmp_path):
    with pytest.raises(InputError, match="18 training stimuli are too few"):
        best.build(Config(n_inner=10)).fit(trials(), context(tmp_path))
