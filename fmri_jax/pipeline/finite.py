"""NaN and infinity in what was fitted or reconstructed end a run, before anything of it is kept.

The loop of a training watches its own losses, gradients and parameters (`training.loop`). Closed
forms, greedy selections and rendering have no loop: what they leave is looked at here.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from fmri_jax.errors import InputError

_CURE = (
    "expected finite numbers; look for extreme responses or features that hardly vary "
    "(fmri-jax inspect), raise penalties (config.method.alpha) or lower learning rates."
)


def check_fit(reconstructor: Any, fold: str) -> None:
    """Rejects a fit that holds NaN or infinity.

    Args:
        reconstructor: what was fitted; one without `state` is taken as it is.
        fold: its name.

    Raises:
        InputError: the first such array is named.
    """
    if not hasattr(reconstructor, "state"):
        return
    for name, array in reconstructor.state()[0].items():
        if not jnp.issubdtype(array.dtype, jnp.inexact):
            continue
        if bad := int(array.size - np.isfinite(array).sum()):
            raise InputError(
                f"the fit of fold {fold!r} holds {bad:,} of {array.size:,} numbers that are not "
                f"finite in {name!r}, and is not kept: {_CURE}"
            )


def check_images(images: np.ndarray, split: str, fold: str) -> None:
    """Rejects reconstructions (n, h, w, c) that hold NaN or infinity.

    Raises:
        InputError: how many, and the first of them.
    """
    bad = np.flatnonzero(~np.isfinite(images).reshape(len(images), -1).all(axis=1))
    if len(bad):
        raise InputError(
            f"{len(bad)} of {len(images)} reconstructions of {split!r} in fold {fold!r} are not "
            f"finite, the first of trial {bad[0]}, and the fold is not kept: {_CURE}"
        )
