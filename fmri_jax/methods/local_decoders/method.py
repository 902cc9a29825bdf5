"""Local decoders as a method: from prepared trials to one linear map from voxels to pixels."""

import dataclasses
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.data.preparation import Trials
from fmri_jax.methods import RunContext
from fmri_jax.methods.local_decoders.bases import Basis, Size, basis, sizes_of
from fmri_jax.methods.local_decoders.combine import (
    by_channel,
    combination,
    equal_weights,
    learn,
    synthesise,
)
from fmri_jax.methods.local_decoders.decoders import ElementModel, fit_elements
from fmri_jax.methods.local_decoders.folds import groups_of, out_of_sample
from fmri_jax.methods.local_decoders.options import Config
from fmri_jax.methods.local_decoders.selection import select


@flax.struct.dataclass
class LocalReconstructor:
    """Fitted local decoders and how they are combined.

    Attributes:
        elements: predicts the contrast of every element.
        weights: (scales,), (elements,) or (elements, pixels), as they were learned.
        combination: (elements, pixels), the weights times each element's share in its pixels.
        shape: height, width and channels of the images.
        sizes: height and width of each scale.
    """

    elements: ElementModel
    weights: jax.Array
    combination: jax.Array
    shape: tuple[int, int, int] = flax.struct.field(pytree_node=False)
    sizes: tuple[Size, ...] = flax.struct.field(pytree_node=False)

    def reconstruct(self, fmri: jax.Array) -> jax.Array:
        """fMRI (n, voxels), standardised as in training -> images (n, h, w, c) in [0, 1]."""
        return jnp.clip(self.contrast(fmri), 0, 1)

    def contrast(self, fmri: jax.Array) -> jax.Array:
        """The same before it is clipped to [0, 1]."""
        return _contrast(self, jnp.asarray(fmri))


@jax.jit
def _contrast(model: LocalReconstructor, fmri: jax.Array) -> jax.Array:
    return synthesise(model.elements.predict(fmri), model.combination, model.shape)


@dataclasses.dataclass(frozen=True)
class LocalDecoders:
    """Multi-scale local decoders (Miyawaki et al. 2008); see `Config` for what it can be told."""

    config: Config

    def fit(self, trials: Trials, context: RunContext) -> LocalReconstructor:
        """Solves for all elements, and learns how to combine them on inner folds by stimulus."""
        images = trials.targets()
        return fit(
            trials.fmri, images, groups_of(images), self.config, context.key, mesh=context.mesh
        )


def fit(
    fmri: np.ndarray,
    images: np.ndarray,
    groups: np.ndarray,
    config: Config,
    key: jax.Array,
    mesh: jax.sharding.Mesh | None = None,
) -> LocalReconstructor:
    """Fits local decoders and their combination.

    Args:
        fmri: (n, voxels) float32.
        images: (n, height, width, channels) in [0, 1].
        groups: (n,) trials that inner folds keep together; one group leaves nothing to learn
            weights from, which then are equal.
        config: what is fitted.
        key: random key for the learned weights.
        mesh: devices that the elements are dealt over.
    """
    if config.select == "inner":
        config = select(fmri, images, groups, config, key, mesh)
    elements = basis(sizes_of(config.scales), *images.shape[1:3])
    weights = _weights(fmri, images, groups, elements, config, key, mesh)
    return LocalReconstructor(
        elements=fit_elements(fmri, images, elements, config, mesh),
        weights=jnp.asarray(weights),
        combination=jnp.asarray(combination(elements, weights)),
        shape=images.shape[1:],
        sizes=elements.sizes,
    )


def _weights(
    fmri: np.ndarray,
    images: np.ndarray,
    groups: np.ndarray,
    elements: Basis,
    config: Config,
    key: jax.Array,
    mesh: Any,
) -> np.ndarray:
    if config.weights == "equal" or len(np.unique(groups)) < 2:
        return equal_weights(elements)
    predictions = out_of_sample(fmri, images, groups, elements, config, mesh)
    return learn(config.weights, elements, *by_channel(predictions, images), key)
