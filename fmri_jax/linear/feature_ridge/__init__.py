"""Ridge regression from voxels to the units of a network, of which there may be millions.

`FeatureRidge` fits and predicts what fits in memory; `fit_layer` a layer of any size, block by
block, into a folder. Both build on the same steps: `responses` prepares the voxels once for all
units, `selected` solves with voxels of each unit's own, `all_voxels` with all of them.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from fmri_jax.linear.feature_ridge.estimator import FeatureRidge
    from fmri_jax.linear.feature_ridge.fitted import FittedRidge, Options
    from fmri_jax.linear.feature_ridge.layers import fit_layer
    from fmri_jax.linear.feature_ridge.responses import Responses, prepare
    from fmri_jax.linear.feature_ridge.stored import StoredRidge

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "estimator": ["FeatureRidge"],
        "fitted": ["FittedRidge", "Options"],
        "layers": ["fit_layer"],
        "responses": ["Responses", "prepare"],
        "stored": ["StoredRidge"],
    },
)
__all__ = [
    "FeatureRidge",
    "FittedRidge",
    "Options",
    "Responses",
    "StoredRidge",
    "fit_layer",
    "prepare",
]
