"""Brain-Diffuser as a method: from prepared trials to a fitted decoder."""

import dataclasses

import numpy as np

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.evaluation.repeats import average_by_stimulus
from fmri_jax.linear import target_map
from fmri_jax.methods import RunContext
from fmri_jax.methods.brain_diffuser import choice, conditions
from fmri_jax.methods.brain_diffuser.config import Config
from fmri_jax.methods.brain_diffuser.priors import as_prior_takes, latents_of, load_priors
from fmri_jax.methods.brain_diffuser.reconstructor import BrainDiffuserReconstructor


@dataclasses.dataclass(frozen=True)
class BrainDiffuser:
    """Two linear maps into the latents of pretrained generative models; see `Config`."""

    config: Config

    def fit(self, trials: Trials, context: RunContext) -> BrainDiffuserReconstructor:
        """Fits both maps by ridge; the priors stay as they are.

        Raises:
            InputError: a prior cannot be had, or does not fit the options.
        """
        config = self.config
        first, second = load_priors(config)
        rows, seen = average_by_stimulus(trials.fmri, trials.stimulus)
        images = trials.images[seen]
        with_gains = config.gain == "out_of_fold"
        latents = embeddings = encoding = None
        if first is not None:
            targets = latents_of(first, images, config)
            shared: dict[str, float | None] = dict.fromkeys(targets, config.alpha)
            latents = target_map.fit(rows, targets, shared, with_gains)
        if second is not None:
            resized = as_prior_takes(images, second.image_size)
            targets = conditions.of_training(second, trials, seen, resized)
            of_each = {"image": config.image_alpha, "text": config.text_alpha}
            own = {name: of_each[name] for name in targets}
            embeddings = target_map.fit(rows, targets, own, with_gains)
        if config.choice == "responses" and config.n_samples > 1:
            encoding = choice.fit(images, np.asarray(rows))
        return BrainDiffuserReconstructor(
            images, latents, embeddings, encoding, config, first, second
        )
