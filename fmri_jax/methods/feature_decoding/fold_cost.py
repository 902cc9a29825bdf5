"""What feature decoding takes for one fold."""

from fmri_jax.features.registry import NETWORKS
from fmri_jax.methods.costs import Cost, FoldSize
from fmri_jax.methods.feature_decoding.config import Config
from fmri_jax.methods.pixel_decoders import PIXEL_DECODERS
from fmri_jax.training import operations


def of_fold(config: Config, size: FoldSize) -> Cost | None:
    """Rendering, which takes far longer than the maps: per step the network forwards and back.

    None where it is not pixels that are rendered, and of maps from voxels of each unit's own. Test
    rows are rendered once more of shuffled fMRI.
    """
    if config.renderer != "pixels" or config.n_voxels is not None:
        return None
    network = NETWORKS[config.network]
    side = config.network_size or max(network.least, min(size.image[:2]))  # as images are shown
    step = 3 * operations.of_network(network.module(), (side, side, 3)).operations
    rendered = 2 * size.pictured
    pixels = Cost(0, 0)
    if config.pixels_apart:
        pixels = PIXEL_DECODERS[config.pixel_decoder].cost(size)
    return Cost(
        rendered * config.n_steps * step + pixels.operations,
        4 * size.stimuli * (size.voxels + size.pixels) + pixels.disk,
    )
