"""End-to-end GAN from the whole visual cortex (Shen et al. 2019), on a simulated subject.

python launch.py --config=experiments/gan_vc.py
python launch.py --config=experiments/gan_vc.py:tiny         # seconds: does everything run?
python launch.py --config=experiments/gan_vc.py:refined      # the generator refines an image
python launch.py --config=experiments/gan_vc.py:photographs  # a folder or zip of photographs
python launch.py --config=experiments/gan_vc.py:paper        # 227 pixels; wants a GPU
"""

from fmri_jax.methods.gan.config import PAPER_WEIGHTS
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.experiment_files import choose


def get_config(arg: str = ""):
    config = default_config(method="gan", data="virtual_subject")
    config.title = "End-to-end GAN, whole visual cortex, simulated subject"
    config.text = (
        "A generator turns the responses of a simulated visual cortex into the image that was "
        "viewed, in one network, after Shen, Dwivedi, Majima, Horikawa & Kamitani (2019)."
    )
    config.preparation.roi = "VC"
    # The five repeats of a training image are averaged: minutes on a CPU are few passes over the
    # data, and each is worth more with less noise. `paper` learns from single trials.
    config.preparation.average_repeats = "all"
    config.preparation.noise_scaling = False  # else contrasts grow by sqrt(24 / 5) and saturate
    method = config.method
    method.n_steps = None  # they follow the data: 600 of 1,200 images
    method.width = 0.25
    method.hidden = 512
    method.discriminator_width = 0.5
    method.image_weight, method.feature_weight, method.adversarial_weight = 2000.0, 50.0, 5.0
    method.learning_rate = 1e-3
    method.cosine_decay = True
    variants = {
        "": None,
        "tiny": _tiny,
        "refined": _refined,
        "refined:tiny": _refined_tiny,
        "photographs": _photographs,
        "paper": _paper,
    }
    if change := choose("gan_vc", variants, arg):
        change(config)
    if config.data.virtual_subject.images == "embedded":
        config.text += (
            " Its test images are crops of four photographs that training does not show: four "
            "independent groups, which prove little. The variant `photographs` has 50."
        )
    return config


def _tiny(config) -> None:
    """Everything that the main job does, at 32 pixels and for a few steps."""
    config.title += " (smoke run)"
    subject = config.data.virtual_subject
    subject.image_size = 32
    subject.n_training, subject.training_repeats = 48, 2
    subject.n_test, subject.test_repeats = 12, 3
    subject.shape_repeats = subject.letter_repeats = 1
    subject.n_voxels = 200
    method = config.method
    method.n_steps, method.log_every, method.checkpoint_every = 6, 2, 3
    method.width, method.hidden, method.batch_size = 0.0625, 32, 16
    method.discriminator_width = 0.125
    config.evaluation.n_bootstrap = 100
    config.evaluation.perceptual_size = 64  # larger ones show no more of 32 pixels


def _refined(config) -> None:
    """From an image of local decoders, not the responses: few images teach convolutions enough."""
    config.title += ", refining local decoders' image"
    method = config.method
    method.start, method.averaging = "local", 0.98
    method.n_steps = 300
    method.width = 1.0
    # Of 2,000 and 4,000 the better one on photographs left out of training, in pixels and SSIM.
    method.image_weight = 4000.0
    method.adversarial_weight = 8.0
    method.first_moment = 0.5
    method.discriminator_learning_rate = 4e-4


def _refined_tiny(config) -> None:
    _tiny(config)
    config.method.start, config.method.averaging = "local", 0.98


def _photographs(config) -> None:
    """1,200 training photographs and 50 of other files for testing, instead of embedded crops."""
    config.title = "End-to-end GAN, whole visual cortex, simulated subject viewing photographs"
    config.data.virtual_subject.images = "$FMRI_JAX_DATA/photos_caltech101_128px.zip"


def _paper(config) -> None:
    """The published setting: 248 pixels cropped to 227, full networks, batch 64, 500k steps.

    It departs from the released code in one thing: the comparator is AlexNet instead of CaffeNet.
    The subject is simulated.
    """
    config.data.virtual_subject.image_size = 248
    config.data.virtual_subject.images = "$FMRI_JAX_DATA/photos_caltech101_128px.zip"
    config.preparation.average_repeats, config.preparation.noise_scaling = "test", True
    method = config.method
    method.crop = 227
    method.width = method.discriminator_width = 1.0
    method.hidden = 4096
    method.batch_size = 64
    method.n_steps = 500_000
    method.learning_rate = method.discriminator_learning_rate = 2e-4
    method.cosine_decay = False
    method.halve_at = (300_000, 500_000, 700_000, 900_000, 1_100_000)
    method.comparator_layers = ("pool5",)
    method.image_weight = PAPER_WEIGHTS["image"]
    method.feature_weight = PAPER_WEIGHTS["feature"]
    method.adversarial_weight = PAPER_WEIGHTS["adversarial"]
    method.update, method.gate = "alternating", True
    method.log_every, method.checkpoint_every = 100, 5000
