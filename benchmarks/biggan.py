"""A training step of BigGAN's generator under instances: this package beside PyTorch.

    python -m benchmarks.biggan                # 64 px, batch 64, a quarter of the published width
    python -m benchmarks.biggan --width 64     # the published width

Both sides have the same random weights, noise and features. A step is the generator forwards in
training mode, backwards from a weighted sum of its images, spectral normalisation included, and
Adam. Images are compared before anything is timed; PyTorch runs eagerly, and compiled where it can.
"""

import argparse
import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from fmri_jax.networks import spectral_norm
from fmri_jax.networks.biggan import BigGANGenerator
from fmri_jax.networks.biggan_config import BigGANConfig
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.biggan import generator_rules, generator_shapes
from tests.pretrained import biggan_peer

RATE = 1e-4


def main() -> None:
    options = parse()
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, torch {torch.__version__}")
    attention = (options.size // 2,) if options.size == 64 else (64,)
    config = BigGANConfig(options.size, options.width, attention, features=options.features)
    rng = np.random.default_rng(0)
    given = [
        rng.standard_normal((options.batch, n)).astype(np.float32)
        for n in (config.noise_used, config.features)
    ]
    given[1] /= np.linalg.norm(given[1], axis=1, keepdims=True)
    model = biggan_peer.stirred(biggan_peer.Generator(config)).train()
    weights = rng.standard_normal((options.batch, options.size, options.size, 3)) / options.batch
    sides: dict[str, Any] = {"ours": Ours(config, model, given, weights)}
    sides["eager"] = Theirs(model, given, weights)
    if not options.eager:
        sides["compiled"] = Theirs(torch.compile(model), given, weights)
    print(f"largest difference of images: {compare(sides):.1e}")
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(options.repeats):
        for name, side in sides.items():  # in alternation: other work slows all of them
            begun = time.perf_counter()
            side.step()
            times[name].append(time.perf_counter() - begun)
    for name, each in times.items():
        ratios = [mine / theirs for mine, theirs in zip(times["ours"], each, strict=True)]
        low, high = min(ratios), max(ratios)
        share = f"{statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})"
        print(f"{name}: {1e3 * statistics.median(each):.0f} ms; ours takes {share} of it")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=64, help="px")
    parser.add_argument("--width", type=int, default=16, help="channels are multiples of it")
    parser.add_argument("--features", type=int, default=1280)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    return parser.parse_args()


def compare(sides: dict[str, Any]) -> float:
    """Largest difference of the images of the first step, which also compiles."""
    ours, *theirs = (side.step() for side in sides.values())
    return float(np.abs(ours - theirs[0]).max())


class Ours:
    """One program for a step, parameters and moments donated."""

    def __init__(self, config: Any, model: Any, given: Any, weights: np.ndarray) -> None:
        state = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
        plain = {n: a for n, a in state.items() if not n.endswith((".u0", ".sv0"))}
        shapes = generator_shapes(config)
        names = {n: np.full(a.shape, i) for i, (n, a) in enumerate(plain.items())}
        ported = rules.port(plain, generator_rules(config), shapes, "the peer")
        places = rules.port(names, generator_rules(config), shapes, "the peer")
        vectors = {}  # theirs, by our names: a number in each array says whence it came
        for ours, numbers in places.items():
            theirs = list(plain)[int(numbers.reshape(-1)[0])].removesuffix("weight") + "u0"
            if theirs in state:
                vectors[ours.removeprefix("params/")] = jnp.asarray(state[theirs][0])
        variables = jax.tree.map(jnp.asarray, rules.unflatten(ported))
        self.given = [jnp.asarray(array) for array in given]
        self.weights = jnp.asarray(weights, jnp.float32)
        optimiser = optax.adam(RATE)
        params, statistics_ = variables["params"], variables["batch_stats"]
        self.state = params, statistics_, vectors, optimiser.init(params)

        def step(state: Any, noise: Any, features: Any, weights: Any) -> Any:
            params, batch_stats, vectors, moments = state

            def loss(params: Any) -> Any:
                normalised, later = spectral_norm.normalise(params, vectors)
                variables = {"params": normalised, "batch_stats": batch_stats}
                made: Any = BigGANGenerator(config).apply(
                    variables, noise, features, train=True, mutable=["batch_stats"]
                )
                images, kept = made
                return (images * weights).sum(), (images, kept["batch_stats"], later)

            gradients, (images, kept, later) = jax.grad(loss, has_aux=True)(params)
            updates, moments = optimiser.update(gradients, moments)
            return (optax.apply_updates(params, updates), kept, later, moments), images

        self.run = jax.jit(step, donate_argnums=0)

    def step(self) -> np.ndarray:
        """Images (n, size, size, 3) of the step."""
        self.state, images = self.run(self.state, *self.given, self.weights)
        return np.asarray(jax.block_until_ready(images))


class Theirs:
    """The same of the tests' PyTorch rebuild."""

    def __init__(self, model: Any, given: Any, weights: np.ndarray) -> None:
        self.model, self.given = model, [torch.tensor(array) for array in given]
        self.weights = torch.tensor(weights, dtype=torch.float32).permute(0, 3, 1, 2)
        self.optimiser = torch.optim.Adam(model.parameters(), lr=RATE)

    def step(self) -> np.ndarray:
        """Images (n, size, size, 3) of the step."""
        self.optimiser.zero_grad(set_to_none=True)
        images = self.model(*self.given)
        (images * self.weights).sum().backward()
        self.optimiser.step()
        return images.detach().permute(0, 2, 3, 1).numpy()


if __name__ == "__main__":
    main()
