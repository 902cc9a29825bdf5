"""Names of the autoencoder of latent diffusion, in `diffusers` folders and original files."""

from fmri_jax.networks.autoencoder_kl import AutoencoderKLConfig
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.rules import Rule
from fmri_jax.pretrained.unet_rules import residual

# The middle attention's layers: ours -> what the sources call them; diffusers renamed its own.
_DIFFUSERS_ATTENTION = {
    "query": "(?:to_q|query)",
    "key": "(?:to_k|key)",
    "value": "(?:to_v|value)",
    "out": r"(?:to_out\.0|proj_attn)",
}
_ORIGINAL_ATTENTION = {"query": "q", "key": "k", "value": "v", "out": "proj_out"}


def diffusers_rules(config: AutoencoderKLConfig) -> tuple[Rule, ...]:
    """Rules for an `AutoencoderKL`: `vae/diffusion_pytorch_model.{safetensors,bin}`."""
    last = len(config.channels) - 1
    found = _quantisation("")
    for half in ("encoder", "decoder"):
        found += rules.for_conv(rf"{half}\.(conv_in|conv_out)", rf"{half}/\1")
        found += rules.for_norm(rf"{half}\.conv_norm_out", f"{half}/norm_out")
        middle, ours = rf"{half}\.mid_block", f"{half}/middle"
        found += _block(rf"{middle}\.resnets\.(\d)", rf"{ours}_residual\1", "conv_shortcut")
        found += _attention(
            rf"{middle}\.attentions\.0", "group_norm", f"{half}/middle", _DIFFUSERS_ATTENTION
        )
    for level in range(last + 1):
        down, up = rf"encoder\.down_blocks\.{level}", rf"decoder\.up_blocks\.{last - level}"
        for theirs, ours in ((down, "encoder/down"), (up, "decoder/up")):
            place, name = rf"{theirs}\.resnets\.(\d)", rf"{ours}{level}_residual\1"
            found += _block(place, name, "conv_shortcut")
        found += rules.for_conv(rf"{down}\.downsamplers\.0\.conv", f"encoder/down{level}_half")
        found += rules.for_conv(rf"{up}\.upsamplers\.0\.conv", f"decoder/up{level}_double")
    return tuple(found)


def original_rules(prefix: str = "") -> tuple[Rule, ...]:
    """Rules for the original code's names; all outside the autoencoder, and its loss, is left out.

    Args:
        prefix: of its names: none in `kl-f8` files, `first_stage_model.` in checkpoints of Stable
            Diffusion, `autokl.` in those of Versatile Diffusion.
    """
    dots = prefix.replace(".", r"\.")
    found = _quantisation(dots)
    for half in ("encoder", "decoder"):
        place = rf"{dots}{half}"
        found += rules.for_conv(rf"{place}\.(conv_in|conv_out)", rf"{half}/\1")
        found += rules.for_norm(rf"{place}\.norm_out", f"{half}/norm_out")
        for i in (0, 1):
            found += _block(
                rf"{place}\.mid\.block_{i + 1}", f"{half}/middle_residual{i}", "nin_shortcut"
            )
        found += _attention(rf"{place}\.mid\.attn_1", "norm", f"{half}/middle", _ORIGINAL_ATTENTION)
    for theirs, ours in ((r"encoder\.down", "encoder/down"), (r"decoder\.up", "decoder/up")):
        place = rf"{dots}{theirs}\.(\d)"
        found += _block(rf"{place}\.block\.(\d)", rf"{ours}\1_residual\2", "nin_shortcut")
    found += rules.for_conv(rf"{dots}encoder\.down\.(\d)\.downsample\.conv", r"encoder/down\1_half")
    found += rules.for_conv(rf"{dots}decoder\.up\.(\d)\.upsample\.conv", r"decoder/up\1_double")
    found.append(Rule(rf"{dots}loss\..*", None))
    return (*found, *([Rule(rf"(?!{dots}).*", None)] if prefix else []))


def _quantisation(prefix: str) -> list[Rule]:
    """The 1 x 1 convolutions on both sides of the latents."""
    return [
        *rules.for_dense(f"{prefix}quant_conv", "encoder/moments"),
        *rules.for_dense(f"{prefix}post_quant_conv", "decoder/latents"),
    ]


def _block(theirs: str, ours: str, shortcut: str) -> list[Rule]:
    same = {name: name for name in ("norm1", "conv1", "norm2", "conv2")}
    return residual(theirs, ours, {**same, "shortcut": shortcut})


def _attention(theirs: str, norm_name: str, ours: str, parts: dict[str, str]) -> list[Rule]:
    found = rules.for_norm(rf"{theirs}\.{norm_name}", f"{ours}_norm")
    for name, pattern in parts.items():
        found += rules.for_dense(rf"{theirs}\.{pattern}", f"{ours}_attention/{name}")
    return found
