"""Training of separable readouts beside an equal loop in PyTorch, in alternation.

    python -m benchmarks.separable    # 500 voxels, 13 x 13 cells, 192 channels

Both sides take the same Adam steps on the same batches of 64 stimuli, from the same start: squared
errors of all voxels at once and the absolute values of masks and channels. The weights after the
first steps are compared before anything is timed; Adam and the signs of small weights magnify
rounding.
"""

import argparse
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks.alternation import compare
from fmri_jax.encoding import separable_training as training

RATE, SPARSITY = 1e-3, 1e-3


def main() -> None:
    options = parse()
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, torch {torch.__version__}")
    rng = np.random.default_rng(0)
    shape = (options.stimuli, options.cells, options.cells, options.channels)
    maps = (rng.normal(size=shape) / np.sqrt(options.channels)).astype(np.float32)
    target = rng.normal(size=(options.stimuli, options.voxels)).astype(np.float32)
    ours = Ours(maps, target)
    theirs = Theirs(maps, target, ours.start(), ours.rows(training.EVERY))
    found, peer = ours.run(), theirs.run()
    for name, weights in peer.items():
        moved = np.linalg.norm(weights - np.asarray(ours.start()[name]["maps"]))
        far = np.linalg.norm(found[name]["maps"] - weights) / moved
        print(f"after {training.EVERY} steps {name} differ by {far:.1e} of what they moved")
    compare(ours.run, theirs.run, "PyTorch", options.repeats)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stimuli", type=int, default=1000)
    parser.add_argument("--voxels", type=int, default=500)
    parser.add_argument("--cells", type=int, default=13, help="side of the maps")
    parser.add_argument("--channels", type=int, default=192)
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


class Ours:
    """The steps between two looks at held-out stimuli, of which there are 10."""

    def __init__(self, maps: np.ndarray, target: np.ndarray):
        self.maps, self.target = {"maps": jnp.asarray(maps)}, jnp.asarray(target)
        self.adam, self.key = training._adam(RATE), jax.random.key(1)

    def start(self) -> training.Params:
        """Even masks, channels near 0."""
        return training._start(jax.random.key(0), self.maps, self.target.shape[1])

    def rows(self, steps: int) -> list[np.ndarray]:
        """The stimuli of each step."""
        return [
            np.asarray(training._rows(key, len(self.target)))
            for key in jax.random.split(self.key, steps)
        ]

    def run(self) -> Any:
        """Layer by layer, the weights after the steps."""
        params, far = self.start(), jnp.full(self.target.shape[1], jnp.inf)
        state = training._State(params, self.adam.init(params), params, far)
        held_out = jax.tree.map(lambda array: array[:10], (self.maps, self.target))
        inside = self.maps, self.target
        state = training._advance(
            state, inside, held_out, self.key, self.adam, training.EVERY, SPARSITY
        )
        return jax.tree.map(np.asarray, jax.block_until_ready(state.params))


class Theirs:
    """The same by autograd, without any look; einsum of the three arrays is far slower there."""

    def __init__(
        self, maps: np.ndarray, target: np.ndarray, start: Any, rows: list[np.ndarray]
    ):  # fmt: skip
        self.maps = torch.tensor(maps).reshape(len(maps), -1, maps.shape[-1])
        self.target, self.start = torch.tensor(target), start
        self.rows = [torch.tensor(each, dtype=torch.long) for each in rows]

    def run(self) -> dict[str, np.ndarray]:
        """The weights after the steps."""
        space, channels = (
            torch.tensor(np.array(self.start[name]["maps"]), requires_grad=True)
            for name in ("space", "channels")
        )
        adam = torch.optim.Adam([space, channels], lr=RATE)
        for rows in self.rows:
            adam.zero_grad()
            projected = torch.nn.functional.linear(self.maps[rows], channels)  # (n, p, v)
            found = (projected * space.T).sum(dim=1)
            loss = ((found - self.target[rows]) ** 2).mean(dim=0).sum()
            (loss + SPARSITY * (space.abs().sum() + channels.abs().sum())).backward()
            adam.step()
        return {"space": space.detach().numpy(), "channels": channels.detach().numpy()}


if __name__ == "__main__":
    main()
