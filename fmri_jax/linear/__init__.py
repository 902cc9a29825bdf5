"""Batched linear solvers: every target (decoder) of one design matrix at once.

All functions take `X` (samples, features) and `Y` (samples, targets), are pure and jitted, and
return a `LinearModel` that unpacks as `coef` (features, targets), `intercept` (targets,), or its
sparse form for problems whose dense coefficients would not fit.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from fmri_jax.linear.bayesian import bayesian_ridge
    from fmri_jax.linear.closed_form import least_squares, ridge, univariate
    from fmri_jax.linear.feature_ridge.estimator import FeatureRidge
    from fmri_jax.linear.logistic import LogisticModel, sparse_logistic
    from fmri_jax.linear.matching_pursuit.solver import omp, omp_sparse
    from fmri_jax.linear.model import LinearModel, SparseLinearModel
    from fmri_jax.linear.pipeline import fit_selected, fit_selected_sparse
    from fmri_jax.linear.selection import f_test, select

# No module has the name of what it defines: importing `linear.ridge` would hide `ridge()`.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bayesian": ["bayesian_ridge"],
        "closed_form": ["least_squares", "ridge", "univariate"],
        "feature_ridge.estimator": ["FeatureRidge"],
        "logistic": ["LogisticModel", "sparse_logistic"],
        "matching_pursuit.solver": ["omp", "omp_sparse"],
        "model": ["LinearModel", "SparseLinearModel"],
        "pipeline": ["fit_selected", "fit_selected_sparse"],
        "selection": ["f_test", "select"],
    },
)
__all__ = [
    "FeatureRidge",
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
