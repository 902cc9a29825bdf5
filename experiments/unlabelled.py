"""What photographs that nobody viewed teach: none of them, 5,000, 40,000, and a wrong model's.

    export FMRI_JAX_DATA=/folder/of/recordings
    python launch.py --config=experiments/unlabelled.py                 # a simulated subject
    python launch.py --config=experiments/unlabelled.py:object2vec      # real fMRI
    python launch.py --config=experiments/unlabelled.py:macaque_v4      # recorded spikes
    python launch.py --config=experiments/unlabelled.py:simulated:gan_vc:refined

Ridge regression learns from them, or the method of the experiment that follows the recording. The
wrong model is fitted to training images in random order: its responses say nothing of a photograph,
so that what it gains as well comes from more images and not from what was learned of the brain.
Photographs are those of `--config.preparation.unlabelled`; none may be an image of the recording.
Their features, 2.2 GB of 40,000, are computed once for all rows and kept in the cache folder. All
seeds have the same photographs; noise and the choice of the encoding model's penalties differ.
"""

from fmri_jax.pipeline.experiment_files import choose, load, with_method

SEEDS = (0, 1, 2)
PHOTOGRAPHS = "$FMRI_JAX_DATA/photos_tinyimagenet_64px.zip"
NONE, SOME, MANY, WRONG = "None", "5,000", "40,000", "5,000, wrong model"

# Recording -> the experiment whose trials are taken, and how they are split otherwise.
RECORDINGS = {
    "simulated": ("gan_vc:photographs", {}),
    "object2vec": ("gan_object2vec", {}),
    # Three folds in place of ten: each fits an encoding model for each seed.
    "macaque_v4": ("feature_decoding:macaque_v4", {"split": "stimulus", "n_folds": 3}),
}

HYPOTHESES = tuple(
    (better, worse, score, why)
    for better, worse, why in (
        (SOME, NONE, "Unlabelled photographs teach."),
        (MANY, SOME, "More of them teach more."),
        (SOME, WRONG, "The encoding model is what teaches."),
    )
    for score in ("pixel_correlation", "identification_centred")
)


def get_config(arg: str = ""):
    recording, _, method = (arg or "simulated").partition(":")
    trials, split = choose("unlabelled", RECORDINGS, recording)
    config = with_method(trials, "ridge")
    if method:
        config.method = load(method).method
    config.title = "Photographs that nobody viewed, in training"
    config.preparation.update(split, kernel="linear")  # which simulated trials would widen
    config.preparation.unlabelled = PHOTOGRAPHS
    # The simulated subject's higher areas are made of AlexNet, which would predict them too well.
    config.preparation.unlabelled_features = "efficientnet_lite0"
    # Without photographs ridge draws nothing at random.
    alone = {"seeds": SEEDS[:1]} if config.method.name == "ridge" else {}
    config.sweep = {
        "seeds": SEEDS,
        "variants": (
            (NONE, {"preparation": {"unlabelled": None}, **alone}),
            (SOME, {"preparation": {"n_unlabelled": 5000}}),
            (MANY, {"preparation": {"n_unlabelled": 40_000}}),
            (WRONG, {"preparation": {"n_unlabelled": 5000, "unlabelled_model": "shuffled"}}),
        ),
        "hypotheses": HYPOTHESES,
    }
    return config
