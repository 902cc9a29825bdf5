"""Feature networks: images -> named features, with each network's own tested preprocessing.

    import fmri_jax as fj

    # images (n, h, w, 3) in [0, 1] -> {'conv1': (n, h', w', channels), 'relu1': ..., ...}
    fj.features.load("alexnet")(images)

    # texts, or several of each image -> {'tokens': (n, tokens, width), 'embedding': (n, width)}
    fj.features.load_text("minilm")(["a dog on a beach", "two people in a kitchen"])

Everything here that looks at images through a pretrained network takes it from one registry
(`fmri_jax.features.registry.NETWORKS`): metrics, the GAN's comparator, the simulated subject.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from fmri_jax.features.extractor import Features, load
    from fmri_jax.features.preprocessing import Preprocessing
    from fmri_jax.features.registry import NETWORKS, FeatureNetwork, find_network
    from fmri_jax.features.text import TEXT_NETWORKS, TextFeatures, load_text

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "extractor": ["Features", "load"],
        "preprocessing": ["Preprocessing"],
        "registry": ["NETWORKS", "FeatureNetwork", "find_network"],
        "text": ["TEXT_NETWORKS", "TextFeatures", "load_text"],
    },
)
__all__ = [
    "NETWORKS",
    "TEXT_NETWORKS",
    "FeatureNetwork",
    "Features",
    "Preprocessing",
    "TextFeatures",
    "find_network",
    "load",
    "load_text",
]
