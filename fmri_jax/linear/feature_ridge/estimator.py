"""Ridge regression from voxels to any number of units, as a scikit-learn estimator."""

import hashlib
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from fmri_jax.errors import InputError
from fmri_jax.linear.feature_ridge import fitted
from fmri_jax.linear.feature_ridge.responses import prepare


class FeatureRidge(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Predicts units of a network, or any other targets, from voxels by ridge regression.

    With `n_voxels`, each unit uses the voxels that correlate best with it (|Pearson r| over the
    training trials), and the penalty is also on its intercept: voxels, coefficients and predictions
    are those of fastl2lir 0.11, which published feature decoding uses. With `n_voxels=None` all
    units share all voxels and one factorisation, as scikit-learn's `Ridge`.

    A unit that is constant in training is predicted to stay so. A constant voxel is taken only
    after all that vary; of voxels that correlate equally, the later. Computed in float32.

    Args:
        n_voxels: voxels per unit, all where there are fewer; None for all.
        alpha: penalty on the squared weights, per sum over trials. With `n_voxels=None` also
            several to choose from by the exact error of leaving out one stimulus with all of its
            trials, the same for all units; or 'loo', 13 of them from .001 to 1,000 times the mean
            eigenvalue of the trials' Gram matrix.
        standardise: whether voxels are divided by their standard deviation over trials (ddof 1),
            and units are counted from their mean over stimuli, as published pipelines do before.
            False takes both as they are.
        n_devices: devices that the units are split over; None: all that JAX sees.

    Attributes:
        fitted_: the map, a pytree with `predict`, `state` and `restore`.
        alpha_: the penalty used.
        n_features_in_: voxels.

    References:
        Shen, Horikawa, Majima & Kamitani (2019), PLoS Comput Biol 15:e1006633; penalty 100 and 500
        voxels: github.com/KamitaniLab/feature-decoding. Hoerl & Kennard (1970), Technometrics
        12:55; leaving out: Allen (1974), Technometrics 16:125.
    """

    def __init__(
        self,
        n_voxels: int | None = 500,
        alpha: Any = 100.0,
        standardise: bool = False,
        n_devices: int | None = 1,
    ) -> None:
        """Keeps the options as they are; `fit` checks them."""
        self.n_voxels = n_voxels
        self.alpha = alpha
        self.standardise = standardise
        self.n_devices = n_devices

    def fit(self, X: Any, Y: Any, stimulus: Any = None) -> "FeatureRidge":
        """Solves for all units.

        Args:
            X: (trials, voxels) responses.
            Y: (trials, ...) targets, one row per trial; rows that are identical are repeats of one
                stimulus. With `stimulus`, (stimuli, ...), so that none is repeated in memory.
            stimulus: (trials,) row of `Y` that each trial shows, from 0.

        Returns:
            The fitted estimator.

        Raises:
            InputError: (a ValueError) arrays or options cannot be used.
        """
        X = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        if Y is None:
            raise ValueError("FeatureRidge requires y to be passed, but the target y is None.")
        Y = check_array(Y, dtype=np.float32, ensure_2d=False, allow_nd=True, input_name="Y")
        options = fitted.Options(self.n_voxels, self.alpha)
        if stimulus is None:
            check_consistent_length(X, Y)
            first, stimulus = repeats(Y)
            Y = Y if len(first) == len(Y) else Y[first]
        responses = prepare(X, stimulus, bool(self.standardise))
        self.fitted_ = fitted.fit(responses, Y, options, _mesh(self.n_devices))
        self.alpha_ = self.fitted_.penalty
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predicts units.

        Args:
            X: (n, voxels) responses in the units of `fit`.

        Returns:
            (n, ...) float32, in the shape of `Y`.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        return np.asarray(self.fitted_.predict(X, _mesh(self.n_devices)))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R^2, averaged over the units that vary, each weighing as its variance."""
        found = self.predict(X)
        return r2_score(
            np.reshape(y, (len(found), -1)),
            found.reshape(len(found), -1),
            sample_weight=sample_weight,
            multioutput="variance_weighted",
        )


def _mesh(n_devices: Any) -> Mesh | None:
    """The devices that units are split over; None for a single one."""
    devices = jax.devices()
    whole = isinstance(n_devices, (int, np.integer)) and not isinstance(n_devices, bool)
    if n_devices is not None and not (whole and 1 <= n_devices <= len(devices)):
        raise InputError(
            f"n_devices is {n_devices!r}: expected 1 to {len(devices)}, the devices that JAX sees, "
            "or None for all."
        )
    chosen = devices[:n_devices]
    if len(chosen) == 1:
        return None
    return jax.make_mesh((len(chosen),), ("data",), axis_types=(AxisType.Auto,), devices=chosen)


def repeats(Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(first row of each distinct one, which of them each row is), in order of appearance."""
    numbers: dict[bytes, int] = {}
    rows = np.ascontiguousarray(Y).reshape(len(Y), -1)
    same = [
        numbers.setdefault(hashlib.blake2b(row.data, digest_size=16).digest(), len(numbers))
        for row in rows
    ]
    return np.unique(same, return_index=True)[1], np.asarray(same)
