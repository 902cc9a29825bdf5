"""Rendering by optimisation: this package beside the same loop in PyTorch, in alternation.

    python -m benchmarks.rendering                  # 16 images of 64 px, VGG16
    python -m benchmarks.rendering --size 224

Both sides match the five last activations of VGG16's blocks, add the total variation, take Adam
steps on the pixels and clip them. The weights are random and the same; images and losses after the
first steps are compared before anything is timed.
"""

import argparse
import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from fmri_jax.features.registry import NETWORKS
from fmri_jax.methods.feature_decoding import objective as objectives
from fmri_jax.methods.feature_decoding.canvases import Pixels
from fmri_jax.methods.feature_decoding.config import Config
from fmri_jax.methods.feature_decoding.encoder import Encoder
from fmri_jax.methods.feature_decoding.render import STEPS_PER_REPORT, render
from fmri_jax.networks.alexnet import DEVIATION, MEAN
from fmri_jax.networks.vgg import CHANNELS

BLOCKS = [(width,) * n for width, n in zip(CHANNELS, (2, 2, 3, 3, 3), strict=True)]
LAYERS = tuple(f"relu{block}_{len(widths)}" for block, widths in enumerate(BLOCKS, start=1))
SMOOTHNESS = 0.1


def main() -> None:
    options = parse()
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, torch {torch.__version__}")
    print(f"{options.batch} images of {options.size} px, VGG16 to {LAYERS[-1]}, Adam on pixels")
    rng = np.random.default_rng(0)
    params = random_weights(rng)
    shape = (options.batch, options.size, options.size, 3)
    targets, start = (rng.uniform(0, 1, shape).astype(np.float32) for _ in range(2))
    ours, theirs = Ours(params, targets, start), Theirs(params, targets, start)
    found, peer = ours.run(3), theirs.run(3)
    far = np.mean(np.abs(found - peer) > 1e-3)  # Adam moves pixels without any gradient, too
    print(f"after 3 steps {far:.2%} of the pixels differ by more than .001")
    begun = time.perf_counter()
    ours.run(STEPS_PER_REPORT)
    print(f"compile and first {STEPS_PER_REPORT} steps: {time.perf_counter() - begun:.1f} s")
    ratios = []
    for _ in range(options.repeats):
        mine, other = seconds(ours, STEPS_PER_REPORT), seconds(theirs, options.peer_steps)
        ratios.append(other / mine)
        print(f"  step: ours {1e3 * mine:.0f} ms, PyTorch {1e3 * other:.0f} ms")
    low, high = min(ratios), max(ratios)
    print(f"PyTorch / ours: {statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=64, help="px")
    parser.add_argument("--batch", type=int, default=16, help="images")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer-steps", type=int, default=STEPS_PER_REPORT)
    return parser.parse_args()


def random_weights(rng: np.random.Generator) -> dict[str, dict[str, np.ndarray]]:
    """He-initialised kernels (3, 3, in, out) and biases of VGG16."""
    params, channels = {}, 3
    for block, widths in enumerate(BLOCKS, start=1):
        for i, width in enumerate(widths, start=1):
            scale = np.sqrt(2 / (9 * channels))
            kernel = rng.normal(0, scale, (3, 3, channels, width)).astype(np.float32)
            bias = rng.normal(0, 0.01, width).astype(np.float32)
            params[f"conv{block}_{i}"] = {"kernel": kernel, "bias": bias}
            channels = width
    return params


def seconds(side: Any, n_steps: int) -> float:
    begun = time.perf_counter()
    side.run(n_steps)
    return (time.perf_counter() - begun) / n_steps


class Ours:
    """The package's renderer."""

    def __init__(self, params: Any, targets: np.ndarray, start: np.ndarray) -> None:
        encoder = Encoder(jax.tree.map(jnp.asarray, params), "vgg16", LAYERS, None, False)
        layers = jax.jit(Encoder.__call__)(encoder, jnp.asarray(targets))
        weights = objectives.layer_weights(layers, {})
        self.objective = objectives.Objective(encoder, layers, weights, SMOOTHNESS)
        self.start = jnp.asarray(start)

    def run(self, n_steps: int) -> np.ndarray:
        """Images (n, h, w, 3) after so many steps."""
        config = Config(
            network="vgg16",
            layers=LAYERS,
            n_steps=n_steps,
            learning_rate=0.02,
            final_learning_rate=0.02,
        )
        images, _ = render(
            self.objective, Pixels(self.start.shape[1:]), self.start, config, jax.random.key(0)
        )
        return np.asarray(images)


class Theirs:
    """The same loop as a user of PyTorch writes it."""

    def __init__(self, params: Any, targets: np.ndarray, start: np.ndarray) -> None:
        self.layers: list[tuple[Any, Any, bool]] = []
        for block, widths in enumerate(BLOCKS, start=1):
            for i in range(1, len(widths) + 1):
                own = params[f"conv{block}_{i}"]
                kernel = torch.tensor(own["kernel"].transpose(3, 2, 0, 1).copy())
                self.layers.append((kernel, torch.tensor(own["bias"]), i == len(widths)))
        self.start = torch.tensor(start.transpose(0, 3, 1, 2).copy())
        with torch.no_grad():
            self.targets = self.features(torch.tensor(targets.transpose(0, 3, 1, 2).copy()))

    def features(self, x: Any) -> list[Any]:
        """Images (n, 3, h, w) -> the last activation of each block."""
        mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
        x, found = (x - mean) / deviation, []
        for kernel, bias, ends in self.layers:
            x = torch.relu(torch.nn.functional.conv2d(x, kernel, bias, padding=1))
            if ends:
                found.append(x)
                x = torch.nn.functional.max_pool2d(x, 2) if min(x.shape[2:]) > 1 else x
        return found

    def run(self, n_steps: int) -> np.ndarray:
        """Images (n, h, w, 3) after so many steps."""
        x = self.start.clone().requires_grad_()
        optimiser = torch.optim.Adam([x], lr=0.02)
        best, lowest = x.detach().clone(), torch.full((len(x),), torch.inf)
        for _ in range(n_steps):
            loss = self.loss(x)
            optimiser.zero_grad()
            loss.sum().backward()
            with torch.no_grad():
                better = loss < lowest
                best[better], lowest[better] = x[better], loss[better]
                optimiser.step()
                x.clamp_(0, 1)
        with torch.no_grad():
            better = self.loss(x) < lowest
            best[better] = x[better]
        return best.numpy().transpose(0, 2, 3, 1)

    def loss(self, x: Any) -> Any:
        """Images (n, 3, h, w) -> losses (n,)."""
        down, right = x.diff(dim=2).abs().sum((1, 2, 3)), x.diff(dim=3).abs().sum((1, 2, 3))
        total = SMOOTHNESS * (down + right) / x[0].numel()
        for found, target in zip(self.features(x), self.targets, strict=True):
            total = total + ((found - target) ** 2).sum((1, 2, 3)) / (target**2).sum((1, 2, 3))
        return total


if __name__ == "__main__":
    assert set(LAYERS) <= set(NETWORKS["vgg16"].layers)
    main()
