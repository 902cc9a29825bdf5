"""Brain-Diffuser as a method: from prepared trials to a fitted decoder."""

import dataclasses
import math
from typing import Any

import numpy as np

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.linear import target_map
from fmri_jax.linear.gains import LARGEST_GAIN
from fmri_jax.methods import RunContext, averages, choice
from fmri_jax.methods.brain_diffuser import conditions
from fmri_jax.methods.brain_diffuser.config import Config
from fmri_jax.methods.brain_diffuser.priors import as_prior_takes, latents_of, load_priors
from fmri_jax.methods.brain_diffuser.reconstructor import BrainDiffuserReconstructor
from fmri_jax.training import needs


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
        found = _needs(config, trials, len(np.unique(trials.stimulus)), first, second)
        needs.check(found, context, "a fit")
        rows, seen, decomposed = averages.decomposed(trials)
        images = trials.images[seen]
        enlarged = config.gain == "out_of_fold"
        latents = embeddings = encoding = None
        of_first, of_second = targets(config, first, second, trials, seen)
        if of_first is not None:
            shared: dict[str, float | None] = dict.fromkeys(of_first, config.alpha)
            latents = target_map.fit(decomposed, of_first, shared, LATENT_GAIN if enlarged else 1)
        if of_second is not None:
            of_each = {"image": config.image_alpha, "text": config.text_alpha}
            own = {name: of_each[name] for name in of_second}
            embeddings = target_map.fit(decomposed, of_second, own, LARGEST_GAIN if enlarged else 1)
        if config.choice == "responses" and config.n_samples > 1:
            encoding = choice.fit(images, np.asarray(rows))
        return BrainDiffuserReconstructor(
            images, latents, embeddings, encoding, config, first, second
        )


def _needs(config: Config, trials: Trials, stimuli: int, first: Any, second: Any) -> needs.Needs:
    """Latents and embeddings of the training images, as targets and as parts of the maps."""
    shapes = [] if first is None else list(first.latent_shapes[: config.n_layers])
    shapes += [] if second is None else [each.shape for each in second.conditions.values()]
    targets = 4 * stimuli * sum(map(math.prod, shapes))
    found = needs.Needs(
        device=targets + trials.fmri.nbytes,
        host=targets,
        disk=targets,
        cure="decode fewer latents (config.method.n_layers)",
    )
    if config.choice == "responses" and config.n_samples > 1:
        found += choice.needs_of(stimuli, trials.fmri.shape[1])
    return found


# A latent of which ridge keeps less than half of the dispersion is noise for the larger part. On
# stimuli left out of the simulated subject's training, a limit of 2 is ahead of 10 in pixel
# correlation (.588, .532), SSIM, squared error, AlexNet and LPIPS, behind it in detail and
# EfficientNet (block 3 .778, .828); and ahead of no gains in all but pixel correlation and SSIM.
LATENT_GAIN = 2.0

Targets = dict[str, np.ndarray]  # block or condition -> (stimuli, ...)


def targets(
    config: Config, first: Any, second: Any, trials: Trials, seen: np.ndarray
) -> tuple[Targets | None, Targets | None]:
    """What is decoded of images: latents, and embeddings; None of a stage that is left out.

    Args:
        config: the options.
        first: the VAE, or None.
        second: the diffusion model, or None.
        trials: that show the images, for captions.
        seen: (stimuli,) indices of the images.

    Raises:
        InputError: a prior does not fit the options.
    """
    images = trials.images[seen]
    latents = None if first is None else latents_of(first, images, config)
    if second is None:
        return latents, None
    resized = as_prior_takes(images, second.image_size)
    return latents, conditions.of_training(second, trials, seen, resized, config.image_share)
