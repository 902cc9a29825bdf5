"""The method that does best on training stimuli that were left out, chosen fold by fold.

python launch.py --config=experiments/best.py              # the simulated subject of gan_vc
python launch.py --config=experiments/best.py:tiny         # seconds: does everything run?
python launch.py --config=experiments/best.py:object2vec   # real fMRI, unseen categories
python launch.py --config=experiments/best.py:macaque_v4   # recorded spikes, ten folds

Every candidate is fitted to two thirds of the training stimuli, three times over, and makes images
of all of them; the chosen one is fitted to all. With feature decoding and diffusion among 1,200
images that takes hours on two cores.
"""

from fmri_jax.pipeline.experiment_files import choose, load, with_method

RIDGE = (
    {"name": "ridge", "label": "ridge"},
    {"name": "ridge", "label": "ridge for identification", "choose": "identification"},
)
# Recording -> the experiment whose trials are taken, and those of further candidates by label.
RECORDINGS = {
    "": (
        "gan_vc",
        {
            "GAN from local decoders": "gan_vc:refined",
            "feature decoding": "feature_decoding",
            "Brain-Diffuser": "brain_diffuser",
            "IC-GAN": "ic_gan",
        },
    ),
    "tiny": ("gan_vc:tiny", {"GAN": "gan_vc:tiny"}),
    "object2vec": (
        "gan_object2vec",
        {
            "GAN": "gan_object2vec",
            "feature decoding": "feature_decoding:object2vec",
            "Brain-Diffuser": "brain_diffuser:object2vec",
            "IC-GAN": "ic_gan:object2vec",
        },
    ),
    "macaque_v4": (
        "feature_decoding:macaque_v4",
        {
            "feature decoding": "feature_decoding:macaque_v4",
            "Brain-Diffuser": "brain_diffuser:macaque_v4",
            "IC-GAN": "ic_gan:macaque_v4",
        },
    ),
}


def get_config(arg: str = ""):
    trials, others = choose("best", RECORDINGS, arg)
    config = with_method(trials, "best")
    config.title = "The best of all methods, chosen on training stimuli"
    config.text = (
        "Ridge regression and the systems of the literature: each fold takes the one that makes "
        "the best images of training stimuli that were left out. Test images have no part in it."
    )
    others = [{"label": label, **load(name).method.to_dict()} for label, name in others.items()]
    config.method.candidates = (*RIDGE, *others)
    return config
