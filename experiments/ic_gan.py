"""IC-GAN (Casanova et al. 2021): decode the features of what was seen, and paint its neighbourhood.

python launch.py --config=experiments/ic_gan.py             # the subject of gan_vc
python launch.py --config=experiments/ic_gan.py:tiny        # seconds: does it run?
python launch.py --config=experiments/ic_gan.py:object2vec  # real fMRI, unseen categories
python launch.py --config=experiments/ic_gan.py:macaque_v4  # recorded spikes
python launch.py --config=experiments/ic_gan.py:god         # the published setting
python launch.py --config=experiments/ic_gan.py:nsd         # the same of another data set

`object2vec` and `macaque_v4` read recordings from the folder that FMRI_JAX_DATA names. `god` and
`nsd` need ImageNet's or the prepared Natural Scenes Dataset's photographs, and published weights
(`fmri-jax weights get icgan_biggan_imagenet_res256`, `swav_resnet50`).
"""

from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.experiment_files import choose, with_method


def get_config(arg: str = ""):
    variants = {
        "": _simulated,
        "tiny": _tiny,
        "object2vec": _object2vec,
        "macaque_v4": _macaque_v4,
        "god": _god,
        "nsd": _nsd,
    }
    return choose("ic_gan", variants, arg)()


def _simulated(experiment: str = "feature_decoding"):
    """The subject of `gan_vc`."""
    config = with_method(experiment, "ic_gan")
    config.title = "IC-GAN, whole visual cortex, simulated subject"
    about_images = config.text.partition("Computational Biology).")[2]
    config.text = (
        "The features of the image are decoded from the responses of a simulated visual cortex, "
        "and a generator makes an image like it, after Ozcelik, Choksi, Mozafari, Reddy & "
        f"VanRullen (2022, IJCNN).{about_images}"
    )
    return config


def _tiny():
    """Everything that the main job does, at 32 pixels."""
    config = _simulated("feature_decoding:tiny")
    config.title += " (smoke run)"
    return config


def _object2vec():
    """The mean photograph of each of 81 categories; each is decoded without having been seen."""
    config = with_method("feature_decoding:object2vec", "ic_gan")
    config.title = "IC-GAN on real responses to objects, unseen categories"
    return config


def _macaque_v4():
    """1,200 photographs, ten folds of them left out."""
    config = with_method("feature_decoding:macaque_v4", "ic_gan")
    config.title = "IC-GAN from spikes of macaque V4"
    return config


def _god():
    """As published, with three differences.

    Decoded features are brought to unit length, and what is decoded is enlarged by gains learned
    out of fold, not by statistics of the test set; noise and first layer of the training images
    come from this package's own inversion, as the published one is not available.
    """
    config = default_config(method="ic_gan", data="generic_object_decoding")
    config.title = "IC-GAN on Generic Object Decoding"
    _publish(config)
    return config


def _nsd():
    """The same generator and penalties on the Natural Scenes Dataset."""
    config = default_config(method="ic_gan", data="natural_scenes")
    config.title = "IC-GAN on the Natural Scenes Dataset"
    config.preparation.noise_scaling = False
    _publish(config)
    return config


def _publish(config) -> None:
    config.text = (
        "The published setting of Ozcelik, Choksi, Mozafari, Reddy & VanRullen (2022, IJCNN): SwAV "
        "features, noise and the first layer's activations by ridge, IC-GAN of 256 px."
    )
    config.preparation.average_repeats = "all"
    method = config.method
    method.prior = "icgan_biggan_imagenet_res256"
    method.noise, method.first, method.inversion_steps = "decoded", "decoded", 300
    method.alpha, method.noise_alpha, method.first_alpha = 500.0, 1.0, 100.0
