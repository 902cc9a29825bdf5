"""The GAN as a method: from prepared trials to a trained generator."""

import dataclasses
import math
import pathlib
import shutil
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from fmri_jax import pretrained
from fmri_jax.data.preparation.folds import Trials
from fmri_jax.errors import InputError
from fmri_jax.features.registry import NETWORKS
from fmri_jax.methods import RunContext, pixel_decoders, responses
from fmri_jax.methods.gan.config import Config
from fmri_jax.methods.gan.initial import bits, start_network
from fmri_jax.methods.gan.pixels import PixelScale
from fmri_jax.methods.gan.reconstructor import GANReconstructor
from fmri_jax.methods.gan.sharding import shardings
from fmri_jax.methods.gan.state import (
    AveragedState,
    GANState,
    Gate,
    discriminator_optimiser,
    generator_optimiser,
)
from fmri_jax.methods.gan.step import Features, Networks, TrainStep, jitted_steps
from fmri_jax.methods.gan.targets import comparator_targets, feature_shapes, features_in_blocks
from fmri_jax.methods.pixel_decoders import PixelDecoder
from fmri_jax.methods.responses import Responses
from fmri_jax.networks import Discriminator, Generator
from fmri_jax.networks.refiner import Refiner
from fmri_jax.training import loop, needs
from fmri_jax.training.batches import DEVICE_LIMIT, Batches
from fmri_jax.training.dispatch import steps_at_once
from fmri_jax.training.host_memory import keep_freed_memory
from fmri_jax.training.mesh import in_this_process, put, replicate, together


def _needs(trials: Trials, config: Config) -> needs.Needs:
    """The trials, on the device or on disk; the loop adds networks and checkpoints."""
    n_bytes = trials.fmri.nbytes + trials.images.nbytes
    if config.refines:  # coefficients of the images, decoded ones, and what is refined
        n_bytes += 3 * 4 * trials.images[:1].size * len(np.unique(trials.stimulus))
    resident = n_bytes <= DEVICE_LIMIT
    return needs.Needs(
        device=n_bytes if resident else 0,
        disk=0 if resident else n_bytes,
        cure="use smaller images (config.preparation.image_size) or fewer voxels "
        "(config.preparation.roi)",
    )


def _remove(records: pathlib.Path) -> None:
    """Removes a fold's records; what cannot be removed is reported, and costs only its space."""
    try:
        if records.exists():
            shutil.rmtree(records)
        if records.parent.exists() and not any(records.parent.iterdir()):
            records.parent.rmdir()
    except OSError as error:
        logging.warning(
            "%s cannot be removed (%s): no step needs it any more; delete it by hand.",
            records,
            error,
        )


def _encoding(
    step: TrainStep,
    comparator: Any,
    images: np.ndarray,
    targets: Features | None,
    trials: Trials,
    context: RunContext,
) -> Responses | None:
    """The encoding model of the training trials, where a term needs it."""
    if not step.config.response_weight:
        return None
    shapes = feature_shapes(step, comparator, images)
    n_bytes = [4 * len(images) * math.prod(shape) for shape in shapes.values()]  # before pooling
    whole = needs.Needs(device=max(n_bytes), host=sum(n_bytes))
    needs.check(responses.needs_of(shapes, trials) + whole, context, "an encoding model")
    features: Any = in_this_process(targets)
    if features is None:
        features = features_in_blocks(step, comparator, images)
    return replicate(Responses.of(responses.fit(features, trials)), context.mesh)


