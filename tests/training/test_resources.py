"""A training for which there is no room is rejected before its first step, with numbers."""

import collections
import shutil

import jax
import jax.numpy as jnp
import pytest

from fmri_jax.errors import InputError
from fmri_jax.training import resources

Usage = collections.namedtuple("Usage", "total used free")
STATE = {"w": jnp.zeros(2**18), "key": jax.random.key(0), "none": None}  # 1 MiB


def test_too_little_disk_is_rejected_and_enough_is_not(tmp_path, monkeypatch):
    workdir = tmp_path / "not/there/yet"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2**40, 0, 4 * 2**20))
    resources.check(STATE, workdir)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2**40, 0, 2**20 + 99))
    with pytest.raises(InputError, match="has 0.0 GiB of room: expected 0.0 GiB for checkpoints"):
        resources.check(STATE, workdir)
    for step in (5, 10):
        (workdir / str(step)).mkdir(parents=True)
    resources.check(STATE, workdir)  # room for one more


@pytest.mark.parametrize("limit", [2**20, 2**22])
def test_a_device_that_is_too_small_is_rejected(tmp_path, monkeypatch, limit):
    class Device:
        def memory_stats(self):
            return {"bytes_limit": limit}

    monkeypatch.setattr(jax, "local_devices", lambda: [Device()])
    if limit < 2 * 2**20:
        with pytest.raises(InputError, match="more than 0.0 GiB of each device, which has 0.0 GiB"):
            resources.check(STATE, tmp_path)
    else:
        resources.check(STATE, tmp_path)
