"""Ridge regression as a method: the baseline's solver, fitted to prepared trials."""

import dataclasses
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.evaluation import baselines
from fmri_jax.methods import RunContext
from fmri_jax.methods.blocks import in_blocks
from fmri_jax.methods.ridge.config import Config
from fmri_jax.training import needs


@flax.struct.dataclass
class RidgeReconstructor:
    """A fitted map from voxels to pixels, as two factors."""

    fitted: baselines.RidgeBaseline
    image_shape: tuple[int, int, int] = flax.struct.field(pytree_node=False)

    def reconstruct(self, fmri: jax.Array) -> jax.Array:
        """fMRI (n, voxels), standardised as in training -> images (n, h, w, c) in [0, 1]."""

        def images(block: jax.Array) -> jax.Array:
            return self.fitted.predict(block).reshape(-1, *self.image_shape)

        return in_blocks(images, fmri)

    def summary(self) -> dict[str, str | float]:
        """The penalty that was chosen, scikit-learn's alpha, and how many components it acts on."""
        return {
            "penalty": float(self.fitted.penalty),
            "components": int(np.count_nonzero(np.any(self.fitted.to_components, axis=0))),
        }

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arrays by name, and the shape of the images."""
        arrays = {name: np.asarray(array) for name, array in self.fitted._asdict().items()}
        return arrays, {"image_shape": list(self.image_shape)}

    @classmethod
    def restore(cls, arrays: dict[str, Any], options: dict[str, Any]) -> "RidgeReconstructor":
        """The map whose `state()` gave these."""
        fitted = baselines.RidgeBaseline(**{k: jnp.asarray(array) for k, array in arrays.items()})
        height, width, channels = options["image_shape"]
        return cls(fitted, (height, width, channels))


def _needs(trials: Trials, config: Config) -> needs.Needs:
    """The decomposed responses, the components, and what these predict of all pixels.

    Where rows pass at once (`baselines.ridge`), also the images of all and matrices of rows x rows.
    """
    n, voxels = trials.fmri.shape
    pixels, stimuli = trials.images[0].size, len(np.unique(trials.stimulus))
    if config.average:
        n = stimuli
    at_once = n <= voxels or config.choose == "identification"
    fitted = 4 * min(n, voxels) * (voxels + pixels)
    return needs.Needs(
        device=fitted + 4 * n * voxels + (8 * n * n if at_once else 0),
        host=4 * n * (pixels if at_once else voxels),
        disk=fitted,
        cure="use fewer voxels (config.preparation.roi) or smaller images "
        "(config.preparation.image_size)",
    )


@dataclasses.dataclass(frozen=True)
class Ridge:
    """Ridge regression from voxels to pixels; see `fmri_jax.evaluation.baselines.ridge`."""

    config: Config

    def fit(self, trials: Trials, context: RunContext) -> RidgeReconstructor:
        """Chooses the penalty and solves for all pixels.

        Raises:
            InputError: the trials show fewer than two stimuli.
        """
        height, width, channels = trials.images.shape[1:]
        needs.check(_needs(trials, self.config), context, "a fit")
        fitted = baselines.ridge(
            trials.fmri,
            trials.stimulus,
            trials.images,
            penalties=self.config.penalties,
            average=self.config.average,
            choose=self.config.choose,
        )
        return RidgeReconstructor(fitted, (height, width, channels))
