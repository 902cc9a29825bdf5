"""Adversarial training of a generator of pixels under instances (Casanova et al. 2021)."""

import dataclasses
import functools
import pathlib
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from fmri_jax.networks import compiler, spectral_norm
from fmri_jax.networks.biggan import BigGANDiscriminator, BigGANGenerator
from fmri_jax.pretrained.biggan import generator_shapes
from fmri_jax.pretrained.rules import flatten, unflatten
from fmri_jax.priors import training
from fmri_jax.priors.ic_gan.augmentation import augmented
from fmri_jax.priors.ic_gan.config import ICGANConfig
from fmri_jax.priors.training import Options, Prepare
from fmri_jax.training import loop
from fmri_jax.training.dispatch import several_steps
from fmri_jax.training.mesh import batch_sharding, in_this_process, put, replicate
from fmri_jax.training.sampler import Sampler


@dataclasses.dataclass(frozen=True)
class Objective:
    """Hinge losses of a generator and a discriminator that are told the same instance.

    Real images are photographs of the instance's neighbourhood; both kinds are augmented before the
    discriminator.

    Attributes:
        config: sizes.
        discriminator_rate: learning rate of the discriminator, in that of the generator.
        policies: of the augmentation.
    """

    config: ICGANConfig
    discriminator_rate: float = 1.0
    policies: tuple[str, ...] = ("color", "translation", "cutout")

    def __call__(
        self, params: Any, batch: Any, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """What a generator that is trained is scored by: squared error without noise.

        Args:
            params: "params" and "batch_stats" of the generator.
            batch: "images" (n, size, size, 3) in [0, 1] and "features" of each, scaled.
            key: not used.
        """
        config: Any = self.config.generator
        noise = jnp.zeros((len(batch["images"]), config.noise_used))
        made: Any = BigGANGenerator(config).apply(params, noise, batch["features"])
        return jnp.mean((0.5 + 0.5 * made - batch["images"]) ** 2), {}

    def initial(self, key: jax.Array) -> dict[str, Any]:
        """Parameters, statistics and singular vectors of both networks, at random.

        Kernels are orthogonal, and attention begins as the identity.
        """
        config: Any = self.config.generator
        features = jnp.zeros((1, config.features))
        images = jnp.zeros((1, config.image_size, config.image_size, 3))
        discriminator: Any = jax.eval_shape(BigGANDiscriminator(config).init, key, images, features)
        rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).tolist())
        shapes = {**generator_shapes(config)}
        shapes |= {
            f"discriminator/{n}": s.shape for n, s in flatten(discriminator["params"]).items()
        }
        found = unflatten({name: _fresh(name, tuple(s), rng) for name, s in shapes.items()})
        u, w = jax.random.split(key)
        return {
            "generator": found["params"],
            "batch_stats": found["batch_stats"],
            "discriminator": found["discriminator"],
            "generator_vectors": spectral_norm.start(found["params"], u),
            "discriminator_vectors": spectral_norm.start(found["discriminator"], w),
        }


