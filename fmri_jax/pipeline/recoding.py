"""Folds whose responses a map replaces by other numbers before a method learns from them.

A linear bottleneck: how well a method still does through a few numbers says how much of its images
comes from the responses and how much from what it knows of images (BrainBits, Mayo et al. 2024,
arXiv:2411.02783). Components of a kernel (`linear.kernel`): linear methods become kernel methods.
"""

import dataclasses

import numpy as np

from fmri_jax import methods
from fmri_jax.data.preparation.folds import Fold, Trials
from fmri_jax.errors import InputError
from fmri_jax.evaluation.repeats import average_by_stimulus
from fmri_jax.linear import bottleneck, dual_ridge, kernel
from fmri_jax.linear.recodings import Recoding
from fmri_jax.pipeline.experiment_config import Experiment


def recoded(options: Experiment, fold: Fold) -> Fold:
    """The fold with what `config.preparation` asks for in the place of its voxels.

    `bottleneck` numbers, or the components of `kernel`. They are learned from the training trials,
    to predict what the method decodes: the targets that its package names, or pixels; each array of
    targets counts alike.

    Raises:
        InputError: training allows fewer numbers, or has several trials of a stimulus, which a
            kernel does not take.
    """
    preparation = options.preparation
    if preparation.bottleneck is None and preparation.kernel == "linear":
        return fold
    rows, seen, row = _stimuli(fold.train)
    gram = np.zeros((len(rows), len(rows)))
    targets = methods.decoded_targets(options.method_name, options.method_config, fold.train, seen)
    for array in targets.values():
        products = np.asarray(dual_ridge.gram(np.asarray(array, np.float32)), np.float64)
        gram += products / max(np.trace(products), 1e-300)
    recoding: Recoding
    if preparation.bottleneck is None:
        if len(rows) < len(row):  # single trials lie elsewhere than averages
            raise InputError(
                f"config.preparation.kernel is {preparation.kernel!r} and training has {len(row)} "
                f"trials of {len(rows)} stimuli: expected one average of each; set "
                "config.preparation.average_repeats to 'all'."
            )
        recoding = kernel.fit(rows, gram)
        codes = recoding(fold.train.fmri)
    else:
        given = rows, gram, preparation.bottleneck, fold.train.fmri, row
        recoding, codes = bottleneck.fit(*given)
    tests = {
        name: dataclasses.replace(trials, fmri=recoding(trials.fmri), responses=trials.fmri)
        for name, trials in fold.tests.items()
    }
    train = dataclasses.replace(fold.train, fmri=codes, responses=fold.train.fmri)
    return dataclasses.replace(fold, train=train, tests=tests, recoding=recoding)


def _stimuli(trials: Trials) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average responses of each stimulus, the stimuli, and the place of each trial's among them."""
    rows, seen = average_by_stimulus(trials.fmri, trials.stimulus)
    return rows, seen, np.searchsorted(seen, trials.stimulus)
