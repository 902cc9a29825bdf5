"""Batched linear solvers: every target (decoder) of one design matrix at once.

All functions take `X` (samples, features) and `Y` (samples, targets), are pure and jitted, and
return a `LinearModel` that unpacks as `coef` (features, targets), `intercept` (targets,), or its
sparse form for problems whose dense coefficients would not fit.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fmri_jax.linear.bayesian_ridge import bayesian_ridge
    from fmri_jax.linear.closed_form import least_squares, ridge, univariate
    from fmri_jax.linear.logistic import LogisticModel, sparse_logistic
    from fmri_jax.linear.matching_pursuit.solver import omp, omp_sparse
    from fmri_jax.linear.model import LinearModel, SparseLinearModel
    from fmri_jax.linear.pipeline import fit_selected, fit_selected_sparse
    from fmri_jax.linear.selection import f_test, select

__all__ = [
    "LinearModel",
    "LogisticModel",
    "SparseLinearModel",
    "bayesian_ridge",
    "f_test",
    "fit_selected",
    "fit_selected_sparse",
    "least_squares",
    "omp",
    "omp_sparse",
    "ridge",
    "select",
    "sparse_logistic",
    "univariate",
]

_FILES = (
    "model",
    "selection",
    "matching_pursuit.solver",
    "closed_form",
    "bayesian_ridge",
    "logistic",
    "pipeline",
)


def __getattr__(name: str) -> Any:
    """Imports the solvers when the first one is asked for: importing the room costs nothing."""
    if name in __all__:
        for file in _FILES:
            module = importlib.import_module(f"fmri_jax.linear.{file}")
            if hasattr(module, name) and getattr(module, name).__module__ == module.__name__:
                return getattr(module, name)
    raise AttributeError(f"module 'fmri_jax.linear' has no attribute {name!r}")
