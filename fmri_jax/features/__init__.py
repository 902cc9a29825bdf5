"""Feature networks: images -> named features, with each network's own tested preprocessing.

    import fmri_jax as fj

    # images (n, h, w, 3) in [0, 1] -> {'conv1': (n, h', w', channels), 'relu1': ..., ...}
    fj.features.load("alexnet")(images)

Everything here that looks at images through a pretrained network takes it from one registry
(`fmri_jax.features.registry.NETWORKS`): metrics, the GAN's comparator, the simulated subject.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from fmri_jax.features.extractor import Features, load
    from fmri_jax.features.preprocessing import Preprocessing
    from fmri_jax.features.registry import NETWORKS, FeatureNetwork, find_network

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "extractor": ["Features", "load"],
        "preprocessing": ["Preprocessing"],
        "registry": ["NETWORKS", "FeatureNetwork", "find_network"],
    },
)
__all__ = ["NETWORKS", "FeatureNetwork", "Features", "Preprocessing", "find_network", "load"]
