"""Networks that are only looked through: the features by which the field scores reconstructions.

Each is one published architecture up to the features that papers on the Natural Scenes Dataset
compare, with its own normalisation of RGB images in [0, 1]. They are applied, never trained: batch
normalisation has its final statistics as parameters, and dropout is gone.
"""

from fmri_jax.networks.features.clip import CLIPVision
from fmri_jax.networks.features.efficientnet import EfficientNetB1
from fmri_jax.networks.features.inception import InceptionV3
from fmri_jax.networks.features.resnet import ResNet50

__all__ = ["CLIPVision", "EfficientNetB1", "InceptionV3", "ResNet50"]
