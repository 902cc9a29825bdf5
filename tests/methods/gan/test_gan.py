"""The GAN as a method: resuming, several devices, the gate, the published weights in one scale."""

import dataclasses
import functools
import json
import math
import types

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.methods import RunContext
from fmri_jax.methods.gan import method
from fmri_jax.methods.gan.config import PAPER_WEIGHTS, REPORT_WEIGHTS, Config, steps_for
from fmri_jax.methods.gan.losses import feature_loss, image_loss
from fmri_jax.methods.gan.method import GAN
from fmri_jax.methods.gan.pixels import PixelScale
from fmri_jax.methods.gan.state import Gate, learning_rate
from fmri_jax.methods.gan.step import TrainStep
from fmri_jax.training.batches import Batches
from fmri_jax.training.loop import NotFiniteError
from fmri_jax.training.mesh import make_mesh
from tests.methods.gan.conftest import SMALL


def context(workdir, n_devices=1) -> RunContext:
    mesh = make_mesh(n_devices)
    return RunContext(workdir, "all", jax.random.key(3), mesh, progress=False)


def test_a_killed_run_ends_with_the_same_bits(trials, tmp_path, monkeypatch):
    whole = GAN(SMALL).fit(trials, context(tmp_path / "whole"))
    original = Batches.__call__

    def killed_at_4(batches, step):
        if step == 4:
            raise KeyboardInterrupt
        return original(batches, step)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Batches, "__call__", killed_at_4)
        GAN(SMALL).fit(trials, context(tmp_path / "killed"))
    resumed = GAN(SMALL).fit(trials, context(tmp_path / "killed"))
    chex.assert_trees_all_equal(whole.params, resumed.params, strict=True)
    lines = [json.loads(x) for x in (tmp_path / "killed/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 6]


def test_several_steps_in_one_dispatch_learn_the_same(trials, tmp_path, monkeypatch):
    monkeypatch.setattr(method, "steps_at_once", lambda asked: asked)  # as on an accelerator
    curves = []
    for at_once in (1, 3):
        # The image term alone compiles in a third of the time, and the loop knows no terms.
        config = dataclasses.replace(
            SMALL, feature_weight=0.0, adversarial_weight=0.0, steps_per_dispatch=at_once
        )
        GAN(config).fit(trials, context(tmp_path / str(at_once)))
        lines = (tmp_path / str(at_once) / "metrics.jsonl").read_text().splitlines()
        found = [json.loads(line) for line in lines]
        assert {line.pop("fold") for line in found} == {"all"}
        assert all(line.pop("crc32") for line in found)
        curves.append(found)
    assert [line["step"] for line in curves[0]] == [1, 2, 3, 4, 6]
    chex.assert_trees_all_close(*curves, rtol=2e-3)


def test_on_cpu_a_call_takes_one_step_as_loops_are_slow_there(trials, tmp_path, monkeypatch):
    calls, original = [], method.loop.train

    def train(steps, state, batch_at, options, *rest):
        calls.append(options.steps_per_dispatch)
        return original(steps, state, batch_at, options, *rest)

    monkeypatch.setattr(method.loop, "train", train)
    config = dataclasses.replace(SMALL, n_steps=1, feature_weight=0.0, adversarial_weight=0.0)
    GAN(dataclasses.replace(config, steps_per_dispatch=3)).fit(trials, context(tmp_path))
    assert calls == [1]


def test_trials_that_outgrow_the_device_train_to_the_same_bits(trials, tmp_path, monkeypatch):
    """They are read from records, which go when their fold is trained, now or earlier."""
    resident = GAN(SMALL).fit(trials, context(tmp_path / "resident"))
    records, there, original = tmp_path / "disk/records", [], Batches.__call__

    def watched(batches, step):
        there.append((records / "all/images.array_record").exists())
        return original(batches, step)

    monkeypatch.setattr(method, "Batches", functools.partial(Batches, device_limit_bytes=0))
    monkeypatch.setattr(Batches, "__call__", watched)
    from_disk = GAN(SMALL).fit(trials, context(tmp_path / "disk"))
    chex.assert_trees_all_equal(resident.params, from_disk.params, strict=True)
    assert there == [True] * SMALL.n_steps and not records.exists()
    again = GAN(SMALL).fit(trials, context(tmp_path / "disk"))
    chex.assert_trees_all_equal(again.params, from_disk.params, strict=True)
    assert len(there) == SMALL.n_steps and not records.exists()


def test_records_that_cannot_be_removed_are_named_and_lose_nothing(tmp_path, monkeypatch):
    records, said = tmp_path / "records" / "run_1", []
    other = tmp_path / "records" / "run_2"
    for folder in (records, other):
        folder.mkdir(parents=True)

    def refused(folder):
        raise PermissionError(f"{folder} is held")

    with monkeypatch.context() as patch:
        patch.setattr(method.shutil, "rmtree", refused)
        patch.setattr(method.logging, "warning", lambda text, *of: said.append(text % of))
        method._remove(records)
    assert "run_1 cannot be removed" in said[0] and records.exists()
    method._remove(records)
    assert other.exists() and not records.exists(), "other folds keep theirs"
    method._remove(other)
    assert not (tmp_path / "records").exists()


def test_one_and_four_devices_agree_to_rounding(trials, tmp_path):
    config = dataclasses.replace(SMALL, n_steps=2)
    one = GAN(config).fit(trials, context(tmp_path / "one", 1))
    four = GAN(config).fit(trials, context(tmp_path / "four", 4))
    # Adam divides by the gradient's size: a rounding error of a zero gradient moves by the rate.
    chex.assert_trees_all_close(one.params, jax.device_get(four.params), atol=2.1e-3)
    fmri = trials.fmri[:5]
    close = np.abs(one.reconstruct(fmri) - jax.device_get(four.reconstruct(fmri)))
    assert float(close.mean()) < 1e-4


def test_reconstructions_are_images_and_rows_are_independent(trials, tmp_path):
    fitted = GAN(dataclasses.replace(SMALL, n_steps=2)).fit(trials, context(tmp_path))
    images = fitted.reconstruct(trials.fmri)
    assert images.shape == (24, 32, 32, 3) and images.dtype == jnp.float32
    assert float(images.min()) >= 0 and float(images.max()) <= 1
    np.testing.assert_allclose(fitted.reconstruct(trials.fmri[7:8])[0], images[7], atol=1e-5)
    copy = jax.tree.unflatten(jax.tree.structure(fitted), jax.tree.leaves(fitted))
    np.testing.assert_array_equal(
        copy.reconstruct(trials.fmri[:1]), fitted.reconstruct(trials.fmri[:1])
    )


def test_a_nan_names_step_and_term(trials, tmp_path):
    config = dataclasses.replace(
        SMALL, learning_rate=1e30, feature_weight=0.0, adversarial_weight=0.0
    )
    with pytest.raises(NotFiniteError, match=r"step \d+: .*image.* is not finite"):
        GAN(config).fit(trials, context(tmp_path))


def test_gate_follows_the_papers_ratio():
    gate = Gate.open()
    gate = gate.after(jnp.float32(0.05), jnp.float32(1.0))
    assert (bool(gate.generator), bool(gate.discriminator)) == (True, False)
    gate = gate.after(jnp.float32(0.3), jnp.float32(1.0))
    assert not gate.discriminator, "between 0.1 and 0.5 a paused discriminator stays paused"
    gate = gate.after(jnp.float32(0.6), jnp.float32(1.0))
    assert bool(gate.discriminator)
    gate = gate.after(jnp.float32(11.0), jnp.float32(1.0))
    assert not gate.generator and bool(gate.discriminator)
    gate = gate.after(jnp.float32(0.2), jnp.float32(1.0))
    assert not gate.generator, (
        "until the discriminator is far ahead a paused generator stays paused"
    )
    gate = gate.after(jnp.float32(0.05), jnp.float32(1.0))
    assert (bool(gate.generator), bool(gate.discriminator)) == (True, False)


def test_gate_follows_the_rules_of_the_released_code_in_their_order():
    """The three rules as they are applied one after the other there, over random ratios."""
    ratios = 10 ** np.random.default_rng(0).uniform(-2, 2, 300)
    gate, generator, discriminator = Gate.open(), True, True
    for ratio in ratios:
        gate = gate.after(jnp.float32(ratio), jnp.float32(1.0))
        if ratio < 0.1 and discriminator:
            generator, discriminator = True, False
        if ratio > 0.5 and not discriminator:
            generator, discriminator = True, True
        if ratio > 10 and generator:
            generator, discriminator = False, True
        assert (bool(gate.generator), bool(gate.discriminator)) == (generator, discriminator)


def test_a_closed_gate_leaves_a_network_alone(setting):
    small = setting(gate=True, feature_weight=0.0)
    state, *rest = small.arguments()
    state = state.replace(gate=Gate(generator=jnp.array(False), discriminator=jnp.array(False)))
    after, _ = jax.jit(small.step.__call__)(state, *rest)
    chex.assert_trees_all_equal(after.generator, state.generator)
    chex.assert_trees_all_equal(after.discriminator, state.discriminator)
    assert int(after.step) == 1


def test_paper_weights_equal_caffes_euclidean_loss():
    """Caffe: sum of squares / (2 x batch) on 0-255 pixels, weighed 2e-6; features 0.01."""
    rng = np.random.default_rng(0)
    made, seen = rng.random((2, 4, 227, 227, 3), np.float32)
    caffe = 2e-6 * np.sum((255 * made.astype(float) - 255 * seen) ** 2) / (2 * 4)
    np.testing.assert_allclose(PAPER_WEIGHTS["image"] * image_loss(made, seen), caffe, rtol=1e-3)
    made, seen = rng.random((2, 4, 6, 6, 256), np.float32)
    caffe = 0.01 * np.sum((made.astype(float) - seen) ** 2) / (2 * 4)
    loss = feature_loss({"pool5": jnp.asarray(made)}, {"pool5": jnp.asarray(seen)})
    np.testing.assert_allclose(PAPER_WEIGHTS["feature"] * loss, caffe, rtol=1e-3)


def test_report_weights_equal_errors_on_imagenet_normalised_pixels():
    rng = np.random.default_rng(0)
    made, seen = rng.random((2, 4, 64, 64, 3), np.float32)
    deviation = np.array([0.229, 0.224, 0.225], np.float32)
    reports = 100 * np.mean(((made - seen) / deviation) ** 2)
    np.testing.assert_allclose(REPORT_WEIGHTS["image"] * image_loss(made, seen), reports, rtol=1e-2)
    assert REPORT_WEIGHTS["adversarial"] == 10_000 and REPORT_WEIGHTS["feature"] == 100


def test_learning_rate_is_halved_or_falls_along_a_cosine():
    halved = learning_rate(Config(halve_at=(10, 20)), 1.0)
    assert [float(halved(t)) for t in (0, 10, 11, 21)] == [1.0, 1.0, 0.5, 0.25] or [
        float(halved(t)) for t in (0, 9, 10, 20)
    ] == [1.0, 1.0, 0.5, 0.25]
    cosine = learning_rate(Config(n_steps=100, cosine_decay=True), 2.0)
    np.testing.assert_allclose([cosine(t) for t in (0, 50, 100)], [2.0, 1.0, 0.0], atol=1e-6)


def test_pixel_scale_is_measured_and_inverted():
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    scale = PixelScale.of(images)
    units = scale.to_units(images / np.float32(255))
    np.testing.assert_allclose(units.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(units.std((0, 1, 2)), 1, atol=1e-5)
    np.testing.assert_allclose(scale.to_pixels(units), images / 255, atol=1e-6)
    black = PixelScale.of(np.zeros((2, 8, 8, 1), np.uint8))
    assert math.isfinite(float(black.to_units(jnp.zeros((1, 8, 8, 1))).sum()))


def test_pixel_scale_of_many_pixels_is_not_rounded_away():
    """As many pixels as float32 cannot count: 70 bright and 70 dark images of 512 px."""
    images = np.repeat(np.uint8([51, 255]), 70)[:, None, None, None]
    scale = PixelScale.of(np.broadcast_to(images, (140, 512, 512, 2)))
    np.testing.assert_allclose(scale.mean, 0.6, rtol=1e-6)
    np.testing.assert_allclose(scale.deviation, 0.4, rtol=1e-6)


@pytest.mark.parametrize(("size", "side"), [(64, 7), (40, 4)])
def test_binary_images_reach_the_comparator_as_rgb_at_its_size(size, side):
    config = dataclasses.replace(SMALL, comparator_size=size)
    step = TrainStep(GAN(config).networks(10, 1), config)
    images, weights = jnp.zeros((2, 10, 10, 1)), pretrained.load("alexnet")
    found = jax.eval_shape(step.features, weights, images)["relu2"]
    assert found.shape == (2, side, side, 192)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_steps": 0}, "n_steps is 0: expected >= 1"),
        ({"image_weight": -1.0}, "image_weight is -1.0: expected >= 0"),
        ({"comparator_size": -3}, "comparator_size is -3: expected >= 0"),
        ({"learning_rate": -1e-3}, "learning_rate is -0.001: expected >= 0"),
        ({"learning_rate": float("inf")}, "learning_rate is inf: expected >= 0"),
        ({"width": -1.0}, "method.width is -1.0: expected a number above 0"),
        ({"width": 0.0}, "method.width is 0.0: expected a number above 0"),
        ({"width": float("nan")}, "method.width is nan: expected a number above 0"),
        ({"width": float("inf")}, "method.width is inf: expected a number above 0"),
        ({"discriminator_width": -2.0}, "discriminator_width is -2.0: expected a number above 0"),
        ({"hidden": 0}, "hidden is 0: expected >= 1"),
        ({"first_moment": 1.0}, "first_moment is 1.0: expected 0 to below 1"),
        ({"comparator_layers": ()}, "comparator_layers names no layer"),
        ({"cosine_decay": True, "halve_at": (5,)}, "expected one way for the learning rates"),
        (
            {"image_weight": 0.0, "feature_weight": 0.0, "adversarial_weight": 0.0},
            "the generator would learn nothing",
        ),
    ],
)
def test_useless_options_are_refused(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        Config(**changes)


def test_crop_and_devices_must_fit(trials, tmp_path):
    with pytest.raises(InputError, match="crop is 64 but the prepared images have 32 pixels"):
        GAN(dataclasses.replace(SMALL, crop=64)).fit(trials, context(tmp_path))
    with pytest.raises(InputError, match="batch_size is 6 on 4 device"):
        config = dataclasses.replace(
            SMALL, batch_size=6, feature_weight=0.0, adversarial_weight=0.0
        )
        GAN(config).fit(trials, context(tmp_path, 4))
    oblong = dataclasses.replace(trials, images=trials.images[:, :, :16])
    with pytest.raises(InputError, match="32 x 16 pixels"):
        GAN(SMALL).fit(oblong, context(tmp_path))


def test_steps_follow_the_data_where_none_are_given(monkeypatch):
    assert [steps_for(rows) for rows in (10, 72, 1_200, 24_000)] == [100, 150, 600, 2_680]
    config = dataclasses.replace(SMALL, n_steps=None)
    assert config.for_rows(72).n_steps == 150 and SMALL.for_rows(72) is SMALL
    assert config.total_steps == steps_for(1_000)

    class Begun(Exception):
        pass

    def looked_at(method, trials):
        raise Begun(method.config.n_steps)

    monkeypatch.setattr(GAN, "_image_shape", looked_at)
    monkeypatch.setattr(method.needs, "check", lambda *_: None)
    monkeypatch.setattr(method, "_needs", lambda *_: None)
    trials = types.SimpleNamespace(fmri=np.zeros((72, 3)))
    with pytest.raises(Begun, match="150"):
        GAN(config).fit(trials, None)
