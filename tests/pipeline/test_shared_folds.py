"""Runs of a sweep in one process share the recording, its folds, and what is computed from them."""

import copy
import dataclasses
import json

import numpy as np
import pytest

from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.evaluation import baselines
from fmri_jax.methods.local_decoders import training
from fmri_jax.pipeline import diagnostics, experiment_config, recording_identity, scoring
from fmri_jax.pipeline.run import run
from fmri_jax.pipeline.shared_folds import SharedFolds, n_bytes


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> dict:
    """Ridge decoders of 8 images of 4x4 pixels, each shown three times, in two folds."""
    path = tmp_path_factory.mktemp("recording") / "small.npz"
    rng = np.random.default_rng(0)
    images = (255 * (rng.random((8, 4, 4, 1)) < 0.5)).astype(np.uint8)
    stimulus = np.tile(np.arange(8, dtype=np.int32), 3)
    fmri = images.reshape(8, 16)[stimulus] / 255 @ rng.normal(size=(16, 30))
    fmri = (fmri + 0.3 * rng.normal(size=fmri.shape)).astype(np.float32)
    np.savez(path, fmri=fmri, stimulus=stimulus, images=images)
    config = experiment_config.default_config("local_decoders", "file").to_dict()
    config["data"]["path"] = str(path)
    config["preparation"] |= {"split": "stimulus", "n_folds": 2, "average_repeats": "none"}
    config["method"] |= {"scales": (1,), "decoder": "ridge", "weights": "equal"}
    config["evaluation"] |= {"n_bootstrap": 0, "perceptual": False}
    return config


def changed(config: dict, **sections) -> dict:
    other = copy.deepcopy(config)
    for name, options in sections.items():
        other[name].update(options)
    return other


def prepared(shared: SharedFolds, config: dict) -> list:
    options = experiment_config.read(config)
    return list(shared.folds(options, shared.recording(options), None))


def test_variants_load_prepare_and_solve_once(config, tmp_path, monkeypatch):
    counts = dict.fromkeys(("load", "ridges", "fit", "span", "score"), 0)

    def count(module, attribute, name):
        original = getattr(module, attribute)

        def counted(*args, **options):
            counts[name] += 1
            return original(*args, **options)

        monkeypatch.setattr(module, attribute, counted)

    count(recording_identity, "load", "load")
    count(baselines, "ridges", "ridges")
    count(training, "fit_elements", "fit")
    count(diagnostics, "project_onto_span", "span")
    count(scoring, "score_images", "score")
    shared = SharedFolds()
    learned = changed(config, method={"weights": "learned", "n_inner": 2})
    run(config, tmp_path / "equal", progress=False, shared=shared)
    first = counts.pop("score")
    assert counts == {"load": 1, "ridges": 2, "fit": 2, "span": 2}
    counts["score"] = 0
    run(learned, tmp_path / "learned", progress=False, shared=shared)
    again = counts.pop("score")
    # The inner folds alone are new, and images of the method: two sets of its own, and shuffled.
    assert counts == {"load": 1, "ridges": 2, "fit": 2 + 2 * 2, "span": 2}
    assert (first, again) == (2 + 6, 2 + 1)
    counts["score"] = 0
    run(learned, tmp_path / "alone", progress=False)
    assert counts["fit"] == 6 + 2 * 3
    with_others, alone = (
        json.loads((tmp_path / name / "scores.json").read_text()) for name in ("learned", "alone")
    )
    assert with_others == alone


def test_folds_are_those_of_the_preparation_that_is_asked_for(config):
    shared, v = SharedFolds(), experiment_config.read
    first = prepared(shared, config)
    again = prepared(shared, changed(config, method={"alpha": 3.0}))
    assert all(a is b for a, b in zip(first, again, strict=True))
    noise = changed(config, preparation={"fmri": "noise"})
    expected = list(folds(shared.recording(v(noise)), PreparationConfig(**noise["preparation"])))
    for found, known in zip(prepared(shared, noise), expected, strict=True):
        np.testing.assert_array_equal(found.train.fmri, known.train.fmri)


def test_a_recording_that_was_changed_is_read_again(config, tmp_path):
    path = tmp_path / "changing.npz"
    with np.load(config["data"]["path"]) as stored:
        arrays = dict(stored)
    other = changed(config, data={"path": str(path)})
    np.savez(path, **arrays)
    shared = SharedFolds()
    before = prepared(shared, other)
    arrays["fmri"] = arrays["fmri"][::-1]
    np.savez_compressed(path, **arrays)
    after = prepared(shared, other)
    assert not np.array_equal(before[0].train.fmri, after[0].train.fmri)


def test_only_as_many_folds_are_kept_as_the_limit_allows(config):
    every = prepared(SharedFolds(), config)
    one = n_bytes(every[0], {id(every[0].train.images)})
    shared = SharedFolds(limit=one + 100)
    first, again = prepared(shared, config), prepared(shared, config)
    assert first[0] is again[0] and first[1] is not again[1]
    np.testing.assert_array_equal(first[1].train.fmri, again[1].train.fmri)
    # What is computed from a fold counts, too.
    again[0].train.once("large", lambda: np.zeros(200, np.uint8))
    assert prepared(shared, config)[0] is again[0]
    assert prepared(shared, config)[0] is not again[0]
    nothing = SharedFolds(limit=0)
    assert prepared(nothing, config)[0] is not prepared(nothing, config)[0]


def test_bytes_are_those_of_all_arrays_once():
    @dataclasses.dataclass
    class Record:
        array: np.ndarray
        more: dict

    shared = np.zeros(10, np.float32)
    record = Record(shared, {"a": [shared, np.zeros((2, 3))], "b": (np.zeros(5, np.uint8), "text")})
    assert n_bytes(record, set()) == 40 + 48 + 5


def test_trials_compute_once_and_parts_of_them_anew(make_recording):
    fold = next(folds(make_recording(), PreparationConfig()))
    made = [fold.train.once("x", lambda: object()) for _ in range(2)]
    assert made[0] is made[1]
    assert fold.train.take(np.arange(3)).once("x", lambda: object()) is not made[0]
