"""Autoencoders of latent diffusion, trained here."""
