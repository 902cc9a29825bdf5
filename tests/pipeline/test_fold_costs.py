"""What folds are said to take, before the first fit, against what fits leave and count."""

import dataclasses
import types

import jax
import numpy as np
import pytest

from fmri_jax import methods
from fmri_jax.methods.costs import Cost, FoldSize
from fmri_jax.methods.gan.method import GAN
from fmri_jax.methods.gan.method import Config as GANConfig
from fmri_jax.pipeline import fold_costs
from fmri_jax.pipeline.experiment_config import default_config, read
from fmri_jax.training import operations

SIZE = FoldSize(rows=90, stimuli=30, voxels=50, pictured=8, image=(16, 16, 3))


def trials(n: int, stimuli: int) -> types.SimpleNamespace:
    """As many as `SIZE` says."""
    rng = np.random.default_rng(0)
    return types.SimpleNamespace(
        fmri=rng.standard_normal((n, SIZE.voxels)).astype(np.float32),
        stimulus=np.arange(n, dtype=np.int32) % stimuli,
        images=rng.integers(0, 256, (stimuli, *SIZE.image), np.uint8),
    )


def options(method: str = "ridge", **chosen):
    config = default_config(method, "virtual_subject").to_dict()
    config["evaluation"]["perceptual"] = False
    config["method"].update(chosen)
    return read(config)


def test_ridge_keeps_the_disk_that_it_is_said_to_take(tmp_path):
    fitted = methods.package("ridge").build(methods.package("ridge").Config())
    context = types.SimpleNamespace(workdir=tmp_path, progress=False)
    arrays, _ = fitted.fit(trials(SIZE.rows, SIZE.stimuli), context).state()
    kept = sum(array.nbytes for array in arrays.values())
    cost = methods.cost("ridge", methods.package("ridge").Config(), SIZE)
    assert cost.disk == pytest.approx(kept, rel=0.05)


def test_the_gan_keeps_its_generator_and_a_checkpoint_with_moments():
    config = GANConfig(width=0.1, hidden=32, discriminator_width=0.1, feature_weight=0, n_steps=7)
    gan = GAN(config)
    given = types.SimpleNamespace(
        images=np.zeros((1, *SIZE.image), np.uint8), fmri=np.zeros((1, SIZE.voxels), np.float32)
    )
    networks = gan.networks(16, 3)
    state = jax.eval_shape(lambda: gan.initial_state(networks, given, jax.random.key(0)))
    n_bytes = [
        sum(leaf.size * 4 for leaf in jax.tree.leaves(part))
        for part in (state.generator.params, (state.generator, state.discriminator))
    ]
    cost = methods.cost("gan", config, SIZE)
    assert cost.disk == pytest.approx(sum(n_bytes), rel=0.05)
    twice = methods.cost("gan", dataclasses.replace(config, n_steps=14), SIZE)
    once = cost.operations
    assert twice.operations - once == pytest.approx(once, rel=0.05)  # but for reconstructions


def test_local_decoders_keep_a_decoder_per_element_and_their_sum():
    """10 x 10 pixels in rectangles of up to 2 x 2: 361 of them; their 20 folds took 31.1 MB."""
    local = methods.package("local_decoders")
    figures = FoldSize(rows=114, stimuli=19, voxels=967, pictured=9, image=(10, 10, 1))
    cost = methods.cost("local_decoders", local.Config(), figures)
    assert cost.disk == 4 * 361 * (967 + 100) == pytest.approx(31.1e6 / 20, rel=0.02)
    assert methods.cost("local_decoders", local.Config(decoder="bayesian_ridge"), figures) is None


def test_feature_decoding_takes_what_the_network_does_in_each_step():
    """Taps of each output of AlexNet's kernels that meet the image, along one axis, at 64 px."""
    axes = [9 + 13 * 11 + 10, 3 + 4 + 3 * 5 + 4 + 3, *3 * [2 + 3 + 2]]
    channels = [3 * 64, 64 * 192, 192 * 384, 384 * 256, 256 * 256]
    forwards = 2 * sum(taps**2 * wide for taps, wide in zip(axes, channels, strict=True))
    package = methods.package("feature_decoding")

    def operations_of(side, **changes):
        size = SIZE._replace(image=(side, side, 3))
        cost = methods.cost("feature_decoding", package.Config(n_steps=10, **changes), size)
        return cost and cost.operations

    rendered = 2 * SIZE.pictured
    assert operations_of(64) == pytest.approx(3 * 10 * rendered * forwards, rel=0.01)
    assert operations_of(20) == operations_of(31)  # smaller images are shown enlarged
    assert operations_of(64, n_voxels=10) is None


def test_choosing_among_methods_takes_each_on_inner_folds_and_one_more():
    one = methods.cost("ridge", methods.package("ridge").Config(), SIZE)
    both = methods.cost("best", methods.package("best").Config(), SIZE)
    assert both.disk == one.disk and 2 * one.operations < both.operations < 7 * one.operations


def test_an_estimate_that_fails_ends_no_run(monkeypatch):
    def counted(*_):
        raise jax.errors.JaxRuntimeError("no cost analysis on this platform")

    monkeypatch.setattr(operations, "of_network", counted)
    fold = types.SimpleNamespace(train=trials(90, 30), tests={"test": trials(6, 6)})
    assert "at least" in fold_costs.of_run(options("gan"), fold, 10, 2)


def test_time_and_disk_of_all_folds_are_said_with_the_cure(monkeypatch):
    monkeypatch.setattr(operations, "per_second", lambda: 1e9)
    minute = Cost(operations=59e9, disk=2**20)
    assert fold_costs.seconds(minute, 10) == pytest.approx(630)
    monkeypatch.setattr(methods, "cost", lambda name, *_: minute if name == "gan" else Cost(0, 0))
    fold = types.SimpleNamespace(train=trials(90, 30), tests={"test": trials(6, 6)})
    said = fold_costs.of_run(options("gan"), fold, 10, 2)
    images = 10 * 8 * 4 * 4 * 16 * 16 * 3 / 2**20  # folds, rows, images each, float32
    assert "10 folds, and as many fits" in said and "--config.preparation.n_folds=" in said
    assert f"about 10 min here and {int(np.ceil(10 + images))} MiB on disk" in said


def test_a_method_that_cannot_tell_says_so_and_the_room_for_images(monkeypatch):
    monkeypatch.setattr(methods, "cost", lambda *_: None)
    fold = types.SimpleNamespace(train=trials(90, 30), tests={"test": trials(6, 6)})
    assert "at least 1 MiB on disk; time and disk are reported after the first" in (
        fold_costs.of_run(options(), fold, 10, 2)
    )
