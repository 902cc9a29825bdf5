"""Ridge from voxels to units that fit in memory: options, fit, prediction and state."""

import dataclasses
import functools
import math
from typing import Any

import flax.struct
import jax
import numpy as np
from jax.sharding import Mesh
from scipy import sparse

from fmri_jax.arrays import matmul
from fmri_jax.errors import InputError
from fmri_jax.linear.feature_ridge import all_voxels, selected
from fmri_jax.linear.feature_ridge.all_voxels import StimulusModel
from fmri_jax.linear.feature_ridge.responses import Responses, read
from fmri_jax.linear.feature_ridge.selected import on_host
from fmri_jax.linear.model import SparseLinearModel
from fmri_jax.linear.target_batches import for_solving, map_targets

UNITS = 8192  # units solved and stored together
MODELS = {"selected": SparseLinearModel, "all": StimulusModel}


@dataclasses.dataclass(frozen=True)
class Options:
    """What `FeatureRidge` says about its parameters.

    Attributes:
        n_voxels: voxels per unit; None for all.
        alpha: one penalty, several to choose from, or 'loo'.
    """

    n_voxels: int | None = 500
    alpha: Any = 100.0

    def __post_init__(self) -> None:
        """Rejects what no fit can use."""
        whole = isinstance(self.n_voxels, (int, np.integer)) and not isinstance(self.n_voxels, bool)
        if self.n_voxels is not None and not (whole and self.n_voxels >= 1):
            raise InputError(f"n_voxels is {self.n_voxels!r}: expected 1 or more, or None for all.")
        if isinstance(self.alpha, str) and self.alpha == "loo":
            several = True
        else:
            try:
                values = np.atleast_1d(np.asarray(self.alpha, np.float64))
                usable = values.ndim == 1 and values.size and np.all((values > 0) & (values < 1e30))
            except (TypeError, ValueError):
                usable = False
            if not usable:
                raise InputError(
                    f"alpha is {self.alpha!r}: expected a positive number, several, or 'loo'."
                )
            several = len(values) > 1
        if several and self.n_voxels is not None:
            raise InputError(
                f"alpha is {self.alpha!r} and n_voxels {self.n_voxels}: a penalty is chosen where "
                "all voxels are used; give one number, or n_voxels=None."
            )

    def selects(self, responses: Responses) -> bool:
        """Whether units have voxels of their own."""
        return self.n_voxels is not None and self.n_voxels < responses.rows.shape[1]

    def pose(self, responses: Responses, mesh: Mesh | None) -> selected.Problem:
        """The problem of units with voxels of their own."""
        return selected.pose(responses, int(self.n_voxels or 0), float(self.alpha), mesh)

    def map_of(self, responses: Responses, moment: Any = None) -> all_voxels.StimulusMap:
        """The map of all units where they share all voxels."""
        own_intercept = self.n_voxels is not None  # as published: the intercept bears the penalty
        return all_voxels.fit_map(responses, self.alpha, moment, own_intercept)

    def chooses(self, responses: Responses) -> bool:
        """Whether the penalty depends on the targets."""
        return len(all_voxels.penalties(self.alpha, responses)) > 1


@flax.struct.dataclass
class FittedRidge:
    """A fitted map from voxels to units, a pytree.

    Attributes:
        model: voxels and coefficients of each unit, or the targets that predictions are sums of.
        shape: of the units of one row.
        penalty: the one used, in the units of `alpha`.
    """

    model: SparseLinearModel | StimulusModel
    shape: tuple[int, ...] = flax.struct.field(pytree_node=False, default=())
    penalty: float = flax.struct.field(pytree_node=False, default=100.0)

    def predict(self, X: Any, mesh: Mesh | None = None) -> jax.Array:
        """Predictions (n, *shape) of responses (n, voxels); `mesh` as in `fit`."""
        return predict(self.model, X, mesh).reshape(len(X), *self.shape)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The arrays by name, and what else `restore` needs, as JSON can hold it."""
        form = "selected" if isinstance(self.model, SparseLinearModel) else "all"
        arrays = {name: np.asarray(array) for name, array in self.model._asdict().items()}
        return arrays, {"form": form, "shape": list(self.shape), "penalty": self.penalty}

    @classmethod
    def restore(cls, arrays: dict[str, Any], options: dict[str, Any]) -> "FittedRidge":
        """The map whose `state()` gave these."""
        model = MODELS[options["form"]](**arrays)
        return cls(model, tuple(options["shape"]), options["penalty"])


def predict(model: SparseLinearModel | StimulusModel, X: Any, mesh: Mesh | None = None) -> Any:
    """Predictions (n, units); `mesh` as in `fit`."""
    if mesh is not None:
        return _predict_split(model, X, mesh)
    if not (isinstance(model, SparseLinearModel) and isinstance(X, np.ndarray) and on_host(None)):
        return _predict(model, X)
    units, k = model.values.shape  # SciPy's product takes a quarter of the time of XLA's gather
    parts = np.ravel(model.values), np.ravel(model.indices), np.arange(0, units * k + 1, k)
    weights = sparse.csr_array(parts, (units, X.shape[1]))
    return (weights @ np.ascontiguousarray(X.T)).T + np.asarray(model.intercept)


@jax.jit
def _predict(model: SparseLinearModel | StimulusModel, X: Any) -> jax.Array:
    return model.predict(X)


@functools.partial(jax.jit, static_argnames="mesh")
def _predict_split(model: SparseLinearModel | StimulusModel, X: Any, mesh: Mesh) -> jax.Array:
    """Each device predicts its own units."""

    def of_sums(weights: jax.Array, mine: tuple[jax.Array, jax.Array]) -> jax.Array:
        targets, intercept = mine
        return matmul(targets, weights.T) + intercept[:, None]

    def of_voxels(X: jax.Array, mine: SparseLinearModel) -> jax.Array:
        return mine.predict(X).T

    if isinstance(model, StimulusModel):
        per_unit = (model.targets.T, model.intercept)
        return map_targets(of_sums, model.weights(X), per_unit, UNITS, mesh).T
    return map_targets(of_voxels, X, model, UNITS, mesh).T


def fit(
    responses: Responses, Y: np.ndarray, options: Options, mesh: Mesh | None = None
) -> FittedRidge:
    """Fits all units.

    Args:
        responses: of `prepare`.
        Y: (stimuli, ...) targets.
        options: voxels and penalty.
        mesh: mesh with an axis 'data' that units are split over.

    Raises:
        InputError: targets that do not fit or are not finite.
    """
    shape = Y.shape[1:]
    units = math.prod(shape)
    values, mesh = read(Y, responses.shown, 0, units), for_solving(mesh)
    if options.selects(responses):
        problem = options.pose(responses, mesh)
        starts = range(0, units, UNITS)
        parts = [selected.solve(problem, values[:, s : s + UNITS], mesh) for s in starts]
        return FittedRidge(selected.joined(parts), shape, problem.alpha)
    chooses = options.chooses(responses)
    moment = all_voxels.second_moment(values, responses, mesh) if chooses else None
    map_ = options.map_of(responses, moment)
    return FittedRidge(
        all_voxels.model_of(map_, responses.centre(values)), shape, float(map_.alpha)
    )
