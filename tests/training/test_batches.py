import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.errors import InputError
from fmri_jax.training.batches import Batches, _gather, random_crop
from fmri_jax.training.sampler import Sampler


def mesh_of(n_devices: int) -> Mesh:
    return jax.make_mesh(
        (n_devices,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:n_devices]
    )


@pytest.fixture
def trials() -> Trials:
    """22 trials of images 2..6 out of 8."""
    rng = np.random.default_rng(0)
    return Trials(
        fmri=rng.normal(size=(22, 5)).astype(np.float32),
        stimulus=rng.permuted(np.arange(22) % 5 + 2).astype(np.int32),
        images=rng.integers(0, 256, (8, 6, 6, 3), dtype=np.uint8),
        run=np.zeros(22, np.int32),
        stimulus_names=tuple(map(str, range(8))),
    )


def test_batches_show_each_trial_with_its_image(trials: Trials) -> None:
    batches = Batches(trials, batch_size=22, seed=1, mesh=mesh_of(1))
    batch = batches(5)
    rows = [int(np.flatnonzero((trials.fmri == row).all(axis=1))[0]) for row in batch.fmri]
    assert sorted(rows) == list(range(22)) != rows
    assert batch.images.dtype == jnp.float32
    np.testing.assert_allclose(batch.images, trials.targets()[rows], atol=1e-7)
    assert batches.steps_per_epoch == 1
    assert batches.resident is not None and len(batches.resident.images) == 5  # those shown


def test_the_batch_depends_on_seed_and_step_alone(trials: Trials) -> None:
    first, again = (Batches(trials, 4, seed=1, mesh=mesh_of(1)) for _ in range(2))
    forward = [np.asarray(first(t).fmri) for t in range(9)]
    for t in (7, 3, 8):
        np.testing.assert_array_equal(again(t).fmri, forward[t])
    other = Batches(trials, 4, seed=2, mesh=mesh_of(1))
    assert any((np.asarray(other(t).fmri) != forward[t]).any() for t in range(9))


def test_the_device_compiles_one_gather(trials: Trials) -> None:
    batches = Batches(trials, 4, seed=1, mesh=mesh_of(4))
    before = _gather._cache_size()
    expected = Sampler(1, 22, 4)(70)
    np.testing.assert_array_equal(batches(70).fmri, trials.fmri[expected])
    for step in (0, 63, 64, 2**31 - 2):
        batches(step)
    assert _gather._cache_size() == before + 1


def test_four_devices_see_the_batch_of_one(trials: Trials) -> None:
    one = Batches(trials, 8, seed=1, mesh=mesh_of(1))
    four = Batches(trials, 8, seed=1, mesh=mesh_of(4))
    for t in range(4):
        for a, b in zip(one(t), four(t), strict=True):
            np.testing.assert_array_equal(a, b)
            assert b.sharding.spec[0] == "data"
            assert {shard.data.shape[0] for shard in b.addressable_shards} == {2}


@pytest.mark.parametrize(("n_devices", "on_disk"), [(1, False), (4, False), (4, True)])
def test_the_host_reads_the_same_batches_where_the_device_is_too_small(
    trials: Trials, tmp_path: Path, n_devices: int, on_disk: bool
) -> None:
    mesh = mesh_of(n_devices)
    resident = Batches(trials, 8, seed=1, mesh=mesh)
    records = tmp_path / "records" if on_disk else None
    host = Batches(trials, 8, seed=1, mesh=mesh, device_limit_bytes=100, records=records)
    assert host.resident is None
    for t in (0, 1, 2, 3, 7, 8, 2, 1_000_000, 1_000_001):
        for a, b in zip(resident(t), host(t), strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.sharding.is_equivalent_to(b.sharding, a.ndim)


def test_records_are_written_only_where_the_device_is_too_small(
    trials: Trials, tmp_path: Path
) -> None:
    Batches(trials, 8, seed=1, mesh=mesh_of(1), records=tmp_path / "a")
    assert not (tmp_path / "a").exists()
    small = {"seed": 1, "mesh": mesh_of(1), "device_limit_bytes": 0}
    for _ in range(2):  # a second run replaces what the first left
        batches = Batches(trials, 22, records=tmp_path / "a", **small)
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [
        "fmri.array_record",
        "images.array_record",
    ]
    first = np.sort(np.asarray(batches(0).fmri), axis=0)
    np.testing.assert_array_equal(first, np.sort(trials.fmri, axis=0))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written .*room for 1 MiB"):
        Batches(trials, 4, records=tmp_path / "file" / "inside", **small)


def test_a_process_that_read_ahead_can_end() -> None:
    code = """
import numpy as np, jax
from fmri_jax.data.preparation.folds import Trials
from fmri_jax.training.batches import Batches
z = np.zeros
trials = Trials(z((9, 4), 'f4'), z(9, 'i4'), z((1, 8, 8, 3), 'u1'), z(9, 'i4'), ('a',))
mesh = jax.make_mesh((1,), ('data',), axis_types=(jax.sharding.AxisType.Auto,))
batches = Batches(trials, 4, 0, mesh, device_limit_bytes=0)
print(batches(0).fmri.shape)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["(4,", "4)"]


def test_a_batch_that_cannot_be_divided_is_rejected(trials: Trials) -> None:
    with pytest.raises(InputError, match=r"batch_size is 6 on 4 device\(s\): .* such as 4"):
        Batches(trials, 6, seed=0, mesh=mesh_of(4))
    with pytest.raises(InputError, match="batch_size is 0"):
        Batches(trials, 0, seed=0, mesh=mesh_of(1))


def test_random_crops_are_windows_at_offsets_of_their_own() -> None:
    # The pixel's value is its position, so a crop tells where it was cut.
    rows, columns = np.indices((12, 15))
    images = jnp.asarray(np.broadcast_to(np.stack([rows, columns], -1), (400, 12, 15, 2)))
    crops = np.asarray(jax.jit(random_crop, static_argnums=2)(jax.random.key(0), images, 9))
    assert crops.shape == (400, 9, 9, 2)
    offsets = crops[:, 0, 0]
    np.testing.assert_array_equal(crops[:, -1, -1], offsets + 8)
    assert set(offsets[:, 0]) == set(range(4)) and set(offsets[:, 1]) == set(range(7))
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 0.2
    with pytest.raises(InputError, match="cannot crop 13 px squares from images of 12 x 15 px"):
        random_crop(jax.random.key(0), images, 13)
