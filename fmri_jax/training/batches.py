"""Training batches: a pure function of (seed, step).

The trials of step t follow from the seed and t alone (see `sampler`), so a resumed run sees the
batches that it would have seen, and there is no position to store.

Where the trials fit they live on the device, as uint8 images and one index per trial, and a batch
is a gather there. Where they do not, `grain` reads ahead on the host, in the same order, from
memory or from records on disk; of several processes each reads its devices' share of a batch.
"""

import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.errors import InputError
from fmri_jax.training.array_record import RecordRows, write_rows
from fmri_jax.training.mesh import joined, own_rows, put, together
from fmri_jax.training.sampler import Sampler

DEVICE_LIMIT = 4 * 2**30  # bytes of trials that a device holds; more stay on the host
_READ_AHEAD = 8  # batches that the host keeps ready
_READING_THREADS = 4
_ENDLESS = 2**31 - 1  # steps


class Batch(NamedTuple):
    """What one training step learns from."""

    fmri: jax.Array  # (batch, voxels) float32, standardised
    images: jax.Array  # (batch, height, width, channels) float32 in [0, 1]
    stimulus: jax.Array  # (batch,) int32: which of the images shown in training, in their order


def random_crop(key: jax.Array, images: jax.Array, size: int) -> jax.Array:
    """Cuts a square out of each image, at an integer offset of its own.

    Args:
        key: typed key.
        images: (n, height, width, channels).
        size: px, side of the square; 227 from 248 px images in Shen et al. (2019).

    Returns:
        (n, size, size, channels).

    Raises:
        InputError: the images are smaller than `size`.
    """
    n, height, width, channels = images.shape
    if size > min(height, width):
        raise InputError(
            f"cannot crop {size} px squares from images of {height} x {width} px: expected larger "
            "images; raise the prepared image size or lower the crop."
        )
    limits = jnp.asarray([height - size + 1, width - size + 1])
    offsets = jax.random.randint(key, (n, 2), 0, limits)

    def cut(image: jax.Array, offset: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(image, (offset[0], offset[1], 0), (size, size, channels))

    return jax.vmap(cut)(images, offsets)


@flax.struct.dataclass
class ResidentTrials:
    """Trials on the device, a copy on each device of the mesh; a pytree, so an argument of a step.

    Attributes:
        fmri: (trials, voxels) float32.
        stimulus: (trials,) int32, index into `images`.
        images: (stimuli, height, width, channels) uint8.
        sharding: of a batch, its first axis split over the mesh.
    """

    fmri: jax.Array
    stimulus: jax.Array
    images: jax.Array
    sharding: NamedSharding = flax.struct.field(pytree_node=False)

    def batch(self, trials: jax.Array) -> Batch:
        """The batch of those trials, (batch,) int32 indices; works inside `jit`."""
        # With the indices split over the mesh, each device gathers its own rows from its own copy.
        trials = jax.lax.with_sharding_constraint(trials, self.sharding)
        stimulus = self.stimulus[trials]
        images = as_unit_range(self.images[stimulus])
        return _shard(Batch(self.fmri[trials], images, stimulus), self.sharding)


def as_unit_range(images: jax.Array) -> jax.Array:
    """uint8 images as float32 in [0, 1]."""
    return images.astype(jnp.float32) / 255


class Batches:
    """The batches of a training run: `batches(t)` is the batch of step t.

    Attributes:
        resident: the trials on the device; None where they exceed the limit and the host reads
            ahead instead.
        steps_per_epoch: steps in which every trial is seen once, rounded up.
    """

    def __init__(
        self,
        trials: Trials,
        batch_size: int,
        seed: int,
        mesh: Mesh,
        device_limit_bytes: int = DEVICE_LIMIT,
        records: pathlib.Path | None = None,
    ):
        """Places the trials.

        Args:
            trials: training trials.
            batch_size: trials in a batch, over all devices of the mesh.
            seed: of the order of the trials.
            mesh: a mesh with an axis "data".
            device_limit_bytes: trials that take more stay on the host.
            records: folder to which such trials are written, and from which they are read, so that
                `trials` need not stay in memory; None keeps them there.

        Raises:
            InputError: the batch cannot be divided among the devices, or `records` cannot be
                written.
        """
        devices = mesh.shape["data"]
        if batch_size < 1 or batch_size % devices:
            raise InputError(
                f"batch_size is {batch_size} on {devices} device(s): expected a positive multiple "
                f"of {devices}, such as {max(1, batch_size // devices) * devices}."
            )
        self._sampler = Sampler(seed, len(trials.stimulus), batch_size)
        self._sharding = NamedSharding(mesh, PartitionSpec("data"))
        self.batch_size = batch_size
        self.steps_per_epoch = -(-len(trials.stimulus) // batch_size)
        shown, stimulus = np.unique(trials.stimulus, return_inverse=True)
        images = trials.images if len(shown) == len(trials.images) else trials.images[shown]
        arrays = (trials.fmri, stimulus.astype(np.int32), images)
        self.resident: ResidentTrials | None = None
        if sum(array.nbytes for array in arrays) <= device_limit_bytes:
            everywhere = NamedSharding(mesh, PartitionSpec())
            fmri, stimulus, images = put(arrays, everywhere)
            self.resident = ResidentTrials(fmri, stimulus, images, self._sharding)
        else:
            rows: Rows = (trials.fmri, images)
            if records is not None:
                rows = (
                    _on_disk(trials.fmri, records / "fmri.array_record"),
                    _on_disk(images, records / "images.array_record"),
                )
            share = own_rows(self._sharding, batch_size)
            self._host = _HostTrials(rows, arrays[1], self._sampler, share)
            self._next_step, self._reader = 0, self._read_from(0)

    def __call__(self, step: int) -> Batch:
        """The batch of step `step` (from 0), split over the mesh; steps in sequence are fastest."""
        if self.resident is not None:
            return _gather(self.resident, self._sampler(step))
        if step != self._next_step:
            self._reader = self._read_from(step)
        self._next_step = step + 1
        rows = next(self._reader)
        fmri, images, stimulus = (joined(array, self._sharding, self.batch_size) for array in rows)
        return Batch(fmri, _on_device_as_unit_range(images), stimulus)

    def _read_from(self, step: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Reads ahead in threads, from a step on."""
        import grain  # slow to import, and needed by large data only

        options = grain.ReadOptions(num_threads=_READING_THREADS, prefetch_buffer_size=_READ_AHEAD)
        return iter(grain.MapDataset.source(self._host)[step:].to_iter_dataset(options))


Rows = tuple[np.ndarray | RecordRows, np.ndarray | RecordRows]  # responses and images, by index


def _on_disk(array: np.ndarray, path: pathlib.Path) -> RecordRows:
    """The rows of an array as records, which one of several processes writes for all."""
    if jax.process_index() == 0:
        write_rows(array, path)
    together()
    return RecordRows(path, array.shape, array.dtype)


class _HostTrials:
    """A random-access source of batches for grain: item t is the batch of step t, on the host."""

    def __init__(self, rows: Rows, stimulus: np.ndarray, sampler: Sampler, share: slice):
        self.fmri, self.images = rows
        self.stimulus, self.sampler, self.share = stimulus, sampler, share

    def __len__(self) -> int:
        return _ENDLESS

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        trials = self.sampler(step)[self.share]
        stimulus = self.stimulus[trials]
        return self.fmri[trials], self.images[stimulus], stimulus


@jax.jit
def _gather(resident: ResidentTrials, trials: np.ndarray) -> Batch:
    return resident.batch(jnp.asarray(trials))


_on_device_as_unit_range = jax.jit(as_unit_range)


def _shard(batch: Batch, sharding: NamedSharding) -> Batch:
    return Batch(*(jax.lax.with_sharding_constraint(array, sharding) for array in batch))
