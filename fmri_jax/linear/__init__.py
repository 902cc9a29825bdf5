"""Batched linear solvers over many targets at once."""
