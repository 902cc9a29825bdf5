"""What ridge regression takes for one fold."""

from fmri_jax.methods.costs import Cost, FoldSize
from fmri_jax.methods.ridge.config import Config

# An eigenvalue decomposition of n rows takes about as long as products of so many n^3 operations.
DECOMPOSITION = 100


def of_fold(config: Config, size: FoldSize) -> Cost:
    """One decomposition of the responses; then, for each penalty, the error of what is left out."""
    n = size.stimuli if config.average else size.rows
    components = min(n, size.voxels)
    products = 2 * n * (2 * components * (size.voxels + size.pixels) + 2 * n * size.pixels)
    left_out = len(config.penalties) * 2 * (n**2 * components + 2 * n**3)
    pictured = 2 * size.pictured * components * (size.voxels + size.pixels)
    return Cost(
        operations=DECOMPOSITION * components**3 + products + left_out + pictured,
        disk=4 * components * (size.voxels + size.pixels),
    )
