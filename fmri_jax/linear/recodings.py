"""What takes the place of voxels in a fold and in its kept decoder: numbers made of responses."""

from fmri_jax.linear.bottleneck import Bottleneck
from fmri_jax.linear.kernel import KernelComponents

Recoding = Bottleneck | KernelComponents

BY_KIND: dict[str, type[Recoding]] = {each.KIND: each for each in (Bottleneck, KernelComponents)}
