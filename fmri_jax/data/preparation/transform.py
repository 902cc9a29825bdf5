"""Responses on a scale on which their noise does not grow with them.

A spike count varies with about its mean: neurons that fire much would be much noisier than others,
and averages in the responses to preferred images than in the rest. The square root makes the
variance of a Poisson count about 1/4 whatever its mean.

References:
    Bartlett (1936), J. R. Stat. Soc. Suppl. 3:68; for spike counts Yu et al. (2009), J.
    Neurophysiol. 102:614.
"""

from typing import Literal

import numpy as np

from fmri_jax.errors import InputError

Transform = Literal["sqrt"]


def transformed(fmri: np.ndarray, how: Transform | None) -> np.ndarray:
    """Responses on another scale, each by itself.

    Args:
        fmri: (trials, voxels or neurons) float32.
        how: "sqrt", the square root; None leaves them as they are.

    Returns:
        The same shape, float32.

    Raises:
        InputError: a square root of negative responses was asked for.
    """
    if how is None:
        return fmri
    if (negative := np.count_nonzero(fmri < 0)) > 0:
        raise InputError(
            f"config.preparation.transform is {how!r} and {negative:,} of {fmri.size:,} responses "
            f"are negative (down to {fmri.min():.3g}): expected counts or rates as recorded, with "
            "no baseline subtracted; set transform=None for responses such as fMRI."
        )
    return np.sqrt(fmri)
