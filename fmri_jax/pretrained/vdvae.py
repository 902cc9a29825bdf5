"""Published weights of the very deep VAE (Child 2021) of 64 px ImageNet."""

import functools
from typing import Any

import numpy as np

from fmri_jax.networks.vdvae import IMAGENET64, VDVAE, VDVAEConfig
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.rules import Rule, Shapes
from fmri_jax.pretrained.sources import Publication, Weights
from fmri_jax.pretrained.unpickle import load_torch


def vdvae_shapes(config: VDVAEConfig) -> Shapes:
    """Parameter name -> shape; nothing is computed."""
    import jax
    import jax.numpy as jnp

    def given(*shape: int) -> Any:
        return jax.ShapeDtypeStruct((1, *shape), jnp.float32)

    side = config.image_size
    noise = tuple(given(*shape) for shape in config.latent_shapes())
    return rules.traced_shapes(VDVAE(config), given(side, side, config.channels), noise)


def _from_chw(array: np.ndarray) -> np.ndarray:
    """An image of activations (1, c, h, w) -> (h, w, c)."""
    return array[0].transpose(1, 2, 0)


def _conv(theirs: str, ours: str) -> list[Rule]:
    return [
        Rule(rf"{theirs}\.weight", f"{ours}/kernel", rules.from_oihw),
        Rule(rf"{theirs}\.bias", f"{ours}/bias"),
    ]


def vdvae_rules(config: VDVAEConfig) -> tuple[Rule, ...]:
    """From the names of github.com/openai/vdvae; those of several devices begin with "module."."""
    encoder, decoder = r"(?:module\.)?encoder\.", r"(?:module\.)?decoder\."
    found = [
        *_conv(rf"{encoder}in_conv", "in_conv"),
        *_conv(rf"{encoder}enc_blocks\.(\d+)\.(c\d)", r"enc_blocks_\1/\2"),
        *_conv(rf"{decoder}dec_blocks\.(\d+)\.(enc|prior|resnet)\.(c\d)", r"dec_blocks_\1/\2/\3"),
        *_conv(rf"{decoder}dec_blocks\.(\d+)\.z_proj", r"dec_blocks_\1/z_proj"),
        *_conv(rf"{decoder}out_net\.out_conv", "out_conv"),
        Rule(rf"{decoder}(gain|bias)", r"\1", rules.vector),
    ]
    resolutions = sorted({resolution for resolution, _ in config.decoder_blocks})
    found += [
        Rule(rf"{decoder}bias_xs\.{i}", f"start_{resolution}", _from_chw)
        for i, resolution in enumerate(resolutions)
    ]
    return tuple(found)


VDVAES = {
    "vdvae_imagenet64": Weights(
        what="very deep VAE, trained on 64 px ImageNet: the first stage of Brain-Diffuser",
        shapes=functools.partial(vdvae_shapes, IMAGENET64),
        publications=(
            Publication(
                origin="https://openaipublic.blob.core.windows.net/very-deep-vaes-assets/"
                "vdvae-assets-2/imagenet64-iter-1600000-model-ema.th",
                checksum="",
                read=load_torch,
                rules=vdvae_rules(IMAGENET64),
            ),
        ),
    ),
}
