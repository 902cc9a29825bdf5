"""What an instance-conditioned prior consists of."""

import dataclasses
from typing import Any

from fmri_jax.config import section
from fmri_jax.errors import InputError
from fmri_jax.features.preprocessing import Preprocessing
from fmri_jax.networks.autoencoder_kl import AutoencoderKLConfig
from fmri_jax.networks.biggan_config import IC_GAN, BigGANConfig
from fmri_jax.networks.latent_generator import LatentGeneratorConfig

Generator = BigGANConfig | LatentGeneratorConfig


@dataclasses.dataclass(frozen=True)
class ICGANConfig:
    """Sizes of a generator, and the features that it is told.

    Attributes:
        generator: of pixels, or of the latents of an autoencoder.
        network: of `features.registry`, whose features of an instance are taken.
        layer: of that network.
        preprocessing: of the images whose features are taken; None: the network's own.
        autoencoder: that decodes latents; None of a generator of pixels.
        image_size: px, the side of its images.
        truncation: standard deviation of the noise, which is cut off beyond two of them.
    """

    generator: Generator
    network: str = "efficientnet_lite0"
    layer: str = "pooled"
    preprocessing: Preprocessing | None = None
    autoencoder: AutoencoderKLConfig | None = None
    image_size: int = 64
    truncation: float = 0.7

    def __post_init__(self) -> None:
        """Rejects a generator whose images are of another size, or that nothing decodes."""
        generator, autoencoder = self.generator, self.autoencoder
        if isinstance(generator, BigGANConfig):
            size = generator.image_size
        elif autoencoder is None:
            raise InputError("a generator of latents needs an autoencoder that decodes them.")
        else:
            size = generator.latent_shape[0] * autoencoder.reduction
        if self.image_size != size or (isinstance(generator, BigGANConfig) and autoencoder):
            raise InputError(
                f"image_size is {self.image_size}, with a generator of {size} px: expected the "
                "same, and an autoencoder for a generator of latents alone."
            )

    @property
    def latent_shape(self) -> tuple[int]:
        """Length of the noise: what the features leave open."""
        return (self.generator.noise_used,)


def from_json(content: dict[str, Any], where: str) -> ICGANConfig:
    """The config that `dataclasses.asdict` made a dict of.

    Args:
        content: its options.
        where: named in messages.

    Raises:
        InputError: an option is unknown or of another type.
    """
    content = dict(content)
    generator = content.pop("generator", {})
    kind: Any = LatentGeneratorConfig if "latent_shape" in generator else BigGANConfig
    parts = {"preprocessing": Preprocessing, "autoencoder": AutoencoderKLConfig}
    for name, cls in parts.items():
        if content.get(name) is not None:
            content[name] = section(cls, content[name], f"{where}.{name}")
    try:
        return ICGANConfig(section(kind, generator, f"{where}.generator"), **content)
    except TypeError as error:
        raise InputError(f"{where} has a config that cannot be read ({error}).") from error


# SwAV's features as the data of IC-GAN hold them: enlarged from the generator's own size.
_SWAV = Preprocessing(224, method="cubic", antialias=False)
PUBLISHED = {
    name: ICGANConfig(config, "swav_resnet50", "pooled", _SWAV, image_size=config.image_size)
    for name, config in IC_GAN.items()
    if not config.classes
}
