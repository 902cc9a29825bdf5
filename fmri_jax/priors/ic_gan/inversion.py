"""Which noise, and which activations of the first layer, make a given image of its instance.

Both are moved by Adam until the generator's image equals the given one. The way is not convex, so
that each image is begun several times, and the best end is kept. All images and their beginnings
are rows of one batch, and a step is one compiled program.

Minimised for each row, with images x of values in [0, 1] and the instance's features f:

    w_p mean (x(z, h) - x)^2  +  w_l LPIPS(x(z, h), x)  +  w_f (1 - cos(f(x(z, h)), f))
        +  w_z mean z^2  +  w_h mean ((h - h(z0)) / spread)^2

z is the noise; h, where it is sought, the activations of the first layer, which begin at those of
the noise. The last two terms hold both where the generator was trained: without them they leave it,
and a linear map from voxels cannot follow. Ozcelik et al. (2022) decode such vectors; how they were
found is not published.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from fmri_jax import pretrained
from fmri_jax.arrays import as_rgb
from fmri_jax.errors import InputError
from fmri_jax.evaluation.perceptual import LPIPS_LAYERS, lpips_distance, prepare
from fmri_jax.features.preprocessing import Preprocessing
from fmri_jax.features.registry import NETWORKS, FeatureNetwork, find_network
from fmri_jax.networks import compiler
from fmri_jax.networks.biggan_config import BigGANConfig
from fmri_jax.priors.ic_gan.prior import ICGANPrior, paint
from fmri_jax.priors.images import as_taken

BLOCK = 64  # rows in the networks at a time


@dataclasses.dataclass(frozen=True)
class Objective:
    """Weights of the terms; a term of weight 0 is not computed.

    Attributes:
        pixels: of the mean squared error.
        lpips: of the distance through AlexNet (Zhang et al. 2018).
        features: of one minus the cosine of the instance's features.
        noise: of the noise's mean square.
        layer: of the activations' mean squared distance from those of the noise.
        first: whether activations of the first layer are sought beside the noise.
        learning_rate: of Adam.
    """

    pixels: float = 1.0
    lpips: float = 0.0
    features: float = 0.0
    noise: float = 1e-3
    layer: float = 1e-3
    first: bool = False
    learning_rate: float = 0.05

    def __post_init__(self) -> None:
        """Rejects an objective that no image changes."""
        if min(self.pixels, self.lpips, self.features, self.noise, self.layer) < 0 or not (
            self.pixels or self.lpips or self.features
        ):
            raise InputError(f"{self} compares no images: expected weights >= 0, one above 0.")


class Inverted(NamedTuple):
    """What was found for each image.

    Attributes:
        noise: (n, noise).
        first: (n, units), or None where it was not sought.
        loss: (n,) of the best beginning, at its end.
        error: (steps + 1, n) mean squared error of pixels, of that beginning, before each step and
            at the end.
    """

    noise: np.ndarray
    first: np.ndarray | None
    loss: np.ndarray
    error: np.ndarray


def invert(
    prior: ICGANPrior,
    images: Any,
    features: np.ndarray,
    key: jax.Array,
    objective: Objective = Objective(),
    n_steps: int = 300,
    restarts: int = 3,
) -> Inverted:
    """Noise and activations of images, by gradient descent from several beginnings.

    Args:
        prior: the generator.
        images: (n, size, size, 3) in [0, 1] or uint8.
        features: (n, features) of the instances that the generator is told, of unit length.
        key: of the beginnings.
        objective: what is minimised.
        n_steps: of Adam.
        restarts: beginnings of each image, the first from no noise.

    Raises:
        InputError: the images are of another size, or there is nothing to do.
    """
    if n_steps < 1 or restarts < 1:
        raise InputError(f"{n_steps} steps and {restarts} restarts: expected 1 or more of each.")
    targets = as_taken(images, prior.image_size)
    n = len(targets)
    noise = np.zeros((restarts, n, prior.noise_size), np.float32)
    if restarts > 1:
        noise[1:] = prior.draw_noise((restarts - 1) * n, key).reshape(restarts - 1, n, -1)
    rows = (np.tile(targets, (restarts, 1, 1, 1)), np.tile(features, (restarts, 1)))
    run = _Run(prior, objective, n_steps, min(BLOCK, restarts * n))
    parts = [run.block(rows, noise.reshape(restarts * n, -1), start) for start in run.starts(rows)]
    found = jax.tree.map(lambda *pieces: np.concatenate(pieces), *parts)
    loss = found["loss"].reshape(restarts, n)
    best = loss.argmin(axis=0) * n + np.arange(n)
    chosen = jax.tree.map(lambda array: array[best], found)
    return Inverted(chosen["noise"], chosen.get("first"), chosen["loss"], chosen["error"].T)


@dataclasses.dataclass(frozen=True)
class _Run:
    """The descent of one block of rows after the other, by one program."""

    prior: ICGANPrior
    objective: Objective
    n_steps: int
    size: int

    def starts(self, rows: tuple[np.ndarray, ...]) -> range:
        return range(0, len(rows[0]), self.size)

    def block(
        self, rows: tuple[np.ndarray, ...], noise: np.ndarray, start: int
    ) -> dict[str, np.ndarray]:
        total = len(noise)
        index = np.minimum(np.arange(start, start + self.size), total - 1)
        targets, features = (jnp.asarray(array[index]) for array in rows)
        static = (self.prior.config, self.objective, _judge(self.prior, self.objective))
        given = self.prior.params
        judges = _weights(self.objective, static[2])
        known = _known(static, judges, targets)
        sought, spread = _begin(static, given, jnp.asarray(noise[index]), features)
        moments = _optimiser(self.objective).init(sought)
        errors = []
        for _ in range(self.n_steps):
            sought, moments, (_, error) = _step(
                static, given, judges, known, spread, (targets, features), sought, moments
            )
            errors.append(error)
        loss, error = _final(static, given, judges, known, spread, (targets, features), sought)
        found = {**sought, "loss": loss, "error": jnp.stack([*errors, error], axis=1)}
        keep = min(self.size, total - start)
        return {name: np.asarray(array)[:keep] for name, array in found.items()}


def _judge(
    prior: ICGANPrior, objective: Objective
) -> tuple[FeatureNetwork, str, Preprocessing] | None:
    """The network whose features are compared, static; None where they are not."""
    if not objective.features:
        return None
    network = find_network(prior.config.network)
    return network, prior.config.layer, prior.config.preprocessing or network.preprocessing


def _weights(objective: Objective, judge: Any) -> dict[str, Any]:
    """Of the networks that compare images, as arguments of the program."""
    found: dict[str, Any] = {}
    if objective.lpips:
        found["alexnet"] = pretrained.load("alexnet")
        found["heads"] = pretrained.load("lpips_alexnet")
    if judge is not None:
        network = judge[0]
        name = next(name for name, each in NETWORKS.items() if each == network)
        dense = judge[1] in network.dense
        found["features"] = pretrained.load(network.dense_weights if dense else name)
    return found


def _optimiser(objective: Objective) -> optax.GradientTransformation:
    return optax.adam(objective.learning_rate, b1=0.9, b2=0.99)


@functools.partial(compiler.jit, static_argnums=0)
def _begin(
    static: Any, given: Any, noise: jax.Array, features: jax.Array
) -> tuple[dict[str, jax.Array], jax.Array]:
    """What is moved, and the spread of activations over rows."""
    config, objective, _ = static
    if not objective.first:
        return {"noise": noise}, jnp.ones(())
    found = _first_layer(config, given, features, noise)
    # Begun at no noise, all rows of a generator of pixels have the same activations.
    return {"noise": noise, "first": found}, jnp.maximum(found.std(axis=0).mean(), 1e-2)


def _first_layer(prior_config: Any, given: Any, features: jax.Array, noise: jax.Array) -> jax.Array:
    """Activations of the generator's first dense layer."""
    config = prior_config.generator
    if isinstance(config, BigGANConfig):
        layer = given["params"]["first"]
        return noise[:, : config.chunk] @ layer["kernel"] + layer["bias"]
    params = given["generator"]

    def dense(name: str, x: jax.Array) -> jax.Array:
        return x @ params[name]["kernel"] + params[name]["bias"]

    embedded = nn.silu(dense("features", features))
    mixed = nn.silu(dense("mixed", jnp.concatenate([embedded, noise], axis=1)))
    return dense("first", mixed)


