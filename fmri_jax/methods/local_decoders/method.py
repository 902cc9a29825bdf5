"""Local decoders as a method: from prepared trials to one linear map from voxels to pixels."""

import contextlib
import dataclasses
import warnings
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from fmri_jax.config import section
from fmri_jax.data.preparation.folds import Trials
from fmri_jax.methods import RunContext
from fmri_jax.methods.blocks import in_blocks
from fmri_jax.methods.local_decoders.bases import Basis
from fmri_jax.methods.local_decoders.combine import (
    by_channel,
    combination,
    equal_weights,
    learn,
    synthesise,
)
from fmri_jax.methods.local_decoders.decoders import SHARED, ElementModel
from fmri_jax.methods.local_decoders.options import REGULARISATION, Config
from fmri_jax.methods.local_decoders.selection import select
from fmri_jax.methods.local_decoders.training import TrainingSet, groups_of
from fmri_jax.training import needs


@flax.struct.dataclass
class LocalReconstructor:
    """Fitted local decoders and how they are combined.

    Attributes:
        elements: predicts the contrast of every element.
        weights: (scales,), (elements,) or (elements, pixels), as they were learned.
        combination: (elements, pixels), the weights times each element's share in its pixels.
        shape: height, width and channels of the images.
        config: what was fitted; where it was chosen on inner folds, the choice.
    """

    elements: ElementModel
    weights: jax.Array
    combination: jax.Array
    shape: tuple[int, int, int] = flax.struct.field(pytree_node=False)
    config: Config = flax.struct.field(pytree_node=False)

    @property
    def basis(self) -> Basis:
        """The elements."""
        return self.config.basis(*self.shape[:2])

    def summary(self) -> dict[str, str | float]:
        """What was fitted, in words and numbers: decoder, scales, regularisation, scale weights."""
        config, names = self.config, self.basis.names()
        options = {name: getattr(config, name) for name in REGULARISATION[config.decoder]}
        if "alpha" in options:
            options["alpha"] = config.penalty
        if "n_voxels" in options:  # more than there are is a way to ask for all
            options["n_voxels"] = min(config.n_voxels, len(self.elements.coef))
        learned = self.weights if config.weights == "learned" else ()
        return {
            "decoder": config.decoder,
            "scales": ", ".join(names),
            "weights": config.weights,
            **options,
            **{
                f"weight of {name}": round(float(weight), 4)
                for name, weight in zip(names, learned, strict=False)
            },
        }

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self.shape

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arrays by name, and the config."""
        arrays = {
            "coef": self.elements.coef,
            "intercept": self.elements.intercept,
            "weights": self.weights,
            "combination": self.combination,
        }
        options = {
            "config": dataclasses.asdict(self.config),
            "shape": list(self.shape),
            "logistic": self.elements.logistic,
        }
        return {name: np.asarray(array) for name, array in arrays.items()}, options

    @classmethod
    def restore(cls, arrays: dict[str, Any], options: dict[str, Any]) -> "LocalReconstructor":
        """The decoders whose `state()` gave these."""
        arrays = {name: jnp.asarray(array) for name, array in arrays.items()}
        height, width, channels = options["shape"]
        return cls(
            elements=ElementModel(arrays["coef"], arrays["intercept"], options["logistic"]),
            weights=arrays["weights"],
            combination=arrays["combination"],
            shape=(height, width, channels),
            config=section(Config, options["config"], "config"),
        )

    def reconstruct(self, fmri: jax.Array | np.ndarray) -> jax.Array:
        """fMRI (n, voxels), standardised as in training -> images (n, h, w, c) in [0, 1]."""
        return jnp.clip(in_blocks(self.contrast, jnp.asarray(fmri)), 0, 1)

    def contrast(self, fmri: jax.Array | np.ndarray) -> jax.Array:
        """The same before it is clipped to [0, 1]."""
        return _contrast(self, jnp.asarray(fmri))


@jax.jit
def _contrast(model: LocalReconstructor, fmri: jax.Array) -> jax.Array:
    return synthesise(model.elements.predict(fmri), model.combination, model.shape)


def _needs(trials: Trials, config: Config) -> needs.Needs:
    """The decoders, what they predict out of sample, and the images of all trials."""
    n, voxels = trials.fmri.shape
    height, width, channels = trials.images.shape[1:]
    elements = config.basis(height, width).n_elements
    decoders = 4 * voxels * elements * channels
    combined = 4 * elements * height * width
    return needs.Needs(
        device=decoders + combined,
        host=4 * n * (elements * channels + height * width * channels),
        disk=decoders + combined,
        cure="use smaller images (config.preparation.image_size), fewer scales "
        "(config.method.scales) or fewer voxels (config.preparation.roi)",
    )


@dataclasses.dataclass(frozen=True)
class LocalDecoders:
    """Multi-scale local decoders (Miyawaki et al. 2008); see `Config` for its options."""

    config: Config

    def fit(self, trials: Trials, context: RunContext) -> LocalReconstructor:
        """Solves for all elements, and learns how to combine them on inner folds by stimulus."""
        mesh = context.mesh if context.mesh.size > 1 else None
        found = _needs(trials, self.config)
        needs.check(found, context, "a fit")
        return fit(training_set(trials, mesh), self.config, context.key)


def training_set(trials: Trials, mesh: jax.sharding.Mesh | None = None) -> TrainingSet:
    """The training set of these trials; configs that are fitted to the same trials share it."""

    def build() -> TrainingSet:
        images = trials.targets()
        return TrainingSet(trials.fmri, images, groups_of(images), mesh)

    return trials.once(("local decoders", mesh), build)


def fit(training: TrainingSet, config: Config, key: jax.Array) -> LocalReconstructor:
    """Fits local decoders and their combination.

    Args:
        training: the trials; where they have no inner folds there is nothing to learn weights
            from, and these are equal.
        config: what is fitted.
        key: random key for the learned weights.
    """
    with _one_thread_each(config, training.fmri.shape[1]):
        # Before the threads are given back, what was dispatched must be done.
        return jax.block_until_ready(_fit(training, config, key))


def left_out(training: TrainingSet, fitted: LocalReconstructor) -> np.ndarray:
    """(n, height, width, channels) of training trials, each by decoders that never saw its group.

    The elements are combined as in `fitted`, which learned that of the same predictions.
    """
    config = fitted.config
    with _one_thread_each(config, training.fmri.shape[1]):
        elements = jnp.asarray(training.out_of_sample(config))
    return np.asarray(synthesise(elements, fitted.combination, fitted.shape))


def _one_thread_each(config: Config, n_voxels: int) -> contextlib.AbstractContextManager[Any]:
    """LAPACK with one thread, where it solves many small systems and not a few large ones.

    Its threads wait for each other, busily: beside other work a fit took ten times as long.
    """
    shared = config.decoder in SHARED and config.n_voxels >= n_voxels
    few = shared or config.decoder == "receptive_fields"
    if few and config.select != "inner":
        return contextlib.nullcontext()
    return threadpool_limits(1, "blas")


def _fit(training: TrainingSet, config: Config, key: jax.Array) -> LocalReconstructor:
    learns = config.select == "inner" or config.weights != "equal"
    if learns and not training.has_inner_folds(config.n_inner):
        config = _equal(config, "leave a single image to learn from")
    if config.select == "inner":
        config = select(training, config, key)
    elements = training.basis(config)
    weights = equal_weights(elements)
    if config.weights != "equal":
        rows = by_channel(training.out_of_sample(config), training.images)
        learned = learn(config.weights, elements, *rows, key)
        if np.any(learned > 0) or not np.any(training.images):
            weights = learned
        else:
            config = _equal(config, "predict no image that was left out, and all weights are zero")
    return LocalReconstructor(
        elements=training.model(config),
        weights=jnp.asarray(weights),
        combination=jnp.asarray(combination(elements, weights)),
        shape=training.shape,
        config=config,
    )


def _equal(config: Config, why: str) -> Config:
    """The config with nothing to learn on inner folds; warns whoever called the estimator."""
    warnings.warn(
        f"with weights={config.weights!r} and select={config.select!r}, inner folds {why}: scales "
        "are weighted equally and nothing is chosen; give more distinct training images, at least "
        "3 in each fold, or more inner folds (n_inner).",
        stacklevel=5,
    )
    return dataclasses.replace(config, weights="equal", select="fixed")
