"""Ridge regression from voxels to pixels, leave one image out, on real V1 responses.

    export FMRI_JAX_DATA=/folder/of/recordings
    python launch.py --config=experiments/ridge.py

The linear method that others have to beat, as a method of its own: 10x10 contrast patterns of
Miyawaki et al. (2008), 20 folds, in seconds. Each image is decoded from the average of the 4 or 8
blocks that showed it.
"""

from fmri_jax.errors import InputError
from fmri_jax.pipeline.experiment_config import default_config


def get_config(arg: str = ""):
    if arg:
        raise InputError(f"experiments/ridge.py has no variant {arg!r}: expected none.")
    config = default_config(method="ridge", data="file")
    config.title = "Ridge regression on real V1 responses, leave one image out"
    config.text = (
        "Geometric shapes and letters of 10 x 10 elements, from 967 V1 voxels of subject S1 of "
        "Miyawaki et al. (2008), averaged over the blocks that showed the same image. No image of "
        "the test fold is ever seen in training."
    )
    config.data.path = "$FMRI_JAX_DATA/miyawaki2008_s1_v1_figures.npz"
    config.preparation.split = "stimulus"
    config.preparation.noise_scaling = False  # a linear map answers with as much more contrast
    return config
