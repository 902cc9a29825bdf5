"""The same GAN twice, from the same weights: a size in pixels and a width."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks.gan_step import peer, weights
from benchmarks.gan_step.peer_step import PeerStep
from fmri_jax import pretrained
from fmri_jax.data.preparation.folds import Trials
from fmri_jax.methods.gan.config import Config
from fmri_jax.methods.gan.method import GAN
from fmri_jax.methods.gan.pixels import PixelScale
from fmri_jax.methods.gan.state import GANState
from fmri_jax.methods.gan.step import TrainStep
from fmri_jax.networks import discriminator
from fmri_jax.training.batches import Batch

DEMO = {"width": 0.25, "hidden": 512, "discriminator_width": 0.5, "comparator_layers": ("relu5",)}
PUBLISHED = {"comparator_layers": ("pool5",)}


@dataclasses.dataclass(frozen=True)
class Setting:
    """A batch, and everything that our step takes beside it."""

    step: TrainStep
    state: GANState
    batch: Batch
    comparator: Any
    scale: PixelScale

    def arguments(self) -> tuple[GANState, Batch, Any, PixelScale]:
        """A fresh copy of the state, which the compiled step donates, and the rest."""
        return jax.tree.map(jnp.copy, self.state), self.batch, self.comparator, self.scale


def build(
    size: int, published: bool, batch: int, dropout: float, dtype: str = "float32"
) -> Setting:
    """Our side, on random responses and images; voxels as in the demo or in sub-01's VC."""
    config = Config(batch_size=batch, dtype=dtype, **(PUBLISHED if published else DEMO))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, size, size, 3), np.uint8)
    fmri = rng.standard_normal((batch, 11_726 if published else 3_000), np.float32)
    names = tuple(map(str, range(batch)))
    stimulus = np.arange(batch, dtype=np.int32)
    trials = Trials(fmri, stimulus, images, np.zeros(batch, np.int32), names)
    method = GAN(config)
    networks = method.networks(size, 3)
    networks = dataclasses.replace(
        networks, discriminator=networks.discriminator.clone(dropout=dropout)
    )
    state = method.initial_state(networks, trials, jax.random.key(1))
    return Setting(
        step=TrainStep(networks, config),
        state=state,
        batch=Batch(*map(jnp.asarray, (fmri, trials.targets(), stimulus))),
        comparator=pretrained.load("alexnet"),
        scale=PixelScale.of(images),
    )


def build_peer(ours: Setting, sharing: bool, channels_last: bool) -> PeerStep:
    """PyTorch's side, with a copy of our weights, on the GPU if JAX has one."""
    networks, config = ours.step.networks, ours.step.config
    generator, dropout = networks.generator, networks.discriminator.dropout
    size = generator.image_size

    def at(width: float, channels: int) -> int:
        return max(1, round(channels * width))

    stages = tuple(
        (at(config.width, doubled), refined and at(config.width, refined))
        for doubled, refined in generator.stages()
    )
    layers = tuple(
        (at(config.discriminator_width, features), kernel, stride)
        for features, kernel, stride in discriminator.fitting_layers(size)
    )
    voxels = ours.batch.fmri.shape[1]
    made = peer.Generator(voxels, size, stages, config.hidden, at(config.width, 256))
    judged = peer.Discriminator(layers, at(config.discriminator_width, 256), dropout)
    frozen = peer.Comparator(config.comparator_layers[0])
    params = (ours.state.generator.params, ours.state.discriminator.params, ours.comparator)
    for network, values in zip((made, judged, frozen), params, strict=True):
        weights.copy_to(network, values)
        network.to(device())
        if channels_last:
            network.to(memory_format=torch.channels_last)
    mean, deviation = (
        torch.tensor(np.array(x), device=device()).view(1, 3, 1, 1)
        for x in (ours.scale.mean, ours.scale.deviation)
    )
    bfloat16 = config.dtype == "bfloat16"
    return PeerStep(made, judged, frozen, config, mean, deviation, sharing, bfloat16)


def device() -> str:
    """PyTorch's name of the device that JAX runs on."""
    names = {"cpu": "cpu", "gpu": "cuda"}
    if (backend := jax.default_backend()) not in names:
        raise SystemExit(f"JAX runs on {backend}: expected cpu or gpu, on which PyTorch runs, too.")
    return names[backend]


def peer_batch(ours: Setting, channels_last: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Our batch as PyTorch's."""
    fmri, images = (torch.tensor(np.array(array), device=device()) for array in ours.batch[:2])
    images = images.permute(0, 3, 1, 2)
    return fmri, images if channels_last else images.contiguous()
