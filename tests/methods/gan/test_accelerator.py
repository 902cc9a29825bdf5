"""The step that GPUs run computes what the step that CPUs run computes (here both on the CPU)."""

import dataclasses

import jax
import numpy as np
import pytest

from benchmarks.communication import bytes_by_collective
from fmri_jax.methods.gan.step import jitted
from fmri_jax.networks.conv import gpu
from fmri_jax.training.mesh import batch_sharding, make_mesh, replicate


def two_steps(setting):
    """Metrics of two steps, and the program; traced anew, as a cache knows no pretended GPU."""
    step = jitted.__wrapped__(setting.step)
    state, *rest = setting.arguments()
    program = step.lower(state, *rest).as_text()
    found = []
    for _ in range(2):
        state, metrics = step(state, *rest)
        found.append({name: float(value) for name, value in metrics.items()})
    return found, program


def test_the_step_of_a_gpu_gives_the_numbers_of_a_cpu(setting, monkeypatch):
    """Without dropout: which units it drops depends on whether both images pass at once."""
    expected, on_cpu = two_steps(without_dropout(setting()))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    found, on_gpu = two_steps(without_dropout(setting()))
    assert on_gpu.count("stablehlo.convolution") < on_cpu.count("stablehlo.convolution")
    assert last_doubling(on_gpu, "f32") and not last_doubling(on_cpu, "f32")
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            np.testing.assert_allclose(ours[name], value, rtol=1e-3, err_msg=name)


def without_dropout(setting):
    networks = setting.step.networks
    critic = networks.discriminator.clone(dropout=0.0)
    step = dataclasses.replace(
        setting.step, networks=dataclasses.replace(networks, discriminator=critic)
    )
    return dataclasses.replace(setting, step=step)


def last_doubling(program: str, dtype: str) -> bool:
    """Whether it has blocks of 2 x 2 pixels of 4 channels, which only the form for GPUs has."""
    return f"x2x2x4x{dtype}>" in program


@pytest.mark.parametrize(("enough", "most"), [(0, 1.05), (gpu.ENOUGH, 1.6)])
def test_on_several_devices_gradients_alone_are_sent(setting, monkeypatch, enough, most):
    """Each device sees its own trials, and the discriminator's gradients are sent once.

    A little more than the gradients: those of kernels in blocks are sent with what fills these up,
    and more in networks as narrow as this one, where nearly all kernels are of pairs of pixels.
    """
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(gpu, "ENOUGH", enough)
    small, mesh = setting(), make_mesh(4)
    state, batch, *rest = small.arguments()
    arguments = (replicate(state, mesh), jax.device_put(batch, batch_sharding(mesh)))
    step = jax.jit(lambda *arguments: small.step(*arguments))
    program = step.lower(*arguments, *replicate(rest, mesh)).compile().as_text()
    sent = bytes_by_collective(program)
    players = (state.generator.params, state.discriminator.params)
    gradients = sum(leaf.nbytes for leaf in jax.tree.leaves(players))
    assert sent.keys() == {"all-reduce"}
    assert 0.98 * gradients < sent["all-reduce"] < most * gradients


@pytest.mark.parametrize(
    "options", [{}, {"update": "alternating", "feature_weight": 0.0}], ids=["all", "alternating"]
)
def test_bfloat16_on_a_gpu_stays_near_float32(setting, monkeypatch, options):
    expected, _ = two_steps(without_dropout(setting(**options)))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    found, program = two_steps(without_dropout(setting(**options, dtype="bfloat16")))
    assert last_doubling(program, "bf16")
    for name, value in expected[0].items():
        np.testing.assert_allclose(found[0][name], value, rtol=0.05, err_msg=name)
