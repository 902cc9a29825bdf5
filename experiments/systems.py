"""The systems of the literature side by side, on every recording that they apply to.

python launch.py --config=experiments/systems.py              # all of it: hours on two cores
python launch.py --config=experiments/systems.py:simulated    # the demo's subject: minutes
python launch.py --config=experiments/systems.py:miyawaki     # real V1 responses, minutes
python launch.py --config=experiments/systems.py:object2vec   # real fMRI, unseen categories
python launch.py --config=experiments/systems.py:macaque_v4   # recorded spikes, ten folds

All but `simulated` read recordings from the folder that FMRI_JAX_DATA names. Rows of one recording
are compared with its first, ridge regression; the nearest training image is a baseline of each.
"""

from fmri_jax.pipeline.experiment_files import choose, load
from fmri_jax.pipeline.sweep import merge

RIDGE = {"method": {"name": "ridge"}}
# Local decoders of the other rows' averages; with single blocks they have less to decode.
AVERAGED = {"preparation": {"average_repeats": "test", "noise_scaling": False}}
# Of 1,200 images twenty steps take half an hour; `brain_diffuser.py:macaque_v4` has all of them,
# and the controls.
SHORTER = {"method": {"n_steps": 20}, "evaluation": {"controls": False}}

# Recording -> its rows: the method, the experiment it is taken from, and what is changed in that.
SYSTEMS = {
    "miyawaki": (
        ("Ridge", "ridge", {}),
        ("Local decoders", "local_decoders", AVERAGED),
        ("GAN", "gan_miyawaki", {}),
    ),
    "object2vec": (
        ("Ridge", "gan_object2vec", RIDGE),
        ("GAN", "gan_object2vec", {}),
        ("Feature decoding", "feature_decoding:object2vec", {}),
        ("Brain-Diffuser", "brain_diffuser:object2vec", {}),
        ("IC-GAN", "ic_gan:object2vec", {}),
    ),
    "macaque_v4": (
        ("Ridge", "feature_decoding:macaque_v4", RIDGE),
        ("GAN", "feature_decoding:macaque_v4", {"method": load("gan_object2vec").method.to_dict()}),
        ("Feature decoding", "feature_decoding:macaque_v4", {}),
        ("Brain-Diffuser", "brain_diffuser:macaque_v4", SHORTER),
        ("IC-GAN", "ic_gan:macaque_v4", {}),
    ),
}
NAMES = {
    "simulated": "Simulated subject",
    "miyawaki": "V1, contrast patterns",
    "object2vec": "Object2Vec",
    "macaque_v4": "Macaque V4",
}
WORDS_AND_SEEDS = ("title", "text", "seed", "sweep")  # of an experiment: the sweep has its own


def get_config(arg: str = ""):
    chosen = choose("systems", {"": tuple(NAMES), **{name: (name,) for name in NAMES}}, arg)
    found = {name: _simulated() if name == "simulated" else _recorded(name) for name in chosen}
    config = load("demo")
    config.title = "Systems side by side" + (f": {NAMES[arg]}" if arg else "")
    config.text = " ".join(f"{NAMES[name]}: {text}" for name, (_, text) in found.items())
    rows = []
    for recording, (of_recording, _) in found.items():
        prefix = "" if arg else f"{NAMES[recording]}: "
        for name, whole in of_recording:
            options = {key: part for key, part in whole.items() if key not in WORDS_AND_SEEDS}
            rows.append((prefix + name, options))
    config.sweep = {"variants": tuple(rows)}
    return config


def _simulated():
    """Rows of (name, whole config), and what the recording is."""
    demo = load("demo").to_dict()
    rows = [(name, merge(demo, change)) for name, change in demo["sweep"]["variants"]]
    return rows, demo["text"]


def _recorded(recording: str):
    """The same of a recording of `SYSTEMS`."""
    rows = [
        (name, merge(load(experiment).to_dict(), change))
        for name, experiment, change in SYSTEMS[recording]
    ]
    return rows, load(SYSTEMS[recording][0][1]).text
