"""Chooses the GAN's loss weights on held-out training stimuli; the test set is not looked at.

    python launch.py --config=experiments/search_weights.py

A tenth of the training photographs of the simulated subject stands in for the test set. The image
weight stays fixed, since only ratios matter; the weights of the feature and the adversarial loss
are each divided and multiplied by four. Rule, fixed before the search: of the settings whose pixel
correlation is within .02 of the highest, the one with the lowest LPIPS.
"""

from fmri_jax.errors import InputError
from fmri_jax.pipeline.experiment_files import load


def get_config(arg: str = ""):
    if arg:
        raise InputError(f"experiments/search_weights.py has no variant {arg!r}: expected none.")
    config = load("gan_vc:photographs")
    config.title = "Search for loss weights on held-out training stimuli"
    config.text = (
        "Validation scores of a simulated subject, for choosing weights. Rule: of the settings "
        "whose pixel correlation is within .02 of the highest, the one with the lowest LPIPS."
    )
    config.preparation.validation = 0.1
    config.method.n_steps = 300
    method = config.method
    feature, adversarial = method.feature_weight, method.adversarial_weight
    options = {
        "Start": {},
        "Feature loss x 4": {"feature_weight": 4 * feature},
        "Feature loss / 4": {"feature_weight": feature / 4},
        "Adversarial loss x 4": {"adversarial_weight": 4 * adversarial},
        "Adversarial loss / 4": {"adversarial_weight": adversarial / 4},
        "Both x 4": {"feature_weight": 4 * feature, "adversarial_weight": 4 * adversarial},
    }
    variants = tuple((name, {"method": change}) for name, change in options.items())
    config.sweep = {"seeds": (0,), "variants": variants}
    return config
