"""A virtual subject: simulated voxels with known truth, for machines without recordings.

It views images in the protocol of Shen et al. (2019). `load` returns its recording as a `Session`,
`simulate` also the truth behind it. Whatever comes out of here is marked as simulated.
"""

from fmri_jax.data.virtual_subject.options import VirtualSubjectConfig
from fmri_jax.data.virtual_subject.subject import Truth, load, simulate

__all__ = ["Truth", "VirtualSubjectConfig", "load", "simulate"]
