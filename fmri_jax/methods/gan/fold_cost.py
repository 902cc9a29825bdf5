"""What a training of the GAN takes for one fold."""

from fmri_jax.features.registry import NETWORKS
from fmri_jax.methods import pixel_decoders
from fmri_jax.methods.costs import Cost, FoldSize
from fmri_jax.methods.gan.config import Config
from fmri_jax.methods.gan.method import GAN
from fmri_jax.training import operations

ADAM = 20  # operations per parameter and step


def of_fold(config: Config, size: FoldSize) -> Cost:
    """Steps times what each network does in one.

    Per image the generator goes forwards, and backwards at twice the price; the comparator forwards
    over both images, and backwards to the pixels of one; the discriminator forwards over two, and
    backwards for both losses. Disk: the generator, and the last checkpoint with Adam's moments.
    """
    refines = config.refines
    config = config.for_rows(size.stimuli if refines else size.rows)
    side, channels = config.crop or size.image[0], size.image[2]
    image = (side, side, channels)
    networks = GAN(config).networks(side, channels)
    generator = operations.of_network(networks.generator, image if refines else (size.voxels,))
    per_image, parameters = 3 * generator.operations, generator.parameters
    if config.adversarial_weight:
        discriminator = operations.of_network(networks.discriminator, image, False)
        per_image += 6 * discriminator.operations
        parameters += discriminator.parameters
    if config.compares:
        seen = config.comparator_size or side
        comparator = NETWORKS[config.comparator].module()
        per_image += 3 * operations.of_network(comparator, (seen, seen, 3)).operations
    nothing = Cost(0, 0)
    start = pixel_decoders.PIXEL_DECODERS[config.start].cost(size) if refines else nothing
    step = config.batch_size * per_image + ADAM * parameters
    return Cost(
        operations=(config.n_steps or 0) * step
        + size.pictured * generator.operations
        + start.operations,
        disk=4 * (generator.parameters + 3 * parameters) + start.disk,
    )
