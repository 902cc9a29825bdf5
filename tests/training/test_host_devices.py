"""Cores as devices: how many suit a batch, and that a running JAX is left alone."""

import jax
import pytest

from fmri_jax.training.host_devices import suitable, use_cores


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
