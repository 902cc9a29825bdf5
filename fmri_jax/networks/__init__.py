"""Flax Linen networks: generator, discriminator and comparators."""
