"""A small GAN on random trials, compiled once for all tests of this folder."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax import pretrained
from fmri_jax.data.preparation.folds import Trials
from fmri_jax.methods.gan.config import Config
from fmri_jax.methods.gan.method import GAN
from fmri_jax.methods.gan.pixels import PixelScale
from fmri_jax.methods.gan.step import TrainStep
from fmri_jax.training.batches import Batch

SMALL = Config(
    n_steps=6,
    batch_size=8,
    image_weight=100.0,
    feature_weight=1.0,
    adversarial_weight=1.0,
    comparator_layers=("relu2",),
    width=1 / 16,
    hidden=16,
    discriminator_width=1 / 4,
    learning_rate=1e-3,
    log_every=2,
    checkpoint_every=3,
)


def random_trials() -> Trials:
    """24 trials of 12 random images of 32 pixels, 20 voxels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 32, 32, 3), np.uint8)
    stimulus = np.repeat(np.arange(12, dtype=np.int32), 2)
    fmri = rng.normal(size=(24, 20)).astype(np.float32)
    return Trials(fmri, stimulus, images, np.zeros(24, np.int32), tuple(map(str, range(12))))


@dataclasses.dataclass(frozen=True)
class Setting:
    """Everything that one step of the small GAN takes."""

    step: TrainStep
    state: object
    batch: Batch
    comparator: object
    scale: PixelScale

    def arguments(self):
        """A fresh copy of the state, which a jitted step may donate, and the rest."""
        copy = jax.tree.map(jnp.copy, self.state)
        return copy, self.batch, self.comparator, self.scale


def build_setting(trials: Trials, **changes) -> Setting:
    """The small GAN with some options changed, before its first step."""
    config = dataclasses.replace(SMALL, **changes)
    method = GAN(config)
    networks = method.networks(32, 3)
    stimulus = trials.stimulus[:8]  # all twelve images are shown, so these are their rows
    batch = Batch(*map(jnp.asarray, (trials.fmri[:8], trials.targets()[:8], stimulus)))
    return Setting(
        TrainStep(networks, config),
        method.initial_state(networks, trials, jax.random.key(1)),
        batch,
        pretrained.load("alexnet"),
        PixelScale.of(trials.images),
    )


@pytest.fixture(scope="session")
def trials() -> Trials:
    return random_trials()


@pytest.fixture
def setting(trials):
    return functools.partial(build_setting, trials)
