"""Flax Linen networks, pure functions of their parameters."""

from fmri_jax.networks.alexnet import AlexNet
from fmri_jax.networks.autoencoder_kl import AutoencoderKL, AutoencoderKLConfig
from fmri_jax.networks.biggan import BigGANDiscriminator, BigGANGenerator
from fmri_jax.networks.biggan_config import BigGANConfig
from fmri_jax.networks.biggan_deep import BigGANDeepConfig, BigGANDeepGenerator
from fmri_jax.networks.caffenet import BVLCAlexNet, CaffeNet
from fmri_jax.networks.clip import CLIPText, CLIPVision
from fmri_jax.networks.deep_generator import DeepGenerator
from fmri_jax.networks.deep_image_prior import DeepImagePrior
from fmri_jax.networks.discriminator import Discriminator
from fmri_jax.networks.efficientnet import EfficientNetB1, EfficientNetLite0
from fmri_jax.networks.generator import Generator
from fmri_jax.networks.inception import InceptionV3
from fmri_jax.networks.resnet import ResNet50
from fmri_jax.networks.sentence_bert import SentenceBERT
from fmri_jax.networks.tiny_autoencoder import TinyAutoencoder, TinyAutoencoderConfig
from fmri_jax.networks.unet import UNet, UNetConfig
from fmri_jax.networks.vgg import VGG16, VGG19

__all__ = [
    "VGG16",
    "VGG19",
    "AlexNet",
    "AutoencoderKL",
    "AutoencoderKLConfig",
    "BVLCAlexNet",
    "BigGANConfig",
    "BigGANDeepConfig",
    "BigGANDeepGenerator",
    "BigGANDiscriminator",
    "BigGANGenerator",
    "CLIPText",
    "CLIPVision",
    "CaffeNet",
    "DeepGenerator",
    "DeepImagePrior",
    "Discriminator",
    "EfficientNetB1",
    "EfficientNetLite0",
    "Generator",
    "InceptionV3",
    "ResNet50",
    "SentenceBERT",
    "TinyAutoencoder",
    "TinyAutoencoderConfig",
    "UNet",
    "UNetConfig",
]
