"""The step that GPUs run computes what the step that CPUs run computes (here both on the CPU)."""

import jax
import numpy as np
import pytest


def two_steps(setting):
    """Metrics of two steps, and the program; traced anew, as a cache knows no pretended GPU."""
    step = jax.jit(lambda *arguments: setting.step(*arguments))
    state, *rest = setting.arguments()
    program = step.lower(state, *rest).as_text()
    found = []
    for _ in range(2):
        state, metrics = step(state, *rest)
        found.append({name: float(value) for name, value in metrics.items()})
    return found, program


def test_the_step_of_a_gpu_gives_the_numbers_of_a_cpu(setting, monkeypatch):
    """Dropout included: both draw the same units to drop."""
    expected, on_cpu = two_steps(setting())
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    found, on_gpu = two_steps(setting())
    assert on_gpu.count("stablehlo.convolution") < on_cpu.count("stablehlo.convolution")
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            np.testing.assert_allclose(ours[name], value, rtol=1e-3, err_msg=name)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_bfloat16_on_a_gpu_stays_near_float32(setting, monkeypatch, update):
    expected, _ = two_steps(setting(update=update))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    found, program = two_steps(setting(update=update, dtype="bfloat16"))
    assert "tensor<3x3x" in program and "xbf16>" in program
    for name, value in expected[0].items():
        np.testing.assert_allclose(found[0][name], value, rtol=0.05, err_msg=name)
