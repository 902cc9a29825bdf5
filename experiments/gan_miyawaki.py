"""End-to-end GAN on real fMRI: 10x10 contrast patterns from V1 (Miyawaki et al. 2008).

    export FMRI_JAX_DATA=/folder/of/recordings
    python launch.py --config=experiments/gan_miyawaki.py

Each image is decoded by a GAN that never saw it (20 folds: leave one image out), from the average
of the 4 or 8 blocks that showed it. About 6 minutes on two cores. Block by block, to compare with
local decoders: --config.preparation.average_repeats=none (with less
input noise: accuracy .913, F1 .807).
"""

from fmri_jax.errors import InputError
from fmri_jax.pipeline.experiment_config import default_config


def get_config(arg: str = ""):
    if arg:
        raise InputError(f"experiments/gan_miyawaki.py has no variant {arg!r}: expected none.")
    config = default_config(method="gan", data="file")
    config.title = "End-to-end GAN on real V1 responses, leave one image out"
    config.text = (
        "Geometric shapes and letters of 10 x 10 elements, from 967 V1 voxels of subject S1 of "
        "Miyawaki et al. (2008), averaged over the blocks that showed the same image. No image of "
        "the test fold is ever seen in training."
    )
    config.data.path = "$FMRI_JAX_DATA/miyawaki2008_s1_v1_figures.npz"
    config.preparation.split = "stimulus"
    config.preparation.average_repeats = "test"
    method = config.method
    method.n_steps = 300
    method.width, method.hidden, method.discriminator_width = 0.25, 256, 0.25
    method.image_weight, method.feature_weight, method.adversarial_weight = 2000.0, 5.0, 1.0
    method.comparator_size, method.comparator_layers = 32, ("relu2",)
    method.learning_rate = 1e-3
    method.cosine_decay = True
    method.fmri_noise = 0.5  # as chosen on folds of the object recording (gan_object2vec.py)
    return config
