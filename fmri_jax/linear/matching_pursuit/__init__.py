"""Orthogonal matching pursuit for many targets at once."""
