"""End-to-end GAN on real fMRI: categories of objects (Bonner & Epstein 2021), 64-pixel colour.

    export FMRI_JAX_DATA=/folder/of/recordings
    python launch.py --config=experiments/gan_object2vec.py
    python launch.py --config=experiments/gan_object2vec.py:refined  # refines ridge's image

81 response patterns, one a category; the target is the category's mean photograph. Nine folds, so
that every category is decoded by a GAN that never saw it.
"""

from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.experiment_files import choose


def get_config(arg: str = ""):
    change = choose("gan_object2vec", {"": None, "refined": _refined}, arg)
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
    if change:
        change(config)
    return config


def _refined(config) -> None:
    """From ridge's image; the adversary weighs twice as much as above."""
    config.title += ", refining ridge's image"
    method = config.method
    method.start, method.averaging, method.fmri_noise = "ridge", 0.98, 0.0
    method.width = 1.0
    method.adversarial_weight = 2.0
    method.first_moment = 0.5
    method.discriminator_learning_rate = 4e-4
