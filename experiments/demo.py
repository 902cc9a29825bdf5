"""Every method on the same simulated subject, on one page: what `make demo` runs.

python launch.py --config=experiments/demo.py        # minutes on two cores
python launch.py --config=experiments/demo.py:tiny   # does every row run?
"""

from fmri_jax.errors import InputError
from fmri_jax.pipeline.experiment_files import load, with_method

# Rows of the page: name, the experiment whose method it is ({} is ":tiny" or nothing), and options
# that differ. A further method is one more line.
METHODS = (
    ("Ridge", "ridge", {}),
    # Finer elements of a photograph are decoded too badly one by one.
    (
        "Local decoders",
        "local_decoders",
        {"scales": ((8, 8),), "stride": 4, "n_voxels": 300, "n_nonzero": 20, "weights": "equal"},
    ),
    # Of so few photographs a generator that sees responses learns one texture.
    ("GAN from local decoders", "gan_vc:refined{}", {}),
    ("Feature decoding", "feature_decoding{}", {}),
    ("Brain-Diffuser", "brain_diffuser{}", {}),
    ("IC-GAN", "ic_gan{}", {}),
)

# Of the steps of optimisation and diffusion these are fewer than usual: on training photographs
# left out that costs .02 at most in any score, and saves minutes.
FEWER_STEPS = {
    "Feature decoding": {"n_steps": 50, "learning_rate": 0.03},
    "Brain-Diffuser": {"n_steps": 20},
}


def get_config(arg: str = ""):
    if arg not in ("", "tiny"):
        raise InputError(f"experiments/demo.py has no variant {arg!r}: choose 'tiny' or none.")
    variant = f":{arg}" if arg else ""
    config = with_method("gan_vc" + variant, "ridge")
    config.title = "Every method on one simulated subject" + (" (smoke run)" if arg else "")
    config.text = (
        "The responses come from a model of visual cortex that views photographs: no brain was "
        "scanned. All methods learn from the same trials and reconstruct the same images, crops of "
        "four photographs that training does not show."
    )
    config.evaluation.feature_regions = False  # takes minutes, and is no part of the comparison
    methods = METHODS
    if not arg:
        methods = tuple((n, e, {**o, **FEWER_STEPS.get(n, {})}) for n, e, o in METHODS)
    config.sweep = {
        "variants": tuple(
            (name, {"method": {**load(experiment.format(variant)).method.to_dict(), **options}})
            for name, experiment, options in methods
        )
    }
    return config
