"""Encoding models: images -> the responses of voxels, with their noise.

    import fmri_jax as fj

    model = fj.EncodingModel(features="vgg16").fit(train.images, train.fmri)
    model.predict(test.images)                                  # (n, voxels), without noise
    model.simulate(test.images, repeats=3, random_state=0)      # (n, 3, voxels), single trials
    model.save("folder"); fj.load_encoding("folder").predict(test.images)

`fmri-jax encode RECORDING` cross-validates them layer by layer and writes a page.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from fmri_jax.encoding.estimator import EncodingModel
    from fmri_jax.encoding.files import load_encoding
    from fmri_jax.encoding.fitted import Encoding
    from fmri_jax.encoding.options import Options

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "estimator": ["EncodingModel"],
        "files": ["load_encoding"],
        "fitted": ["Encoding"],
        "options": ["Options"],
    },
)
__all__ = ["Encoding", "EncodingModel", "Options", "load_encoding"]
