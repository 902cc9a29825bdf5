"""IC-GAN as a method: from prepared trials to a fitted decoder."""

import dataclasses

import jax
import numpy as np

from fmri_jax import arrays as ops
from fmri_jax import priors
from fmri_jax.data.images import list_images, read_named, resize
from fmri_jax.data.preparation.folds import Trials
from fmri_jax.errors import InputError
from fmri_jax.linear import target_map
from fmri_jax.linear.gains import LARGEST_GAIN
from fmri_jax.methods import RunContext, averages, choice
from fmri_jax.methods.ic_gan.config import Config
from fmri_jax.methods.ic_gan.reconstructor import FEATURES, FIRST, NOISE, ICGANReconstructor
from fmri_jax.priors.ic_gan.inversion import Objective, invert
from fmri_jax.priors.ic_gan.prior import ICGANPrior
from fmri_jax.training import needs


@dataclasses.dataclass(frozen=True)
class ICGAN:
    """Linear maps to what a pretrained generator takes; see `Config`."""

    config: Config

    def fit(self, trials: Trials, context: RunContext) -> ICGANReconstructor:
        """Fits the maps by ridge; the generator stays as it is.

        Raises:
            InputError: the prior cannot be had, or does not fit the options.
        """
        config = self.config
        prior = load_prior(config)
        stimuli = len(np.unique(trials.stimulus))
        found = _needs(prior, trials, stimuli)
        if config.choice == "responses" and config.n_samples > 1:
            found += choice.needs_of(stimuli, trials.fmri.shape[1])
        needs.check(found, context, "a fit")
        rows, seen, decomposed = averages.decomposed(trials)
        shown = trials.images[seen]
        images = np.asarray(ops.as_rgb(jax.numpy.asarray(resize(shown, prior.image_size))))
        targets, error = {FEATURES: prior.embed(images, kept=True)}, None
        if config.decodes_noise:
            more, error = self._found(prior, images, targets[FEATURES], context)
            targets |= more
        alphas = {FEATURES: config.alpha, NOISE: config.noise_alpha, FIRST: config.first_alpha}
        largest = LARGEST_GAIN if config.gain == "out_of_fold" else 1
        penalties = {name: alphas[name] for name in targets}
        fitted = target_map.fit(decomposed, targets, penalties, largest)
        real = targets[FEATURES] if config.instance == "nearest" else None
        if real is not None and config.instances is not None:
            names = list_images(config.instances)
            if not names:
                raise InputError(
                    f"config.method.instances is {config.instances}: expected a folder or zip of "
                    "photographs."
                )
            photographs = read_named(config.instances, names, prior.image_size, context.progress)
            real = prior.embed(photographs, kept=True)
        encoding = None
        if config.choice == "responses" and config.n_samples > 1:
            encoding = choice.fit(shown, np.asarray(rows))
        height, width, channels = shown.shape[1:]
        recorded = (height, width, channels)
        return ICGANReconstructor(fitted, real, error, encoding, config, recorded, prior)

    def _found(
        self, prior: ICGANPrior, images: np.ndarray, features: np.ndarray, context: RunContext
    ) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Noise and activations of the training images, and the error of finding them."""
        config = self.config
        if not config.inversion_steps:
            return {NOISE: prior.encode(images)[1]}, None
        key = jax.random.fold_in(context.key, config.seed)
        found = invert(
            prior,
            images,
            features,
            key,
            Objective(first=config.first == "decoded"),
            n_steps=config.inversion_steps,
        )
        targets = {NOISE: found.noise}
        if found.first is not None:
            targets[FIRST] = found.first
        return targets, found.error


def _needs(prior: ICGANPrior, trials: Trials, stimuli: int) -> needs.Needs:
    """The images as the prior takes them, and the responses."""
    return needs.Needs(
        device=trials.fmri.nbytes,
        host=4 * stimuli * 3 * prior.image_size**2,
        cure="use a prior of smaller images (config.method.prior) or fewer voxels "
        "(config.preparation.roi)",
    )


def load_prior(config: Config) -> ICGANPrior:
    """The generator.

    Raises:
        InputError: it cannot be had, is of another kind, or has no encoder where one is needed.
    """
    prior = priors.load(config.prior, config.prior_weights)
    if not isinstance(prior, ICGANPrior):
        raise InputError(
            f"config.method.prior is {config.prior}, a {type(prior).__name__}: expected a "
            "generator under instances, such as small_ic_gan."
        )
    if config.noise == "decoded" and not config.inversion_steps and not prior.has_encoder:
        raise InputError(
            f"config.method.noise is 'decoded', and the prior {config.prior} has no encoder: "
            "expected inversion_steps, such as 300, that find the noise of the training images."
        )
    return prior
