"""Training from records on disk beside training from the device, at 64 px.

    python -m benchmarks.batches

The same generator takes the same steps on the same batches: first with the trials on the device,
then read ahead by grain from the host's memory, then from records on disk. The three alternate, and
the median of the rounds is printed. Data are random.
"""

import argparse
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.networks import Generator
from fmri_jax.training.batches import Batch, Batches


def make_trials(n: int, voxels: int, stimuli: int) -> Trials:
    rng = np.random.default_rng(0)
    return Trials(
        fmri=rng.standard_normal((n, voxels), np.float32),
        stimulus=rng.integers(0, stimuli, n).astype(np.int32),
        images=rng.integers(0, 256, (stimuli, 64, 64, 3), dtype=np.uint8),
        run=np.zeros(n, np.int32),
        stimulus_names=tuple(map(str, range(stimuli))),
    )


def make_step(voxels: int) -> tuple[Callable, tuple]:
    """One Adam step of a small generator towards the images."""
    generator = Generator(image_size=64, width=0.25, hidden=512)
    params = generator.init(jax.random.key(0), jnp.zeros((1, voxels)))
    optimiser = optax.adam(2e-4)

    @jax.jit
    def step(state: tuple, batch: Batch) -> tuple:
        def loss(params: dict) -> jax.Array:
            return jnp.mean((generator.apply(params, batch.fmri) - batch.images) ** 2)

        params, moments = state
        updates, moments = optimiser.update(jax.grad(loss)(params), moments)
        return optax.apply_updates(params, updates), moments

    return step, (params, optimiser.init(params))


def steps_per_second(step: Callable, state: tuple, batches: Batches, start: int, n: int) -> float:
    jax.block_until_ready(step(state, batches(start)))  # compiled, and the reader has started
    begin = time.perf_counter()
    for t in range(start + 1, start + 1 + n):
        state = step(state, batches(t))
    jax.block_until_ready(state)
    return n / (time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=6000)
    parser.add_argument("--voxels", type=int, default=10000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    trials = make_trials(options.trials, options.voxels, stimuli=1200)
    step, state = make_step(options.voxels)
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:1])
    with tempfile.TemporaryDirectory() as name:
        sources = {
            "on the device": Batches(trials, 64, 0, mesh),
            "host memory": Batches(trials, 64, 0, mesh, device_limit_bytes=0),
            "records on disk": Batches(trials, 64, 0, mesh, 0, pathlib.Path(name)),
        }
        rates: dict[str, list[float]] = {source: [] for source in sources}
        for round_ in range(options.rounds):
            for source, batches in sources.items():
                start = round_ * (options.steps + 1)
                rate = steps_per_second(step, state, batches, start, options.steps)
                rates[source].append(rate)
    device = statistics.median(rates["on the device"])
    for source, values in rates.items():
        rate = statistics.median(values)
        print(f"{source:16} {rate:7.2f} steps per second, {rate / device:.0%} of the device's")


if __name__ == "__main__":
    main()
