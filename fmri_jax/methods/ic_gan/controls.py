"""Controls: what the generator makes without brain input.

A generator makes plausible pictures of any instance. What a picture owes to the responses shows
beside those of instances that were drawn, which must be identified at chance.
"""

import functools
from typing import TYPE_CHECKING

import jax
import numpy as np

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.evaluation.baselines import Predict
from fmri_jax.priors.ic_gan.prior import unit_length

if TYPE_CHECKING:
    from fmri_jax.methods.ic_gan.reconstructor import ICGANReconstructor


def offered(fitted: "ICGANReconstructor", number: int) -> dict[str, Predict]:
    """The controls, by their names in `evaluation.baselines`.

    Args:
        fitted: on the fold.
        number: of the fold, a seed.
    """
    return {"prior_samples": functools.partial(_prior, fitted, number)}


def _prior(fitted: "ICGANReconstructor", number: int, trials: Trials) -> np.ndarray:
    """Training images as instances, drawn with replacement, and noise drawn for each row."""
    n, config = len(trials.fmri), fitted.config
    key = jax.random.fold_in(jax.random.key(config.seed), number + 1)  # not those of samples
    of_instances, of_noise = jax.random.split(key)
    known = unit_length(fitted.training_features)
    rows = np.asarray(jax.random.randint(of_instances, (n,), 0, len(known)))
    noise = fitted.prior.draw_noise(n, of_noise, config.truncation)
    return fitted.as_recorded(fitted.prior.generate(known[rows], noise))
