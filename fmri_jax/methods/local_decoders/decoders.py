"""Local decoders: for every element of a basis a map from voxels to its mean contrast."""

import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax import linear
from fmri_jax.arrays import einsum
from fmri_jax.methods.local_decoders.bases import Basis
from fmri_jax.methods.local_decoders.options import Config, Decoder
from fmri_jax.methods.local_decoders.receptive_fields import (
    Settings,
    fit_receptive_fields,
    geometry,
)

# Our name -> the solver's.
SOLVERS: dict[Decoder, Any] = {
    "omp": "omp",
    "linear": "least_squares",
    "ridge": "ridge",
    "bayesian_ridge": "bayesian_ridge",
    "univariate": "univariate",
}
SHARED = ("linear", "ridge", "bayesian_ridge")  # solve elements that share all voxels in one go

# Centred trials are followed by zeros up to a multiple of ROWS, so that folds share compiled
# programs. Zeros add nothing to any inner product, but enlarge all standardised voxels by one
# factor, sqrt(rows / n). Most solvers do not notice; the penalty of ridge is enlarged by the square
# of the factor. Solvers that count trials, or that would find the zeros dependent, get none.
ROWS = 32
TARGETS = 64  # elements are solved in multiples, for the same reason
UNFILLED = ("linear", "bayesian_ridge", "sparse_logistic")


@flax.struct.dataclass
class ElementModel:
    """Predicted contrast of every element (and channel).

    Attributes:
        coef: (voxels, elements x channels).
        intercept: (elements x channels,).
        logistic: whether voxels times weights are logits of the contrast.
    """

    coef: jax.Array
    intercept: jax.Array
    logistic: bool = flax.struct.field(pytree_node=False, default=False)

    def predict(self, fmri: jax.Array | np.ndarray) -> jax.Array:
        """(n, voxels) -> (n, elements x channels)."""
        models = linear.LogisticModel if self.logistic else linear.LinearModel
        return models(self.coef, self.intercept).predict(jnp.asarray(fmri))


def fit_elements(
    fmri: np.ndarray,
    images: np.ndarray,
    basis: Basis,
    config: Config,
    mesh: jax.sharding.Mesh | None = None,
) -> ElementModel:
    """Fits all local decoders.

    Args:
        fmri: (n, voxels) float32.
        images: (n, height, width, channels) in [0, 1], the image shown in each trial.
        basis: the elements.
        config: which decoder, and how.
        mesh: mesh with an axis 'data' that the elements are split over; None for one device.

    Returns:
        The model of every element; channel by channel within an element.
    """
    if config.decoder == "receptive_fields":
        return _invert_encoding(fmri, images, basis, config)
    targets = analyse(images, basis)
    pixels = np.repeat(basis.masks.sum(axis=1), images.shape[-1])
    solved, same = _distinct(targets, pixels)
    if config.decoder == "sparse_logistic":
        model = _classify(fmri, targets[:, solved], pixels[solved], config, mesh)
    else:
        model = _regress(fmri, targets[:, solved], config, mesh)
    return ElementModel(model.coef[:, same], model.intercept[same], model.logistic)


