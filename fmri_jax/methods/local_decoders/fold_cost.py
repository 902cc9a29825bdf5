"""What local decoders take for one fold."""

from fmri_jax.methods.costs import Cost, FoldSize
from fmri_jax.methods.local_decoders.options import Config

# A fit takes about so many times as long as its products over all voxels would: elements are solved
# one after the other, by small routines.
SLOWER = 10


def of_fold(config: Config, size: FoldSize) -> Cost | None:
    """A product of all voxels with each element per voxel chosen, also on every inner fold.

    None but for "omp" with options that are given: others take from a tenth of the time to
    many times as long.
    """
    if config.decoder != "omp" or config.select != "fixed":
        return None
    height, width, channels = size.image
    elements = config.basis(height, width).n_elements
    fits = 1 + (config.n_inner if config.weights != "equal" else 0)
    product = 2 * size.rows * size.voxels * elements * channels
    return Cost(
        operations=SLOWER * fits * min(config.n_nonzero, size.voxels) * product,
        disk=4 * elements * (size.voxels * channels + height * width),
    )
