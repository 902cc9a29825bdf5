"""Deep image reconstruction (Shen et al. 2019): decode a network's features, then find the image.

python launch.py --config=experiments/feature_decoding.py             # the subject of gan_vc
python launch.py --config=experiments/feature_decoding.py:tiny        # seconds: does it run?
python launch.py --config=experiments/feature_decoding.py:object2vec  # real fMRI, unseen categories
python launch.py --config=experiments/feature_decoding.py:macaque_v4  # recorded spikes
python launch.py --config=experiments/feature_decoding.py:paper       # the published options

`object2vec` and `macaque_v4` read recordings from the folder that FMRI_JAX_DATA names.
"""

from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.experiment_files import choose, with_method


def get_config(arg: str = ""):
    variants = {
        "": _simulated,
        "tiny": _tiny,
        "object2vec": _object2vec,
        "macaque_v4": _macaque_v4,
        "paper": _paper,
    }
    return choose("feature_decoding", variants, arg)()


def _simulated(gan: str = "gan_vc"):
    """The subject of `gan_vc`."""
    config = with_method(gan, "feature_decoding")
    config.title = "Deep image reconstruction, whole visual cortex, simulated subject"
    about_images = config.text.partition("(2019).")[2]
    config.text = (
        "Layers of a pretrained network are decoded from the responses of a simulated visual "
        "cortex, and an image is found that has them, after Shen, Horikawa, Majima & Kamitani "
        f"(2019, PLoS Computational Biology).{about_images}"
    )
    # Better than ridge with 32 in all scores of photographs left out; 32 to 256 were tried.
    config.method.pixel_decoder, config.method.pixel_weight = "local", 64.0
    return config


def _tiny():
    """Everything that the main job does, at 32 pixels and for a few steps."""
    config = _simulated("gan_vc:tiny")
    config.title += " (smoke run)"
    config.method.n_steps, config.method.layers = 4, ("relu1", "relu3")
    return config


def _object2vec():
    """The mean photograph of each of 81 categories; each is decoded without having been seen."""
    config = with_method("gan_object2vec", "feature_decoding")
    config.method.select = "inner"  # means of ten photographs are smooth: pixels may weigh more
    config.title = "Deep image reconstruction on real responses to objects, unseen categories"
    return config


def _macaque_v4():
    """1,200 photographs, ten folds of them left out."""
    config = default_config(method="feature_decoding", data="file")
    config.title = "Deep image reconstruction from spikes of macaque V4"
    config.text = (
        "Recorded, macaque V4 spikes, not fMRI: 89 units, mean counts of 12 repeats of each of "
        "1,200 photographs (Cowley, Stan, Pillow & Smith 2023); every test photograph is unseen in "
        "training."
    )
    config.data.path = "$FMRI_JAX_DATA/macaque_v4_pe_201025.npz"
    config.data.file.modality = "spikes"  # the file does not say
    config.preparation.split = "run"
    config.preparation.average_repeats = "all"
    config.preparation.noise_scaling = False
    config.preparation.transform = "sqrt"  # counts are the noisier the larger they are
    config.preparation.kernel = "gaussian"  # few units, many photographs
    config.method.select = "inner"
    config.method.n_steps, config.method.learning_rate = 50, 0.03
    return config


def _paper():
    """As published: 500 voxels per unit, penalty 100, VGG19, descent of a deep generator's latents.

    Its weights have to be downloaded: `fmri-jax weights`. The subject is simulated.
    """
    config = _simulated("gan_vc:paper")
    config.data.virtual_subject.image_size = 224
    method = config.method
    method.network = "vgg19"
    method.layers = tuple(
        f"conv{block}_{i}" for block, n in enumerate((2, 2, 4, 4, 4), 1) for i in range(1, n + 1)
    ) + ("fc6", "fc7", "fc8")
    method.n_voxels, method.alpha = 500, 100.0
    method.dispersion = "spatial"
    method.pixel_decoder, method.pixel_weight, method.total_variation = "ridge", 0.0, 0.0
    method.renderer, method.optimiser, method.n_steps = "generator", "momentum", 200
    method.learning_rate, method.final_learning_rate, method.latent_decay = 2.0, 1e-10, 0.99
    return config