def _distinct(targets: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Elements that differ in training: those at a dark border, or of a few shapes, do not.

    Args:
        targets: (n, elements) mean contrasts.
        pixels: (elements,) of each; logistic models depend on it.

    Returns:
        Indices (solved,) of elements to solve, filled up to a multiple of `TARGETS`, and for each
        element (elements,) its place among them.
    """
    everything = np.arange(len(pixels))
    columns = np.concatenate([targets, pixels[None].astype(targets.dtype)]).T
    _, first, same = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    size = -(-len(first) // TARGETS) * TARGETS
    if size >= len(everything):
        return everything, everything
    return np.resize(first, size), same.reshape(-1)


def analyse(images: np.ndarray, basis: Basis) -> np.ndarray:
    """Mean contrasts (n, elements x channels) of images (n, height, width, channels)."""
    n, height, width, channels = images.shape
    pixels = images.reshape(n, height * width, channels).transpose(0, 2, 1)
    return (pixels @ basis.analysis).transpose(0, 2, 1).reshape(n, -1)


def _invert_encoding(
    fmri: np.ndarray, images: np.ndarray, basis: Basis, config: Config
) -> ElementModel:
    """The posterior mean of an element is the mean of its pixels' posterior means."""
    n, height, width, channels = images.shape
    model = fit_receptive_fields(
        fmri,
        images.reshape(n, -1),
        geometry(height, width, channels, config.prior_scale),
        settings_of(config),
    )
    stacked = jnp.concatenate([model.coef, model.intercept[None]])
    means = _element_means(stacked, jnp.asarray(basis.analysis), channels)
    return ElementModel(means[:-1], means[-1])


def settings_of(config: Config) -> Settings:
    """The part of a config that the encoding model reads."""
    return Settings(
        alpha=config.penalty,
        sharpness=config.sharpness,
        noise_diagonal=config.noise_diagonal,
        prior_variance=config.prior_variance,
    )


@functools.partial(jax.jit, static_argnames="channels")
def _element_means(rows: jax.Array, analysis: jax.Array, channels: int) -> jax.Array:
    """(rows, pixels x channels) -> (rows, elements x channels)."""
    pixels = rows.reshape(len(rows), -1, channels)
    means = einsum("rpc,pe->rec", pixels, analysis)
    return means.reshape(len(rows), -1)


def _regress(
    fmri: np.ndarray, targets: np.ndarray, config: Config, mesh: jax.sharding.Mesh | None
) -> ElementModel:
    """Selection by F-test, standardisation and a solver, for all elements at once."""
    n, filled = len(fmri), 0 if config.decoder in UNFILLED else -len(fmri) % ROWS
    mean = fmri.mean(axis=0, dtype=np.float64).astype(np.float32)
    average = targets.mean(axis=0, dtype=np.float64).astype(np.float32)
    varies = np.ptp(targets, axis=0) > 0
    centred = np.pad(fmri - mean, ((0, filled), (0, 0)))
    contrast = np.pad((targets - average) * varies, ((0, filled), (0, 0)))
    alpha = config.penalty * (n + filled) / n
    if config.n_voxels >= fmri.shape[1] and config.decoder in SHARED:
        coef = _solve_shared(centred, contrast, config.decoder, alpha)
    else:
        coef = linear.fit_selected(
            centred,
            contrast,
            SOLVERS[config.decoder],
            config.n_voxels,
            n_nonzero=config.n_nonzero,
            alpha=alpha,
            block=config.block,
            mesh=mesh,
        ).coef
    return ElementModel(coef, average - mean @ coef)


def _classify(
    fmri: np.ndarray,
    targets: np.ndarray,
    pixels: np.ndarray,
    config: Config,
    mesh: jax.sharding.Mesh | None,
) -> ElementModel:
    """Sparse logistic regression on the voxels of largest F.

    Miyawaki et al. decode the mean contrast of an element of m pixels as one of m + 1 classes. Here
    it is a proportion of m binary outcomes, which for single pixels is the same; the predicted
    contrast is the probability, not the likeliest class.
    """
    scores = linear.f_test(fmri, targets)
    selected = linear.select(scores, min(config.n_voxels, fmri.shape[1]))
    model = linear.sparse_logistic(
        fmri, targets, selected, trials=pixels, block=config.block, mesh=mesh
    )
    return ElementModel(model.coef, model.intercept, logistic=True)


def _solve_shared(
    centred: np.ndarray, contrast: np.ndarray, decoder: Decoder, alpha: float
) -> jax.Array:
    """All elements use all voxels: one factorisation serves them all."""
    # In float64, where squares of very small deviations do not vanish.
    scale = centred.std(axis=0, dtype=np.float64).astype(centred.dtype)
    scale[scale <= 1e-6 * np.abs(centred).max(axis=0)] = 1
    solve = getattr(linear, SOLVERS[decoder])
    options = {"alpha": alpha} if decoder == "ridge" else {}
    return solve(centred / scale, contrast, **options).coef / scale[:, None]