@functools.partial(compiler.jit, static_argnums=0)
def _known(static: Any, judges: Any, targets: jax.Array) -> Any:
    """Activations of the given images, computed once."""
    _, objective, _ = static
    return _alexnet(judges, targets) if objective.lpips else None


def _alexnet(judges: Any, images: jax.Array) -> dict[str, jax.Array]:
    found = NETWORKS["alexnet"].activations(judges["alexnet"], prepare(images))
    return {layer: found[layer] for layer in LPIPS_LAYERS}


def _losses(
    static: Any, given: Any, judges: Any, known: Any, spread: Any, rows: Any, sought: Any
) -> tuple[jax.Array, jax.Array]:
    """The loss of each row, and its mean squared error of pixels."""
    (config, objective, judge), (targets, features) = static, rows
    noise, first = sought["noise"], sought.get("first")
    made = paint(config, given, features, noise, first)
    error = jnp.mean((made - targets) ** 2, axis=(1, 2, 3))
    loss = objective.pixels * error + objective.noise * jnp.mean(noise**2, axis=1)
    if first is not None:
        of_noise = jax.lax.stop_gradient(_first_layer(config, given, features, noise))
        loss += objective.layer * jnp.mean(((first - of_noise) / spread) ** 2, axis=1)
    if objective.lpips:
        own = _alexnet(judges, made)
        loss += objective.lpips * lpips_distance(own, known, judges["heads"])
    if judge is not None:
        network, layer, preprocessing = judge
        found = network.activations(judges["features"], preprocessing(as_rgb(made)))[layer]
        found = found.reshape(len(found), -1)
        cosine = (found * features).sum(axis=1) / jnp.maximum(jnp.linalg.norm(found, axis=1), 1e-6)
        loss += objective.features * (1 - cosine)
    return loss, error


_final = compiler.jit(_losses, static_argnums=0)


@functools.partial(compiler.jit, static_argnums=0, donate_argnums=(6, 7))
def _step(
    static: Any,
    given: Any,
    judges: Any,
    known: Any,
    spread: Any,
    rows: Any,
    sought: Any,
    moments: Any,
) -> tuple[Any, Any, tuple[jax.Array, jax.Array]]:
    """One step of Adam of all rows, none of which depends on another."""

    def total(moved: Any) -> tuple[jax.Array, Any]:
        found = _losses(static, given, judges, known, spread, rows, moved)
        return found[0].sum(), found

    gradients, found = jax.grad(total, has_aux=True)(sought)
    updates, moments = _optimiser(static[1]).update(gradients, moments)
    return optax.apply_updates(sought, updates), moments, found
