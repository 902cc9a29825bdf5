"""Brain-Diffuser (Ozcelik & VanRullen 2023): decode layout and meaning, then let a prior paint.

python launch.py --config=experiments/brain_diffuser.py             # the subject of gan_vc
python launch.py --config=experiments/brain_diffuser.py:tiny        # seconds: does it run?
python launch.py --config=experiments/brain_diffuser.py:object2vec  # real fMRI, unseen categories
python launch.py --config=experiments/brain_diffuser.py:macaque_v4  # recorded spikes
python launch.py --config=experiments/brain_diffuser.py:nsd         # the published setting

`object2vec` and `macaque_v4` read recordings from the folder that FMRI_JAX_DATA names. `nsd` needs
the prepared Natural Scenes Dataset and published weights of gigabytes (`fmri-jax weights`).
"""

from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.experiment_files import choose, with_method


def get_config(arg: str = ""):
    variants = {
        "": _simulated,
        "tiny": _tiny,
        "object2vec": _object2vec,
        "macaque_v4": _macaque_v4,
        "nsd": _nsd,
    }
    return choose("brain_diffuser", variants, arg)()


def _simulated(experiment: str = "feature_decoding"):
    """The subject of `gan_vc`."""
    config = with_method(experiment, "brain_diffuser")
    config.title = "Brain-Diffuser, whole visual cortex, simulated subject"
    about_images = config.text.partition("Computational Biology).")[2]
    config.text = (
        "The latents of a very deep VAE are decoded from the responses of a simulated visual "
        "cortex, which gives layout and colours, and embeddings of the photographs, under which a "
        "latent diffusion model paints them anew, after Ozcelik & VanRullen "
        f"(2023, Scientific Reports).{about_images}"
    )
    # As published, but for what training photographs that were left out were better with: more of
    # the layout is kept (with a former prior, strength .5: pixel correlation .47, .75: .34; LPIPS
    # .44 both). Names of crops tell little, and MiniLM would bring PyTorch along.
    config.method.strength, config.method.image_share = 0.5, 1.0
    return config


def _tiny():
    """Everything that the main job does, at 32 pixels."""
    config = _simulated("feature_decoding:tiny")
    config.title += " (smoke run)"
    config.method.n_steps = 4
    return config


def _object2vec():
    """The mean photograph of each of 81 categories; each is decoded without having been seen."""
    config = with_method("feature_decoding:object2vec", "brain_diffuser")
    config.title = "Brain-Diffuser on real responses to objects, unseen categories"
    return config


def _macaque_v4():
    """1,200 photographs, ten folds of them left out."""
    config = with_method("feature_decoding:macaque_v4", "brain_diffuser")
    config.title = "Brain-Diffuser from spikes of macaque V4"
    return config


def _nsd():
    """As published, but for gains that are learned out of fold instead of from test predictions.

    31 blocks of the VAE, drawn latents, the published penalties, and Versatile Diffusion.
    """
    config = default_config(method="brain_diffuser", data="natural_scenes")
    config.title = "Brain-Diffuser on the Natural Scenes Dataset"
    config.text = (
        "The published setting of Ozcelik & VanRullen (2023, Scientific Reports 13:15666): latents "
        "of a very deep VAE, then Versatile Diffusion under CLIP embeddings of image and captions."
    )
    config.data.natural_scenes.captions = True
    config.preparation.average_repeats = "all"
    config.preparation.noise_scaling = False
    method = config.method
    method.prior, method.diffusion = "vdvae_imagenet64", "versatile_diffusion"
    method.n_layers, method.latents = 31, "sample"
    method.temperature, method.pixels = 1.0, "sample"
    method.alpha, method.image_alpha, method.text_alpha = 50_000.0, 60_000.0, 100_000.0
    return config
