"""End-to-end GAN on real fMRI: categories of objects (Bonner & Epstein 2021), 64-pixel colour.

    export FMRI_JAX_DATA=/folder/of/recordings
    python launch.py --config=experiments/gan_object2vec.py

81 response patterns, one a category; the target is the category's mean photograph. Nine folds, so
that every category is decoded by a GAN that never saw it.
"""

from fmri_jax.errors import InputError
from fmri_jax.pipeline.experiment_config import default_config


def get_config(arg: str = ""):
    if arg:
        raise InputError(f"experiments/gan_object2vec.py has no variant {arg!r}: expected none.")
    config = default_config(method="gan", data="file")
    config.title = "End-to-end GAN on real responses to objects, unseen categories"
    config.text = (
        "The mean photograph of each of 81 object categories, from 200 voxels of early visual "
        "cortex of subject 1 of Bonner & Epstein (2021); every category is unseen in training."
    )
    config.data.path = "$FMRI_JAX_DATA/object2vec_subj001.npz"
    config.preparation.split = "run"
    config.preparation.roi = "EVC"  # pixels are what early areas encode; "all" decodes them worse
    method = config.method
    method.n_steps, method.batch_size = None, 24  # steps follow the data: 150 of 72 rows
    method.width, method.hidden, method.discriminator_width = 0.25, 512, 0.25
    method.image_weight, method.feature_weight, method.adversarial_weight = 2000.0, 20.0, 1.0
    method.learning_rate = 1e-3
    method.cosine_decay = True
    method.fmri_noise = 0.5  # of 0.1, 0.5 and 1, the best over four of the nine folds
    return config
