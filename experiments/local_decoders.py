"""Local decoders on real fMRI: 10x10 contrast patterns from V1 (Miyawaki et al. 2008).

    export FMRI_JAX_DATA=/folder/of/recordings
    python launch.py --config=experiments/local_decoders.py

361 decoders of ten voxels each, at scales 1x1, 1x2, 2x1 and 2x2, combined by weights that are
learned on inner folds (the student report's extension of nilearn's example). Each image is decoded
by decoders that never saw it (20 folds: leave one image out), every 12 s block by itself. With
scikit-learn and equal weights: accuracy .938, F1 .866; all black scores .761.

    :nilearn   nilearn's own recording: V1 and V2, random patterns in training, figures in testing
    :best      decoder, scales, weights and regularisation chosen on inner folds of each fold
"""

from fmri_jax.errors import InputError
from fmri_jax.pipeline.experiment_config import default_config


def get_config(arg: str = ""):
    variants = {"": _figures, "nilearn": _nilearn, "best": _best}
    if arg not in variants:
        raise InputError(
            f"experiments/local_decoders.py:{arg} is not known: choose one of "
            f"{', '.join(name for name in variants if name)}, or none."
        )
    return variants[arg]()


def _figures():
    config = default_config(method="local_decoders", data="file")
    config.title = "Local decoders on real V1 responses, leave one image out"
    config.text = (
        "Geometric shapes and letters of 10 x 10 elements, from 967 V1 voxels of subject S1 of "
        "Miyawaki et al. (2008). No image of the test fold is ever seen in training."
    )
    config.data.path = "$FMRI_JAX_DATA/miyawaki2008_s1_v1_figures.npz"
    config.preparation.split = "stimulus"
    config.preparation.average_repeats = "none"
    return config


def _best():
    config = _figures()
    config.title = "Decoding from real V1 responses, every choice by inner folds"
    config.text += (
        " Decoder, scales, weights and regularisation are chosen on inner folds of the training "
        "images. Which candidates there are was settled while working with this recording, so that "
        "its score may flatter them; another recording has to confirm it."
    )
    config.method.select = "inner"
    return config


def _nilearn():
    config = default_config(method="local_decoders", data="miyawaki2008")
    config.title = "Local decoders on the recording of nilearn's example"
    config.text = (
        "Learned from random 10 x 10 patterns, tested on shapes and letters; voxels of V1 and V2 "
        "of the subject that nilearn's data set holds (Miyawaki et al. 2008)."
    )
    config.preparation.roi = "V1 + V2"
    config.preparation.average_repeats = "none"
    return config
