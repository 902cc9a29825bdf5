"""Training of priors, on photographs or on what was computed of them: one loop for all."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Hashable
from typing import Any, Protocol

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from fmri_jax.errors import InputError
from fmri_jax.networks import compiler
from fmri_jax.training import loop
from fmri_jax.training.averaging import averaged
from fmri_jax.training.dispatch import several_steps, steps_at_once
from fmri_jax.training.host_memory import keep_freed_memory
from fmri_jax.training.mesh import (
    batch_sharding,
    in_this_process,
    joined,
    own_rows,
    replicate,
)
from fmri_jax.training.sampler import Sampler


class Objective(Hashable, Protocol):
    """What a prior minimises; compared by value, so that equal ones share a compiled step."""

    def initial(self, key: jax.Array) -> Any:
        """Parameters at random."""

    def __call__(
        self, params: Any, batch: Any, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The loss of a batch, and scalars worth watching.

        Args:
            params: as `initial` makes them.
            batch: images (n, h, w, 3) in [0, 1], or what else `train` was told to prepare.
            key: of all that is random.
        """


@dataclasses.dataclass(frozen=True)
class Options:
    """How a prior is trained.

    Attributes:
        n_steps: in all.
        batch_size: photographs in a step, over all devices.
        learning_rate: reached after `warm_up` steps, then falling to zero as half a cosine.
        warm_up: steps.
        weight_decay: decoupled, of AdamW.
        moments: decay of AdamW's two averages.
        largest_gradient: Euclidean norm beyond which a gradient is scaled down.
        skipped_gradient: norm beyond which a step is left out, as Child (2021) does: a very deep
            VAE that takes one of these steps does not recover.
        averaging: decay of the average over steps of the parameters, which is what is kept.
        seed: of first parameters, order of photographs, flips and noise.
        log_every: steps between two lines of the training curve.
        checkpoint_every: steps between two checkpoints.
    """

    n_steps: int = 20_000
    batch_size: int = 32
    learning_rate: float = 6e-4
    warm_up: int = 200
    weight_decay: float = 0.01
    moments: tuple[float, float] = (0.9, 0.99)
    largest_gradient: float = 10.0
    skipped_gradient: float = 400.0
    averaging: float = 0.999
    seed: int = 0
    log_every: int = 100
    checkpoint_every: int = 500

    def optimiser(self) -> optax.GradientTransformation:
        """AdamW (Loshchilov & Hutter 2019) after clipping."""
        rate = optax.warmup_cosine_decay_schedule(
            0.0, self.learning_rate, min(self.warm_up, self.n_steps // 2), self.n_steps
        )
        b1, b2 = self.moments
        return optax.chain(
            optax.clip_by_global_norm(self.largest_gradient),
            optax.adamw(rate, b1=b1, b2=b2, weight_decay=self.weight_decay),
        )


MOST_SKIPPED = 100  # steps in a row: then no step will help


@flax.struct.dataclass
class State:
    """Everything that a killed training needs to resume to the same numbers."""

    step: jax.Array
    key: jax.Array
    params: Any
    average: Any
    optimiser: Any
    skipped: jax.Array  # steps in a row until now


Batches = Callable[[int], Any]
Prepare = Callable[[Any, jax.Array], Any]  # rows of the examples, key -> what an objective takes


def mirrored(photographs: jax.Array, key: jax.Array) -> jax.Array:
    """Photographs uint8 -> images in [0, 1], half of them mirrored."""
    images = photographs.astype(jnp.float32) / 255
    those = jax.random.bernoulli(key, shape=(len(images), 1, 1, 1))
    return jnp.where(those, images[:, :, ::-1], images)


def one_side(arrays: Any, key: jax.Array) -> Any:
    """What was computed of photographs and of their mirror images -> one of the two of each.

    Args:
        arrays: nested dicts of (n, 2, ...).
        key: draws which.

    Returns:
        The same of (n, ...).
    """
    n = len(jax.tree.leaves(arrays)[0])
    those = jax.random.bernoulli(key, shape=(n,))

    def taken(array: jax.Array) -> jax.Array:
        return jnp.where(those.reshape(n, *[1] * (array.ndim - 2)), array[:, 1], array[:, 0])

    return jax.tree.map(taken, arrays)


def train(
    objective: Objective,
    examples: Any,
    options: Options,
    mesh: Mesh,
    workdir: pathlib.Path,
    progress: bool = True,
    prepare: Prepare = mirrored,
    start: Callable[[Any], Any] | None = None,
    fixed: Any = None,
) -> Any:
    """Trains a prior, resuming from the latest checkpoint in `workdir` if there is one.

    Args:
        objective: what is minimised.
        examples: photographs (n, size, size, 3) uint8, or nested dicts of arrays of n rows.
        options: see `Options`.
        mesh: the devices, of all processes that train together; each takes its share of a batch.
        workdir: holds checkpoints and training curves.
        progress: whether to draw a progress bar.
        prepare: from rows of the examples to a batch, on the devices; a function of a module,
            since the step is compiled for it.
        start: from parameters at random to those that training begins with.
        fixed: parameters of other networks, which a batch (then a dict) holds as "fixed".

    Returns:
        The parameters' average over steps.

    Raises:
        InputError: the batch cannot be divided among the devices.
        NotFiniteError: training diverged, or takes no steps any more.
    """
    check_batch(options, mesh)
    state = _start(objective, options)
    if start is not None:
        begun = start(state.params)
        state = state.replace(params=begun, average=jax.tree.map(jnp.copy, begun))
    state = replicate(state, mesh)
    step = _steps(objective, options, prepare)
    beside = [] if fixed is None else [replicate(fixed, mesh)]
    batches = _batches(examples, options, mesh)

    def steps(state: State, batches: Any) -> tuple[State, dict[str, jax.Array]]:
        return step(state, batches, *beside)

    final = loop.train(steps, state, batches, loop_options(options, progress), workdir)
    return in_this_process(replicate(final.average, mesh))


def check_batch(options: Options, mesh: Mesh) -> None:
    """Rejects a batch that the devices cannot share, and readies the host's memory for steps.

    Raises:
        InputError: the batch cannot be divided among the devices.
    """
    devices = mesh.shape["data"]
    if options.batch_size < 1 or options.batch_size % devices:
        raise InputError(
            f"batch_size is {options.batch_size} on {devices} device(s): expected a positive "
            f"multiple of {devices}."
        )
    if mesh.devices.flat[0].platform == "cpu":
        keep_freed_memory()


def loop_options(options: Options, progress: bool) -> loop.LoopOptions:
    """What the loop has to know of a training's options."""
    return loop.LoopOptions(
        n_steps=options.n_steps,
        log_every=options.log_every,
        checkpoint_every=options.checkpoint_every,
        show=("loss",),
        progress=progress,
        steps_per_dispatch=steps_at_once(10),
    )


def _batches(examples: Any, options: Options, mesh: Mesh) -> Batches:
    """The rows of each step, split over the mesh; the examples stay on the host."""
    n = len(jax.tree.leaves(examples)[0])
    sampler = Sampler(options.seed, n, options.batch_size)
    sharding, size = batch_sharding(mesh), options.batch_size
    share = own_rows(sharding, size)

    def batch(step: int) -> Any:
        rows = sampler(step)[share]
        return jax.tree.map(lambda array: joined(array[rows], sharding, size), examples)

    return batch


@functools.partial(jax.jit, static_argnums=(0, 1))
def _start(objective: Objective, options: Options) -> State:
    first, later = jax.random.split(jax.random.key(options.seed, impl="rbg"))
    params = objective.initial(first)
    return State(
        step=jnp.array(0),
        key=later,
        params=params,
        average=jax.tree.map(jnp.copy, params),
        optimiser=options.optimiser().init(params),
        skipped=jnp.array(0),
    )


@functools.lru_cache(maxsize=4)
def _steps(objective: Objective, options: Options, prepare: Prepare) -> Any:
    """Jitted steps over a tuple of batches, the state donated."""
    optimiser = options.optimiser()

    def step(state: State, rows: Any, fixed: Any = None) -> tuple[State, dict[str, jax.Array]]:
        flips, noise = jax.random.split(jax.random.fold_in(state.key, state.step))
        batch = prepare(rows, flips)
        batch = batch if fixed is None else {**batch, "fixed": fixed}
        (loss, terms), gradients = jax.value_and_grad(objective, has_aux=True)(
            state.params, batch, noise
        )
        norm = optax.global_norm(gradients)
        taken = norm < options.skipped_gradient  # false of nan, too
        updates, changed = optimiser.update(gradients, state.optimiser, state.params)
        updated: Any = optax.apply_updates(state.params, updates)
        params, moments = jax.tree.map(
            lambda new, old: jnp.where(taken, new, old),
            (updated, changed),
            (state.params, state.optimiser),
        )
        average = averaged(state.average, params, options.averaging, state.step)
        terms = {"loss": loss, **terms, "gradient": norm}
        in_a_row = jnp.where(taken, 0, state.skipped + 1)
        # What a skipped step computed may be nan, at which the loop would stop: it is shown as
        # nothing, until so many follow each other that stopping is right.
        instead = jnp.where(in_a_row > MOST_SKIPPED, jnp.nan, 0.0)
        terms = jax.tree.map(lambda value: jnp.where(taken, value, instead), terms)
        terms["skipped"] = 1.0 - taken
        return State(state.step + 1, state.key, params, average, moments, in_a_row), terms

    return jax.jit(several_steps(step), donate_argnums=0, compiler_options=compiler.options())
