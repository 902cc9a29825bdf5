"""Reconstruct what a person saw from fMRI, in JAX.

    import fmri_jax as fj

    recording = fj.datasets.make_simulated_subject(random_state=0)  # or fj.load("mine.npz")
    train, test = fj.train_test_split(recording, by="group", roi="V1 + V2", random_state=0)
    decoder = fj.RidgeDecoder().fit(train.fmri, train.images)
    fj.metrics.score(test.images, decoder.predict(test.fmri))

Names are imported when they are first used, so that importing the package costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

import lazy_loader

from fmri_jax._version import __version__ as __version__

if TYPE_CHECKING:
    from fmri_jax import data, datasets, errors, features, linear, networks, pretrained, priors
    from fmri_jax import evaluation as metrics
    from fmri_jax.data import load
    from fmri_jax.encoding.estimator import EncodingModel
    from fmri_jax.encoding.files import load_encoding
    from fmri_jax.methods.brain_diffuser.estimator import BrainDiffuserDecoder
    from fmri_jax.methods.decoder_files import load_decoder
    from fmri_jax.methods.feature_decoding.estimator import FeatureDecoder
    from fmri_jax.methods.gan.estimator import GANDecoder
    from fmri_jax.methods.ic_gan.estimator import ICGANDecoder
    from fmri_jax.methods.local_decoders.estimator import MultiScaleDecoder
    from fmri_jax.methods.ridge.estimator import RidgeDecoder
    from fmri_jax.pipeline.estimators import cross_validate
    from fmri_jax.pipeline.split import train_test_split

_lazy, *_ = lazy_loader.attach(
    __name__,
    submodules=[
        *("data", "datasets", "errors", "features", "linear", "networks", "pretrained", "priors")
    ],
    submod_attrs={
        "data": ["load"],
        "encoding.estimator": ["EncodingModel"],
        "encoding.files": ["load_encoding"],
        "methods.brain_diffuser.estimator": ["BrainDiffuserDecoder"],
        "methods.decoder_files": ["load_decoder"],
        "methods.feature_decoding.estimator": ["FeatureDecoder"],
        "methods.gan.estimator": ["GANDecoder"],
        "methods.ic_gan.estimator": ["ICGANDecoder"],
        "methods.local_decoders.estimator": ["MultiScaleDecoder"],
        "methods.ridge.estimator": ["RidgeDecoder"],
        "pipeline.estimators": ["cross_validate"],
        "pipeline.split": ["train_test_split"],
    },
)
__all__ = [
    "BrainDiffuserDecoder",
    "EncodingModel",
    "FeatureDecoder",
    "GANDecoder",
    "ICGANDecoder",
    "MultiScaleDecoder",
    "RidgeDecoder",
    "cross_validate",
    "data",
    "datasets",
    "errors",
    "features",
    "linear",
    "load",
    "load_decoder",
    "load_encoding",
    "metrics",
    "networks",
    "pretrained",
    "priors",
    "train_test_split",
]


def __getattr__(name: str) -> Any:
    """Imports a public name; `metrics` is another name of `fmri_jax.evaluation`."""
    if name == "metrics":
        return importlib.import_module("fmri_jax.evaluation")
    return _lazy(name)


def __dir__() -> list[str]:
    """The public names, for completion in a notebook."""
    return [*__all__, "__version__"]
