"""Published latent diffusion models."""

from fmri_jax.networks.autoencoder_kl import KL_F8, SCALE
from fmri_jax.networks.unet import VERSATILE
from fmri_jax.priors.diffusion.conditions import Condition
from fmri_jax.priors.diffusion.prior import LatentDiffusionConfig

# Xu et al. (2023), as Brain-Diffuser uses it: pictures of 512 px from all tokens of CLIP's two
# towers.
VERSATILE_DIFFUSION = LatentDiffusionConfig(
    autoencoder=KL_F8,
    unet=VERSATILE,
    conditions=(
        Condition("image", "clip_vit_l14", "tokens", (257, 768)),
        Condition("text", "clip_text", "tokens", (77, 768)),
    ),
    image_size=512,
    scale=SCALE,
    one_step_noisier=True,
)
