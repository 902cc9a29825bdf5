"""Finding the image whose layers match: gradient descent on pixels, latents or a network's weights.

All images of a block are optimised at once, each with an optimiser state of its own, one compiled
step after the other. The image that is returned had the lowest loss.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax

from fmri_jax.arrays import of_own_types
from fmri_jax.methods.feature_decoding.canvases import Canvas
from fmri_jax.methods.feature_decoding.config import Config
from fmri_jax.methods.feature_decoding.objective import OF_EACH, Objective, shift
from fmri_jax.networks import compiler

STEPS_PER_REPORT = 20


@flax.struct.dataclass
class Progress:
    """Where the optimisation stands; every array has the images as its first axis."""

    step: jax.Array
    variables: Any
    optimiser: Any
    best: jax.Array  # images of the lowest loss
    lowest: jax.Array  # (n,)


class Descent(NamedTuple):
    """The options that the compiled program depends on; the same names as in `Config`."""

    optimiser: str
    n_steps: int
    learning_rate: float
    final_learning_rate: float
    jitter: int


def optimiser_of(config: Descent) -> optax.GradientTransformationExtraArgs:
    """The optimiser that the options name; it sees one image."""
    rate = optax.linear_schedule(config.learning_rate, config.final_learning_rate, config.n_steps)
    if config.optimiser == "adam":
        return optax.with_extra_args_support(optax.adam(rate))
    if config.optimiser == "lbfgs":
        return optax.lbfgs(linesearch=optax.scale_by_zoom_linesearch(max_linesearch_steps=20))
    return optax.with_extra_args_support(
        optax.chain(
            optax.stateless(lambda grads, _: jax.tree.map(_over_mean_magnitude, grads)),
            optax.trace(decay=0.9),
            optax.scale_by_learning_rate(rate),
        )
    )


def _over_mean_magnitude(gradient: jax.Array) -> jax.Array:
    magnitude = jnp.mean(jnp.abs(gradient))
    return gradient / jnp.where(magnitude > 0, magnitude, 1)


def render(
    objective: Objective,
    canvas: Canvas,
    variables: Any,
    config: Config,
    key: jax.Array,
    report: Callable[[int], object] = lambda steps: None,
) -> tuple[jax.Array, jax.Array]:
    """Optimises images from where `variables` start.

    Args:
        objective: with the targets of these n images.
        canvas: what the variables mean.
        variables: a pytree, first axis n.
        config: optimiser and its options.
        key: of the jitter.
        report: called with how many further steps are done.

    Returns:
        (n, h, w, c) images in [0, 1] of the lowest loss of each, and these losses (n,).

    References:
        Shen, Horikawa, Majima & Kamitani (2019), PLoS Comput. Biol. 15:e1006633.
    """
    descent = Descent(*(getattr(config, name) for name in Descent._fields))
    progress = _start(canvas, variables, descent)
    for step in range(1, config.n_steps + 1):
        progress = _advance(progress, objective, canvas, descent, key)
        if step % STEPS_PER_REPORT == 0 or step == config.n_steps:
            jax.block_until_ready(progress.lowest)
            report((step - 1) % STEPS_PER_REPORT + 1)
    progress = _finish(progress, objective, canvas)
    return progress.best, progress.lowest


@functools.partial(compiler.jit, static_argnums=2)
def _start(canvas: Canvas, variables: Any, config: Descent) -> Progress:
    variables = canvas.project(variables)
    images = jnp.clip(canvas.images(variables), 0, 1)
    state = jax.vmap(optimiser_of(config).init)(variables)
    start = Progress(jnp.array(0), variables, state, images, jnp.full(len(images), jnp.inf))
    return of_own_types(start)


@functools.partial(compiler.jit, static_argnums=3, donate_argnums=0)
def _advance(
    progress: Progress, objective: Objective, canvas: Canvas, config: Descent, key: jax.Array
) -> Progress:
    """One step. A loop of them within the program took three times as long on CPU (jaxlib 0.10)."""
    by = jnp.zeros(2, int)
    if config.jitter:
        drawn = jax.random.fold_in(key, progress.step)
        by = jax.random.randint(drawn, (2,), -config.jitter, config.jitter + 1)
    return _step(progress, objective, canvas, config, by)


def _step(
    progress: Progress, objective: Objective, canvas: Canvas, config: Descent, by: jax.Array
) -> Progress:
    def total(variables: Any) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        images = canvas.images(variables)
        losses = objective(images, shift(images, by) if config.jitter else None)
        return jnp.sum(losses), (losses, images)

    (_, (losses, images)), gradient = jax.value_and_grad(total, has_aux=True)(progress.variables)
    if config.optimiser == "lbfgs":
        updates, state = _lbfgs_updates(progress, objective, canvas, losses, gradient, config)
    else:
        update = jax.vmap(optimiser_of(config).update)
        updates, state = update(gradient, progress.optimiser, progress.variables)
    best, lowest = _better(progress, images, losses)
    variables = canvas.project(optax.apply_updates(progress.variables, updates))
    return Progress(progress.step + 1, variables, state, best, lowest)


def _better(
    progress: Progress, images: jax.Array, losses: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The best images so far and their losses; a loss that is not a number is no better."""
    better = losses < progress.lowest
    best = jnp.where(better[:, None, None, None], jnp.clip(images, 0, 1), progress.best)
    return best, jnp.where(better, losses, progress.lowest)


def _lbfgs_updates(
    progress: Progress,
    objective: Objective,
    canvas: Canvas,
    losses: jax.Array,
    gradient: Any,
    config: Descent,
) -> tuple[Any, Any]:
    """L-BFGS of each image on its own, whose line search evaluates the objective of that image."""
    optimiser = optimiser_of(config)

    def one(
        gradient: Any, state: Any, variables: Any, loss: jax.Array, own: Objective
    ) -> tuple[Any, Any]:
        parts: Any = {name: getattr(own, name) for name in OF_EACH}
        alone = own.replace(**jax.tree.map(lambda x: x[None], parts))  # type: ignore[attr-defined]

        def value(variables: Any) -> jax.Array:
            within = canvas.project(jax.tree.map(lambda x: x[None], variables))
            return alone(canvas.images(within))[0]

        return optimiser.update(
            gradient, state, variables, value=loss, grad=gradient, value_fn=value
        )

    axes = {name: None if getattr(objective, name) is None else 0 for name in OF_EACH}
    each: Any = objective.replace(encoder=None, responses=None, **axes)  # type: ignore[attr-defined]
    mapped = jax.vmap(one, in_axes=(0, 0, 0, 0, each))
    return mapped(gradient, progress.optimiser, progress.variables, losses, objective)


@compiler.jit
def _finish(progress: Progress, objective: Objective, canvas: Canvas) -> Progress:
    """Takes the last step's images into account, too."""
    images = canvas.images(progress.variables)
    best, lowest = _better(progress, images, objective(images))
    return progress.replace(best=best, lowest=lowest)  # type: ignore[attr-defined]
