"""Latent diffusion: the schedule of noise, DDIM, guidance, and the loss that trains a UNet."""

from fmri_jax.priors.diffusion.ddim import denoise
from fmri_jax.priors.diffusion.loss import noise_prediction_loss
from fmri_jax.priors.diffusion.sampling import guided_noise, sample
from fmri_jax.priors.diffusion.schedule import Schedule, Trajectory, add_noise

__all__ = [
    "Schedule",
    "Trajectory",
    "add_noise",
    "denoise",
    "guided_noise",
    "noise_prediction_loss",
    "sample",
]
