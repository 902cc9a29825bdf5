"""Every comparison of the student report on local decoders, on the same folds.

    export FMRI_JAX_DATA=/folder/of/recordings
    python launch.py --config=experiments/local_decoders_table.py

Scales {1x1} against s = 2, 3 and 5; OMP against linear regression, Bayesian ridge, ridge, the best
single voxel, sparse logistic regression and receptive fields; equal weights against learned ones,
one per scale, element or pixel. Each variant differs in one respect from nilearn's example.
"""

from fmri_jax.errors import InputError
from fmri_jax.pipeline.experiment_config import default_config

VARIANTS = (
    ("OMP, s = 2", {}),
    ("OMP, 1x1", {"scales": (1,)}),
    ("OMP, s = 3", {"scales": (3,)}),
    ("OMP, s = 5", {"scales": (5,)}),
    ("OMP, s = 2, learned weights", {"weights": "learned"}),
    ("OMP, s = 3, learned weights", {"scales": (3,), "weights": "learned"}),
    ("OMP, s = 5, learned weights", {"scales": (5,), "weights": "learned"}),
    ("OMP, s = 2, weights by element", {"weights": "element"}),
    ("OMP, s = 2, weights by pixel", {"weights": "pixel"}),
    ("Linear regression, s = 2", {"decoder": "linear"}),
    ("Bayesian ridge, s = 2", {"decoder": "bayesian_ridge"}),
    ("Ridge, s = 2", {"decoder": "ridge", "alpha": 100.0}),
    ("Best single voxel, s = 2", {"decoder": "univariate"}),
    ("Sparse logistic, s = 2", {"decoder": "sparse_logistic", "n_voxels": 50}),
    ("Receptive fields", {"decoder": "receptive_fields", "scales": (1,), "alpha": 300.0}),
    ("Chosen on inner folds", {"select": "inner"}),
)

EXPECTED = (
    ("OMP, s = 2", "OMP, 1x1"),
    ("OMP, s = 3", "OMP, s = 2"),
    ("OMP, s = 3", "OMP, s = 5"),
    ("OMP, s = 2", "Linear regression, s = 2"),
    ("OMP, s = 2", "Bayesian ridge, s = 2"),
    ("OMP, s = 2", "Best single voxel, s = 2"),
    ("OMP, s = 2, learned weights", "OMP, s = 2"),
)


def get_config(arg: str = ""):
    if arg:
        raise InputError(
            f"experiments/local_decoders_table.py has no variant {arg!r}: expected none."
        )
    config = default_config(method="local_decoders", data="file")
    config.title = "Local decoders: scales, decoders and weights"
    config.text = (
        "Geometric shapes and letters of 10 x 10 elements, from 967 V1 voxels of subject S1 of "
        "Miyawaki et al. (2008). Each image is decoded by decoders that never saw it; every 12 s "
        "block is scored by itself, and all pixels count alike."
    )
    config.data.path = "$FMRI_JAX_DATA/miyawaki2008_s1_v1_figures.npz"
    config.preparation.split = "stimulus"
    config.preparation.average_repeats = "none"
    config.method.update({"scales": (2,), "decoder": "omp", "weights": "equal"})
    config.evaluation.perceptual = False
    config.evaluation.metrics = (
        "pixel_correlation",
        "mse",
        "accuracy",
        "precision",
        "recall",
        "f1",
    )
    config.sweep = {
        "variants": tuple((name, {"method": change}) for name, change in VARIANTS),
        "hypotheses": tuple((*pair, "accuracy") for pair in EXPECTED),
    }
    return config
