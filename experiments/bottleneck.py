"""How few numbers a method needs (BrainBits): any experiment's responses, narrowed step by step.

python launch.py --config=experiments/bottleneck.py                     # of brain_diffuser
python launch.py --config=experiments/bottleneck.py:gan_vc              # of another experiment
python launch.py --config=experiments/bottleneck.py:brain_diffuser:tiny
python launch.py --config=experiments/bottleneck.py --jobs=4

Each row but the first sees the responses through a linear bottleneck, which is learned in training.
After Mayo et al. (2024): images that stay good through a few numbers owe more to what the method
knows of images than to the responses.
"""

from fmri_jax.pipeline.experiment_files import load

WIDTHS = (1, 2, 5, 10, 20, 50, 100)
MOST_TINY = 20  # smoke runs have few training images


def get_config(arg: str = ""):
    config = load(arg or "brain_diffuser")
    config.title = f"Through a bottleneck: {config.title}"
    config.text += (
        " Each row but the first sees the responses reduced to a few numbers, by the linear map "
        "that best predicts what the method decodes, learned in training (after BrainBits, "
        "Mayo et al. 2024)."
    )
    widths = [k for k in WIDTHS if k <= MOST_TINY] if arg.endswith(":tiny") else WIDTHS
    rows = [(f"{k} number{'s' * (k > 1)}", {"preparation": {"bottleneck": k}}) for k in widths]
    config.sweep = {"variants": (("All voxels", {}), *rows)}
    return config
