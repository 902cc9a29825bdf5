"""Writes gan_step.json: the metrics of two steps of the small GAN from weights drawn by NumPy.

Run from the root of the checkout, and only when a change of these numbers is meant:

    python -m tests.goldens.make_gan_step
"""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.methods.gan.step import jitted


def two_steps(setting) -> list[dict[str, float]]:
    """Metrics of two steps; dropout draws from threefry, which is the same everywhere."""
    state, *rest = setting.arguments()
    state = state.replace(
        generator=state.generator.replace(params=drawn(state.generator.params, 1)),
        discriminator=state.discriminator.replace(params=drawn(state.discriminator.params, 2)),
    )
    found = []
    for _ in range(2):
        state, metrics = jitted(setting.step)(state, *rest)
        found.append({name: float(value) for name, value in metrics.items()})
    return found


def drawn(params, seed: int):
    """He-sized normal weights, the same on every platform and version of JAX."""
    rng = np.random.default_rng(seed)

    def draw(leaf):
        fan_in = max(1, leaf.size // leaf.shape[-1])
        return jnp.asarray(rng.normal(0, np.sqrt(2 / fan_in), leaf.shape), jnp.float32)

    return jax.tree.map(draw, params)


def main() -> None:
    """Writes the file beside this script."""
    from tests.methods.gan.conftest import build_setting, random_trials

    found = two_steps(build_setting(random_trials()))
    path = pathlib.Path(__file__).with_name("gan_step.json")
    path.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
