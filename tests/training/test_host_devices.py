"""Cores as devices: how many suit a batch, and that a running JAX is left alone."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from fmri_jax.training.host_devices import suitable, use_cores
from fmri_jax.training.mesh import for_solving, make_mesh


@pytest.mark.parametrize(
    "batch_size, available, expected",
    [(32, 2, 2), (32, 64, 8), (32, 6, 4), (30, 4, 3), (4, 16, 1), (1, 8, 1), (32, 1, 1)],
)
def test_a_batch_is_shared_equally_by_not_too_many(batch_size, available, expected):
    assert suitable(batch_size, available) == expected


def test_a_process_that_uses_jax_keeps_its_devices(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")
    before = jax.devices()
    use_cores(32, 3)
    assert jax.devices() == before


def test_solvers_take_one_device_of_a_cpu_and_all_others():
    cores = make_mesh(2)
    assert for_solving(cores) is None and for_solving(make_mesh(1)) is None
    gpus = SimpleNamespace(size=2, devices=np.array([SimpleNamespace(platform="gpu")] * 2))
    assert for_solving(gpus) is gpus