@dataclasses.dataclass(frozen=True)
class GAN:
    """End-to-end GAN of Shen et al. (2019); see `Config` for its options."""

    config: Config
    trains_together: ClassVar[bool] = True

    def fit(self, trials: Trials, context: RunContext) -> GANReconstructor:
        """Trains on the given trials, resuming from the latest checkpoint of this fold.

        Raises:
            InputError: the images do not fit the crop, comparator or devices.
            NotFiniteError: training diverged.
        """
        config = self.config
        needs.check(_needs(trials, config), context, "a training's data")
        start = None
        if config.refines:
            start, made = pixel_decoders.fit(config.start, trials)
            trials = pixel_decoders.in_place_of_responses(made, trials)
        if config.n_steps is None:
            config = config.for_rows(len(trials.fmri))
            return dataclasses.replace(self, config=config)._fit(trials, start, context)
        return self._fit(trials, start, context)

    def _fit(
        self, trials: Trials, start: PixelDecoder | None, context: RunContext
    ) -> GANReconstructor:
        """The same of what the generator is given, with a number of steps."""
        config = self.config
        size, channels = self._image_shape(trials)
        if context.mesh.devices.flat[0].platform == "cpu":
            keep_freed_memory()
        networks = self.networks(size, channels)
        step = TrainStep(networks, config)
        images = trials.images[np.unique(trials.stimulus)]
        scale = replicate(PixelScale.of(images), context.mesh)
        comparator = replicate(self._comparator_weights(), context.mesh)
        targets = comparator_targets(step, comparator, images, context.mesh)
        encoding = _encoding(step, comparator, images, targets, trials, context)
        initial, data = jax.random.split(context.key)
        state = self.initial_state(networks, trials, initial)
        if config.shard_dense:
            state = put(state, shardings(state, context.mesh))
        else:
            state = replicate(state, context.mesh)
        seed = int(jax.random.randint(data, (), 0, jnp.iinfo(jnp.int32).max))
        steps = jitted_steps(step, context.mesh if config.shard_dense else None)
        state = self._train(
            lambda state, batches: steps(state, batches, comparator, scale, targets, encoding),
            state,
            trials,
            seed,
            context,
        )
        learned = state.average if isinstance(state, AveragedState) else state.generator.params
        params = in_this_process(replicate(learned, context.mesh))
        return GANReconstructor(params, in_this_process(scale), networks.generator, start, size)

    def _train(
        self,
        steps: loop.Steps[GANState],
        state: GANState,
        trials: Trials,
        seed: int,
        context: RunContext,
    ) -> GANState:
        """The loop over batches of the trials, whose order `seed` decides.

        Trials that outgrow the device are read from records, which only then are written. A run
        that resumes writes them again, so that they need not outlive the training of their fold.
        """
        records = context.workdir / "records" / context.fold.replace(" ", "_")
        try:
            batches = Batches(trials, self.config.batch_size, seed, context.mesh, records=records)
            options = self._loop_options(context)
            state = loop.train(steps, state, batches, options, context.workdir, context.fold)
            del batches  # closes the records
            together()
        finally:
            if jax.process_index() == 0:
                _remove(records)
        return state

    def networks(self, size: int, channels: int) -> Networks:
        """The networks for images of `size` pixels with `channels` channels."""
        config, dtype = self.config, jnp.dtype(self.config.dtype)
        generator: Generator | Refiner = Refiner(config.width, dtype)
        if not config.refines:
            generator = Generator(size, channels, config.width, config.hidden, dtype)
        return Networks(
            generator=generator,
            discriminator=Discriminator(width=config.discriminator_width, dtype=dtype),
            comparator=NETWORKS[config.comparator].module(dtype),
        )

    def _comparator_weights(self) -> Any:
        """Frozen parameters of the comparator; none where no term needs it."""
        config = self.config
        if not config.compares:
            return {}
        return pretrained.load(config.comparator, config.comparator_weights)

    def initial_state(self, networks: Networks, trials: Trials, key: jax.Array) -> GANState:
        """Random networks, fresh optimisers, step 0."""
        size, channels = self._image_shape(trials)
        keys = jax.random.split(key, 3)
        image = jnp.zeros((1, size, size, channels))
        given = image
        if not self.config.refines:
            given = jnp.zeros((1, trials.fmri.shape[1]))
        discriminator = None
        if self.config.adversarial_weight:
            discriminator = start_network(
                networks.discriminator,
                (("train", False),),
                discriminator_optimiser,
                self.config,
                image,
                bits(keys[1]),
            )
        generator = start_network(
            networks.generator, (), generator_optimiser, self.config, given, bits(keys[0])
        )
        fields = (jnp.array(0), keys[2], generator, discriminator, Gate.open())
        if not self.config.averaging:
            return GANState(*fields)
        return AveragedState(*fields, jax.tree.map(jnp.copy, generator.params))

    def _image_shape(self, trials: Trials) -> tuple[int, int]:
        """Side in pixels of the images that the networks see, and their channels."""
        _, height, width, channels = trials.images.shape
        if height != width:
            raise InputError(
                f"images are {height} x {width} pixels: the generator needs square ones; set "
                "config.preparation.image_size."
            )
        if self.config.crop and self.config.crop > height:
            raise InputError(
                f"config.method.crop is {self.config.crop} but the prepared images have {height} "
                "pixels: set config.preparation.image_size above the crop."
            )
        return self.config.crop or height, channels

    def _loop_options(self, context: RunContext) -> loop.LoopOptions:
        config = self.config
        weights = {
            "image": config.image_weight,
            "feature": config.feature_weight,
            "adversarial": config.adversarial_weight,
            "responses": config.response_weight,
        }
        return loop.LoopOptions(
            n_steps=config.total_steps,
            log_every=config.log_every,
            checkpoint_every=config.checkpoint_every,
            show=tuple(name for name, weight in weights.items() if weight),
            progress=context.progress,
            steps_per_dispatch=steps_at_once(config.steps_per_dispatch),
        )
