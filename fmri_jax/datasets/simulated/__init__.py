"""A virtual subject: simulated voxels with known truth, for machines without recordings.

It views images in the protocol of Shen et al. (2019). `load` returns a `Recording`, `simulate`
also the truth behind it. Whatever comes out of here is marked as simulated.

A virtual subject shows that a pipeline works and which orderings it ought to find; it does not
predict scores on people. Its voxels follow the model exactly, its noise is Gaussian, and it never
moves, blinks or tires, so that decoding it is easier than decoding anybody.
"""

from fmri_jax.datasets.simulated.options import VirtualSubjectConfig
from fmri_jax.datasets.simulated.small import make_simulated_subject
from fmri_jax.datasets.simulated.subject import Truth, load, simulate

Config = VirtualSubjectConfig  # the name by which experiments find a reader's options

__all__ = [
    "Config",
    "Truth",
    "VirtualSubjectConfig",
    "load",
    "make_simulated_subject",
    "simulate",
]
