"""Several devices: what a step sends, and a state that is split over them."""

import dataclasses
import json
import math
import re

import chex
import jax
import numpy as np
import pytest

from benchmarks.communication import bytes_by_collective
from fmri_jax.methods import RunContext
from fmri_jax.methods.gan.method import GAN
from fmri_jax.methods.gan.step import jitted
from fmri_jax.training import loop
from fmri_jax.training.mesh import batch_sharding, make_mesh, replicate
from tests.methods.gan.conftest import SMALL, build_setting, random_trials


def n_bytes(tree) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


@pytest.fixture(scope="module")
def compiled():
    """The small step on four devices: its state, and the text of its program."""
    small, mesh = build_setting(random_trials()), make_mesh(4)
    state, batch, *rest = small.arguments()
    arguments = (replicate(state, mesh), jax.device_put(batch, batch_sharding(mesh)))
    return state, jitted(small.step).lower(*arguments, *replicate(rest, mesh)).compile().as_text()


def test_a_step_sends_its_gradients_and_five_scalars(compiled):
    """The discriminator learns from two passes, and XLA sums each over the devices by itself."""
    state, program = compiled
    fixed = [layer["bias"] for name, layer in state.generator.params.items() if "conv" in name]
    generator = n_bytes(state.generator.params) - n_bytes(fixed)
    discriminator = n_bytes(state.discriminator.params)
    losses = 5 * 4
    assert bytes_by_collective(program) == {"all-reduce": generator + 2 * discriminator + losses}


def test_no_weights_or_data_are_constants_of_the_compiled_program(compiled):
    constants = re.findall(r"= \w+\[([\d,]*)\]\S* constant\(", compiled[1])
    assert len(constants) > 10
    sizes = [math.prod(int(side) for side in shape.split(",") if side) for shape in constants]
    assert max(sizes) <= 1000, "the step holds an array: frozen weights and data are arguments"


def test_collectives_are_read_from_a_program():
    program = """
  %all-reduce.1 = (f32[3,4]{1,0}, bf16[10]{0}, /*index=2*/pred[7]{0}) all-reduce(%a, %b, %c), x={}
  %ag = s32[8]{0} all-gather-start(%d), dimensions={0}
  %done = s32[8]{0} all-gather-done(%ag)
  ROOT %r = f32[] all-reduce(%e), to_apply=%all-reduce-scalars
"""
    assert bytes_by_collective(program) == {"all-reduce": 48 + 20 + 7 + 4, "all-gather": 32}


def test_dense_layers_split_over_two_devices_learn_the_same_in_half_the_memory(
    trials, tmp_path, monkeypatch
):
    """At the published sizes dense layers are 94 % of the parameters; here they are made so."""
    states, curves, images = [], [], []

    def recorded(*arguments):
        states.append(train(*arguments))
        return states[-1]

    train = loop.train
    monkeypatch.setattr(loop, "train", recorded)
    for sharded in (False, True, True):  # the last one restores what the second one saved
        workdir = tmp_path / str(sharded)
        config = dataclasses.replace(
            SMALL, n_steps=2, hidden=512, feature_weight=0.0, shard_dense=sharded
        )
        context = RunContext(workdir, "all", jax.random.key(3), make_mesh(2), progress=False)
        images.append(GAN(config).fit(trials, context).reconstruct(trials.fmri[:3]))
        lines = (workdir / "metrics.jsonl").read_text().splitlines()
        curves.append([dict(json.loads(line), fold=0, crc32=0) for line in lines])
    whole, split, restored = (on_one_device(state.generator) for state in states)
    assert split < 0.6 * whole and restored == split
    chex.assert_trees_all_close(curves[1], curves[0], rtol=1e-4)
    np.testing.assert_allclose(images[1], images[0], atol=1e-3)
    chex.assert_trees_all_equal(states[1].generator, states[2].generator)


def on_one_device(tree) -> int:
    return sum(leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(tree))
