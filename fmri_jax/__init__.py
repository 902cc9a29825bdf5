"""Reconstruct what a person saw from fMRI, in JAX."""
