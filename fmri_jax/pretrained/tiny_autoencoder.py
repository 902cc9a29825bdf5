"""Weights of tiny autoencoders, whose layers are numbered in the order in which they run."""

import functools
from collections.abc import Sequence

from fmri_jax.networks.tiny_autoencoder import TAEF2, TAESD, Decoder, Encoder, TinyAutoencoderConfig
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.rules import Rule
from fmri_jax.pretrained.sources import Publication, Weights
from fmri_jax.pretrained.unpickle import load_torch

_REPOSITORY = (
    "https://raw.githubusercontent.com/madebyollin/taesd/5cccb12dc72074a4be35680c3b108548a7c69978/"
)

# Layers by number; None has no weights (a limit on latents, a ReLU, a doubling).
_ENCODER: list[str | None] = ["conv_in", "level0_block0"]
_DECODER: list[str | None] = [None, "conv_in", None]
for _level in (1, 2, 3):
    _ENCODER += [f"level{_level}_conv", *(f"level{_level}_block{i}" for i in range(3))]
for _level in (3, 2, 1):
    _DECODER += [*(f"level{_level}_block{i}" for i in range(3)), None, f"level{_level}_conv"]
_ENCODER += ["conv_out"]
_DECODER += ["level0_block0", "conv_out"]


def _numbered(layers: Sequence[str | None]) -> tuple[Rule, ...]:
    found: list[Rule] = []
    for number, name in enumerate(layers):
        if name is None:
            continue
        if "block" not in name:
            found += rules.for_conv(str(number), name)
            continue
        for i in range(3):
            found += rules.for_conv(rf"{number}\.conv\.{2 * i}", f"{name}/conv{i}")
        found += rules.for_dense(rf"{number}\.pool\.0", f"{name}/widen")
        found += rules.for_norm(rf"{number}\.pool\.1", f"{name}/norm")
        found += rules.for_dense(rf"{number}\.pool\.3", f"{name}/narrow")
    return tuple(found)


ENCODER_RULES = _numbered(_ENCODER)
DECODER_RULES = _numbered(_DECODER)


def _weights(what: str, config: TinyAutoencoderConfig, file: str, checksum: str = "") -> Weights:
    encoder = file.endswith("_encoder.pth")
    network = (Encoder if encoder else Decoder)(config)
    example = (8, 8, 3) if encoder else (1, 1, config.latent_channels)
    return Weights(
        what=what,
        shapes=functools.partial(rules.shapes, network, example),
        publications=(
            Publication(
                origin=f"{_REPOSITORY}{file}",
                checksum=checksum,
                read=load_torch,
                rules=ENCODER_RULES if encoder else DECODER_RULES,
            ),
        ),
    )


TINY_AUTOENCODERS: dict[str, Weights] = {
    "taesd_encoder": _weights(
        "images -> latents of Stable Diffusion 1.x, by a tiny network", TAESD, "taesd_encoder.pth"
    ),
    "taesd_decoder": _weights(
        "latents of Stable Diffusion 1.x -> images, by a tiny network", TAESD, "taesd_decoder.pth"
    ),
    "taef2_encoder": _weights(
        "images -> 32-channel latents, by a tiny network",
        TAEF2,
        "taef2_encoder.pth",
        "10a4e1021e89d7551eaf161352da8dbd0b1aa83872ae28b150c1df1ce2f147b6",
    ),
    "taef2_decoder": _weights(
        "32-channel latents -> images, by a tiny network",
        TAEF2,
        "taef2_decoder.pth",
        "0a44a31e1ae59eb9dbf9359d24942fd3ef5928162c1800d97a28c61d51be0ab5",
    ),
}
