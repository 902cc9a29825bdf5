"""Controls: what this method makes without brain input, or told wrongly what was seen.

Generative priors make plausible pictures of anything. What a picture owes to the responses shows
beside samples of the prior alone, which must be identified at chance, and beside pictures whose
second stage was given the embeddings of another stimulus.

References:
    Shirakawa et al. (2024), "Spurious reconstruction from brain activity", arXiv:2405.10078;
    Mayo et al. (2024), "BrainBits", arXiv:2411.02783.
"""

import functools
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.data.preparation.folds import Fold, Trials
from fmri_jax.evaluation.baselines import Predict
from fmri_jax.evaluation.repeats import of_another_stimulus

if TYPE_CHECKING:
    from fmri_jax.methods.brain_diffuser.reconstructor import BrainDiffuserReconstructor


def offered(fitted: "BrainDiffuserReconstructor", fold: Fold, number: int) -> dict[str, Predict]:
    """The controls that the options allow, by their names in `evaluation.baselines`.

    Args:
        fitted: on the fold.
        fold: its trials.
        number: of the fold, a seed.
    """
    found: dict[str, Predict] = {"prior_samples": functools.partial(_prior, fitted, number)}
    if fitted.conditions is not None:
        shuffled = functools.partial(_shuffled, fitted, fold.train, number)
        found["shuffled_embeddings"] = shuffled
        if fitted.latents is not None:
            found["first_stage"] = lambda trials: fitted.first_stage(trials.fmri)
    return found


def _prior(fitted: "BrainDiffuserReconstructor", number: int, trials: Trials) -> np.ndarray:
    """The whole pipeline, with draws from the prior in the place of all that is decoded.

    The first stage's latents are drawn. The second stage starts from that image, as always, and is
    told nothing: a guidance of 0 leaves the prediction without condition.
    """
    config, n = fitted.config, len(trials.fmri)
    key = jax.random.fold_in(jax.random.key(config.seed), number + 1)  # not those of samples
    of_first, of_second = jax.random.split(key)
    layout = None if fitted.first is None else fitted.first.sample(n, of_first)
    if fitted.second is None:
        return fitted.as_recorded(np.asarray(layout))
    nothing = {
        kind: np.zeros((n, *condition.shape), np.float32)
        for kind, condition in fitted.second.conditions.items()
    }
    return fitted.picture(nothing, layout, of_second, guidance=0.0)


def _shuffled(
    fitted: "BrainDiffuserReconstructor", train: Trials, number: int, trials: Trials
) -> np.ndarray:
    """Each row's own layout, under the embeddings that were decoded for another stimulus.

    A set of one stimulus takes those of training trials.
    """
    wrong = of_another_stimulus(trials.stimulus, seed=number)
    others = train.fmri if wrong is None else trials.fmri[wrong]
    if wrong is None:
        different = np.flatnonzero(train.stimulus != trials.stimulus[0])
        order = np.random.default_rng(number).permutation(different)
        others = others[np.resize(order, len(trials.fmri))]
    return fitted.sample_with(jnp.asarray(trials.fmri), jnp.asarray(others))
