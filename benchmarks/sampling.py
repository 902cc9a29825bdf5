"""Sampling from latent diffusion: this package beside `diffusers`, in alternation.

    python -m benchmarks.sampling                   # 8 latents of 16 x 16, 8 steps, guidance
    python -m benchmarks.sampling --dtype bfloat16  # for accelerators

Both sides run the same UNet with the same random weights, one context, classifier-free guidance in
one batch of twice the size, and DDIM; latents are compared before anything is timed.
"""

import argparse
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks.alternation import compare
from fmri_jax.networks.unet import UNet, UNetConfig
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.latent_diffusion import unet_shapes
from fmri_jax.pretrained.unet_rules import diffusers_rules
from fmri_jax.priors.diffusion import Schedule, sample

CONFIG = UNetConfig(
    channels=(64, 128), attention=(False, True), blocks=1, heads=4, contexts=(128,), groups=16
)
TOKENS, GUIDANCE = 4, 3.0


def main() -> None:
    options = parse()
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, torch {torch.__version__}")
    rng = np.random.default_rng(0)
    shape = (options.batch, options.size, options.size, CONFIG.latent_channels)
    noise = rng.normal(size=shape).astype(np.float32)
    context = rng.normal(size=(options.batch, TOKENS, *CONFIG.contexts)).astype(np.float32)
    theirs = Theirs(options, noise, context)
    ours = Ours(options, theirs.arrays(), noise, context)
    theirs.run()
    peer = theirs.run()
    begun = time.perf_counter()
    far = np.abs(ours.run() - peer).max() / np.abs(peer).max()
    print(f"compile and first run: {time.perf_counter() - begun:.1f} s")
    print(f"{options.batch} latents, {options.steps} steps: largest difference {far:.1e}")
    compare(ours.run, theirs.run, "diffusers", options.repeats)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=16, help="side of the latents")
    parser.add_argument("--batch", type=int, default=8, help="latents")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    return parser.parse_args()


class Ours:
    """The package's sampler: one call per step."""

    def __init__(self, options: Any, arrays: Any, noise: np.ndarray, context: np.ndarray) -> None:
        ported = rules.port(arrays, diffusers_rules(CONFIG), unet_shapes(CONFIG), "diffusers")
        self.params = jax.tree.map(jnp.asarray, rules.unflatten(ported))
        self.unet = UNet(CONFIG, jnp.dtype(options.dtype))
        self.noise, self.context = jnp.asarray(noise), jnp.asarray(context)
        self.null = jnp.zeros_like(self.context[:1])
        self.trajectory = Schedule().trajectory(options.steps)

    def run(self) -> np.ndarray:
        """Latents (n, h, w, c)."""
        found = sample(
            self.unet,
            self.params,
            self.noise,
            self.trajectory,
            [self.context],
            [self.null],
            guidance=GUIDANCE,
        )
        return np.asarray(found)


class Theirs:
    """The UNet and scheduler of diffusers, in its pipelines' loop; compiled on a GPU."""

    def __init__(self, options: Any, noise: np.ndarray, context: np.ndarray) -> None:
        register_operators_of_torchvision()
        from diffusers import DDIMScheduler, UNet2DConditionModel

        torch.manual_seed(0)
        self.unet = UNet2DConditionModel(
            in_channels=CONFIG.latent_channels,
            out_channels=CONFIG.latent_channels,
            block_out_channels=CONFIG.channels,
            down_block_types=["CrossAttn" * a + "DownBlock2D" for a in CONFIG.attention],
            up_block_types=["CrossAttn" * a + "UpBlock2D" for a in CONFIG.attention[::-1]],
            layers_per_block=CONFIG.blocks,
            attention_head_dim=CONFIG.heads,
            cross_attention_dim=CONFIG.contexts[0],
            norm_num_groups=CONFIG.groups,
        ).eval()
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.dtype = getattr(torch, options.dtype)
        self.scheduler = DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        )
        self.scheduler.set_timesteps(options.steps)
        given = torch.tensor(context, device=self.device, dtype=self.dtype)
        self.both = torch.cat([torch.zeros_like(given), given])
        self.noise = torch.tensor(np.moveaxis(noise, 3, 1).copy(), device=self.device)
        self.model = self.unet

    def arrays(self) -> dict[str, np.ndarray]:
        """The weights, before the model goes to a device."""
        found = {name: tensor.numpy().copy() for name, tensor in self.unet.state_dict().items()}
        self.model = self.unet.to(self.device, self.dtype)
        if self.device == "cuda":
            self.model = torch.compile(self.model, mode="reduce-overhead")
        return found

    @torch.no_grad()
    def run(self) -> np.ndarray:
        """Latents (n, h, w, c)."""
        x = self.noise
        for step in self.scheduler.timesteps:
            twice = torch.cat([x, x]).to(self.dtype)
            without, given = self.model(twice, step, self.both).sample.float().chunk(2)
            guided = without + GUIDANCE * (given - without)
            x = self.scheduler.step(guided, step, x).prev_sample
        return np.moveaxis(x.cpu().numpy(), 1, 3)


def register_operators_of_torchvision() -> None:
    """diffusers imports torchvision, which asks for these by name; a PyTorch for CPU lacks them."""
    try:
        import torchvision
    except RuntimeError:
        operators = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float threshold) -> Tensor")
        import torchvision  # noqa: F401


if __name__ == "__main__":
    main()