def _fresh(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if name.endswith(spectral_norm.NORMALISED):
        return spectral_norm.orthogonal(shape, rng)
    return np.full(shape, float(name.endswith(("scale", "variance"))), np.float32)


@flax.struct.dataclass
class State:
    """Everything that a killed training needs to resume to the same numbers."""

    step: jax.Array
    key: jax.Array
    networks: dict[str, Any]  # as `Objective.initial` makes them
    average: dict[str, Any]  # "params" and "batch_stats" of the generator
    moments: dict[str, Any]  # of both optimisers


def train(
    objective: Objective,
    examples: Any,
    options: Options,
    mesh: Mesh,
    workdir: pathlib.Path,
    progress: bool,
    prepare: Prepare,
) -> dict[str, Any]:
    """Trains both networks, resuming from the latest checkpoint in `workdir` if there is one.

    Args:
        objective: what they play.
        examples: "photographs" (n, size, size, 3) uint8, their scaled "features" (n, features) and
            "neighbours" (n, k), all of which stay on every device.
        options: see `training.Options`.
        mesh: the devices; each takes its share of a batch.
        workdir: holds checkpoints and training curves.
        progress: whether to draw a progress bar.
        prepare: from photographs to images in [0, 1].

    Returns:
        "params" and "batch_stats" of the generator, averaged over steps, spectral normalisation
        folded in.

    Raises:
        InputError: the batch cannot be divided among the devices.
        NotFiniteError: training diverged.
    """
    training.check_batch(options, mesh)
    fixed = replicate({name: jnp.asarray(array) for name, array in examples.items()}, mesh)
    state = replicate(_start(objective, options), mesh)
    step = _steps(objective, options, prepare)
    sampler = Sampler(options.seed, len(examples["photographs"]), options.batch_size)
    sharding = batch_sharding(mesh)

    def steps(state: State, batches: Any) -> Any:
        return step(state, batches, fixed)

    def batch(number: int) -> jax.Array:
        return put(np.asarray(sampler(number), np.int32), sharding)

    loop_options = training.loop_options(options, progress)
    final = loop.train(steps, state, batch, loop_options, workdir)
    left = (final.average, final.networks["generator_vectors"])
    average, vectors = in_this_process(replicate(left, mesh))
    params, _ = spectral_norm.normalise(average["params"], vectors)
    return {"params": params, "batch_stats": average["batch_stats"]}


def _optimiser(options: Options, factor: float) -> optax.GradientTransformation:
    """Adam at a constant rate, as published, after warm-up."""
    b1, b2 = options.moments
    warm_up = min(options.warm_up, options.n_steps // 2)
    rate = optax.linear_schedule(0.0, factor * options.learning_rate, max(warm_up, 1))
    return optax.chain(
        optax.clip_by_global_norm(options.largest_gradient), optax.adam(rate, b1=b1, b2=b2)
    )


def _start(objective: Objective, options: Options) -> State:
    first, later = jax.random.split(jax.random.key(options.seed, impl="rbg"))
    networks = objective.initial(first)
    average = {"params": networks["generator"], "batch_stats": networks["batch_stats"]}
    return State(
        step=jnp.array(0),
        key=later,
        networks=networks,
        average=jax.tree.map(np.array, average),
        moments={
            "generator": _optimiser(options, 1.0).init(networks["generator"]),
            "discriminator": _optimiser(options, 1.0).init(networks["discriminator"]),
        },
    )


@functools.lru_cache(maxsize=4)
def _steps(objective: Objective, options: Options, prepare: Prepare) -> Any:
    """Jitted steps over a tuple of rows of the examples, the state donated."""

    def step(state: State, rows: jax.Array, fixed: Any) -> tuple[State, dict[str, jax.Array]]:
        keys = jax.random.split(jax.random.fold_in(state.key, state.step), 5)
        real, features = _drawn(rows, fixed, prepare, keys[0])
        networks, moments, terms = _played(objective, options, state, real, features, keys[1:])
        # Early steps count less: the average of few would hold the random start for long.
        decay = jnp.minimum(options.averaging, (1 + state.step) / (10 + state.step))
        now = {"params": networks["generator"], "batch_stats": networks["batch_stats"]}
        average: Any = optax.incremental_update(now, state.average, 1 - decay)
        return State(state.step + 1, state.key, networks, average, moments), terms

    return jax.jit(several_steps(step), donate_argnums=0, compiler_options=compiler.options())


def _drawn(
    rows: jax.Array, fixed: Any, prepare: Prepare, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """A photograph in [-1, 1] of each instance's neighbourhood, and the instance's features."""
    which, flips = jax.random.split(key)
    count = fixed["neighbours"].shape[1]
    drawn = jax.random.randint(which, rows.shape, 0, count)
    real = prepare(fixed["photographs"][fixed["neighbours"][rows, drawn]], flips)
    return 2 * real - 1, fixed["features"][rows].astype(jnp.float32)


def _played(
    objective: Objective,
    options: Options,
    state: State,
    real: jax.Array,
    features: jax.Array,
    keys: jax.Array,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, jax.Array]]:
    """One step of the discriminator, then one of the generator, on the same generated images."""
    config: Any = objective.config.generator
    networks, moments = dict(state.networks), {}
    noise = jax.random.normal(keys[0], (len(real), config.noise_used))

    def generate(params: Any) -> Any:
        normalised, vectors = spectral_norm.normalise(params, networks["generator_vectors"])
        variables = {"params": normalised, "batch_stats": networks["batch_stats"]}
        network = BigGANGenerator(config)
        made: Any = network.apply(variables, noise, features, train=True, mutable=["batch_stats"])
        return made[0], (made[1]["batch_stats"], vectors)

    made, pull, (statistics, vectors) = jax.vjp(generate, networks["generator"], has_aux=True)

    def judged(params: Any, images: jax.Array, told: jax.Array) -> Any:
        normalised, later = spectral_norm.normalise(params, networks["discriminator_vectors"])
        logits: Any = BigGANDiscriminator(config).apply({"params": normalised}, images, told)
        return logits, later

    def of_discriminator(params: Any) -> tuple[jax.Array, Any]:
        images = zip((jax.lax.stop_gradient(made), real), keys[1:3], strict=True)
        both = jnp.concatenate([augmented(x, key, objective.policies) for x, key in images])
        logits, later = judged(params, both, jnp.concatenate([features, features]))
        false, true = jnp.split(logits, 2)
        loss = jnp.mean(jax.nn.relu(1 - true)) + jnp.mean(jax.nn.relu(1 + false))
        return loss, (later, jnp.mean(true > 0), jnp.mean(false < 0))

    (loss, (later, of_real, of_made)), gradients = jax.value_and_grad(
        of_discriminator, has_aux=True
    )(networks["discriminator"])
    optimiser = _optimiser(options, objective.discriminator_rate)
    updates, moments["discriminator"] = optimiser.update(gradients, state.moments["discriminator"])
    networks["discriminator"] = optax.apply_updates(networks["discriminator"], updates)
    networks["discriminator_vectors"] = later

    def of_generator(images: jax.Array) -> jax.Array:
        changed = augmented(images, keys[3], objective.policies)
        return -jnp.mean(judged(networks["discriminator"], changed, features)[0])

    own, of_images = jax.value_and_grad(of_generator)(made)
    (of_params,) = pull(of_images)
    optimiser = _optimiser(options, 1.0)
    updates, moments["generator"] = optimiser.update(of_params, state.moments["generator"])
    networks["generator"] = optax.apply_updates(networks["generator"], updates)
    networks |= {"batch_stats": statistics, "generator_vectors": vectors}
    terms = {"loss": own, "discriminator": loss, "real_found": of_real, "made_found": of_made}
    terms["generator_gradient"] = optax.global_norm(of_params)
    terms["discriminator_gradient"] = optax.global_norm(gradients)
    return networks, moments, terms
