"""Sizes of BigGAN (Brock et al. 2019) as IC-GAN (Casanova et al. 2021) trains it."""

import dataclasses

from fmri_jax.errors import InputError

# Image size, px -> channels into and out of each block of the generator, in widths.
_BLOCKS = {
    32: ((4, 4, 4), (4, 4, 4)),
    64: ((16, 16, 8, 4), (16, 8, 4, 2)),
    128: ((16, 16, 8, 4, 2), (16, 8, 4, 2, 1)),
    256: ((16, 16, 8, 8, 4, 2), (16, 8, 8, 4, 2, 1)),
    512: ((16, 16, 8, 8, 4, 2, 1), (16, 8, 8, 4, 2, 1, 1)),
}
# The same of the discriminator's blocks, which go the other way; its last one halves nothing.
_DISCRIMINATOR = {
    32: ((4, 4, 4, 4), (True, True, False, False)),
    64: ((1, 2, 4, 8, 16), (True,) * 4 + (False,)),
    128: ((1, 2, 4, 8, 16, 16), (True,) * 5 + (False,)),
    256: ((1, 2, 4, 8, 8, 16, 16), (True,) * 6 + (False,)),
    512: ((1, 1, 2, 4, 8, 8, 16, 16), (True,) * 7 + (False,)),
}
FIRST = 4  # px, the side of the image that the first dense layer gives


@dataclasses.dataclass(frozen=True)
class BigGANConfig:
    """What a generator and its discriminator look like; defaults are IC-GAN's of 64 px ImageNet.

    Attributes:
        image_size: px; one of 32, 64, 128, 256, 512.
        width: channels of the published tables are multiples of it ("ch").
        attention: sides, px, of the activations that have attention.
        noise: length of the noise vector, of which as many values act as divide evenly among the
            first layer and the blocks.
        features: length of the instance's feature vector; 0: none.
        feature_units: of its embedding, which all blocks share.
        classes: how many there are; 0: none.
        class_units: of their embedding.
    """

    image_size: int = 64
    width: int = 64
    attention: tuple[int, ...] = (32,)
    noise: int = 120
    features: int = 2048
    feature_units: int = 512
    classes: int = 0
    class_units: int = 128

    def __post_init__(self) -> None:
        """Rejects sizes that no table has."""
        if self.image_size not in _BLOCKS:
            raise InputError(
                f"image_size is {self.image_size}: expected one of {', '.join(map(str, _BLOCKS))}."
            )
        for name in ("width", "noise"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}: expected a positive number.")
        if self.noise < self.slots:
            raise InputError(
                f"noise is {self.noise}: expected at least a value for each of {self.slots} parts."
            )

    @property
    def channels(self) -> tuple[tuple[int, int], ...]:
        """Into and out of each block of the generator, from 4 x 4 pixels up."""
        given, out = _BLOCKS[self.image_size]
        return tuple((a * self.width, b * self.width) for a, b in zip(given, out, strict=True))

    @property
    def discriminator_blocks(self) -> tuple[tuple[int, bool], ...]:
        """Channels out of each block of the discriminator, and whether it halves the image."""
        out, halves = _DISCRIMINATOR[self.image_size]
        return tuple((n * self.width, half) for n, half in zip(out, halves, strict=True))

    @property
    def slots(self) -> int:
        """Parts of the noise: one for the first layer, one for each block."""
        return len(_BLOCKS[self.image_size][0]) + 1

    @property
    def chunk(self) -> int:
        """Length of each part."""
        return self.noise // self.slots

    @property
    def noise_used(self) -> int:
        """Values of the noise that act."""
        return self.chunk * self.slots

    @property
    def first_units(self) -> int:
        """Of the first dense layer."""
        return FIRST * FIRST * self.channels[0][0]


def _published(image_size: int, width: int, classes: int = 0) -> BigGANConfig:
    attention = (32,) if image_size == 64 else (64,)
    return BigGANConfig(image_size, width, attention, classes=classes)


IC_GAN = {  # published generators, by the names of their archives
    "icgan_biggan_imagenet_res64": _published(64, 64),
    "icgan_biggan_imagenet_res128": _published(128, 96),
    "icgan_biggan_imagenet_res256": _published(256, 96),
    "icgan_biggan_imagenet_res256_halfcap": _published(256, 64),
    "icgan_biggan_coco_res128": _published(128, 48),
    "icgan_biggan_coco_res256": _published(256, 48),
    "cc_icgan_biggan_imagenet_res64": _published(64, 64, 1000),
    "cc_icgan_biggan_imagenet_res128": _published(128, 96, 1000),
    "cc_icgan_biggan_imagenet_res256": _published(256, 96, 1000),
    "cc_icgan_biggan_imagenet_res256_halfcap": _published(256, 64, 1000),
}
# ajbrock/BigGAN-PyTorch, 128 px ImageNet, of classes alone.
BIGGAN_128 = BigGANConfig(128, 96, (64,), features=0, classes=1000)
