"""Names of UNets of latent diffusion: in `diffusers` folders and in the original checkpoints.

Both count what ours names by level. `diffusers` counts levels on the way up from the smallest; the
original code counts all blocks of the way down, and all of the way up, in the order they run.
"""

from collections.abc import Iterator, Mapping

from fmri_jax.networks.unet import UNetConfig
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.rules import Rule

_DIFFUSERS_RESIDUAL = {
    "norm1": "norm1",
    "conv1": "conv1",
    "time": "time_emb_proj",
    "norm2": "norm2",
    "conv2": "conv2",
    "shortcut": "conv_shortcut",
}
_ORIGINAL_RESIDUAL = {
    "norm1": r"in_layers\.0",
    "conv1": r"in_layers\.2",
    "time": r"emb_layers\.1",
    "norm2": r"out_layers\.0",
    "conv2": r"out_layers\.3",
    "shortcut": "skip_connection",
}


def diffusers_rules(config: UNetConfig) -> tuple[Rule, ...]:
    """Rules for a `UNet2DConditionModel`: `unet/diffusion_pytorch_model.{safetensors,bin}`.

    With two contexts, for the one that holds `DualTransformer2DModel`s (`transformers.0` and `.1`).
    """
    found = [
        *_single("conv_in", "conv_norm_out", "conv_out"),
        *rules.for_dense(r"time_embedding\.linear_(\d)", r"time_fc\1"),
    ]
    for level, up in _levels(config):
        for theirs, ours in ((rf"down_blocks\.{level}", "down"), (rf"up_blocks\.{up}", "up")):
            found += residual(
                rf"{theirs}\.resnets\.(\d)", rf"{ours}{level}_residual\1", _DIFFUSERS_RESIDUAL
            )
            place = rf"{theirs}\.attentions\.(\d)"
            found += _diffusers_transformers(place, rf"{ours}{level}_transformer\1", config)
        found += rules.for_conv(
            rf"down_blocks\.{level}\.downsamplers\.0\.conv", f"down{level}_half"
        )
        found += rules.for_conv(rf"up_blocks\.{up}\.upsamplers\.0\.conv", f"up{level}_double")
    found += residual(r"mid_block\.resnets\.(\d)", r"middle_residual\1", _DIFFUSERS_RESIDUAL)
    found += _diffusers_transformers(
        r"mid_block\.attentions\.(\d)", r"middle_transformer\1", config
    )
    return tuple(found)


def text_flow_rules(config: UNetConfig) -> tuple[Rule, ...]:
    """Rules for the second context's transformers, from Versatile Diffusion's `text_unet` folder.

    Its other layers make texts, and are left out.
    """
    found: list[Rule] = []
    for level, up in _levels(config):
        for theirs, ours in ((rf"down_blocks\.{level}", "down"), (rf"up_blocks\.{up}", "up")):
            place, name = rf"{theirs}\.attentions\.(\d)", rf"{ours}{level}_transformer\1_context1"
            found += transformer_rules(place, name)
    found += transformer_rules(r"mid_block\.attentions\.(\d)", r"middle_transformer\1_context1")
    return (*found, Rule(r"(?!.*\.attentions\.).*", None))


def original_rules(config: UNetConfig, prefix: str = "model.diffusion_model.") -> tuple[Rule, ...]:
    """Rules for checkpoints of the original code; all outside the UNet is left out.

    Args:
        config: with one context, of Stable Diffusion 1.x; with two, of Versatile Diffusion, where
            the way of images is `unet_image.` and the second context's transformers `unet_text.`.
        prefix: of the UNet's names.
    """
    dots = prefix.replace(".", r"\.")
    flow = rf"{dots}unet_image\." if len(config.contexts) > 1 else dots
    flows = [flow, rf"{dots}unet_text\."][: len(config.contexts)]
    found = [
        *rules.for_dense(rf"{dots}time_embed\.0", "time_fc1"),
        *rules.for_dense(rf"{dots}time_embed\.2", "time_fc2"),
        *rules.for_conv(rf"{flow}input_blocks\.0\.0", "conv_in"),
        *rules.for_norm(rf"{flow}out\.0", "norm_out"),
        *rules.for_conv(rf"{flow}out\.2", "conv_out"),
    ]
    for theirs, ours, kind in _original_places(config):
        if kind == "transformer":
            for i, each in enumerate(flows):
                found += transformer_rules(each + theirs, f"{ours}_context{i}")
        elif kind == "residual":
            found += residual(flow + theirs, ours, _ORIGINAL_RESIDUAL)
        else:
            found += rules.for_conv(flow + theirs, ours)
    if len(flows) > 1:
        found.append(Rule(rf"{flows[1]}.*", None))  # the way of texts
    return (*found, Rule(rf"(?!{dots}).*", None))


def _original_places(config: UNetConfig) -> Iterator[tuple[str, str, str]]:
    """Pattern, our name and kind of each part of the numbered blocks."""
    number, last = 1, len(config.channels) - 1
    for level, attends in enumerate(config.attention):
        for i in range(config.blocks):
            yield rf"input_blocks\.{number}\.0", f"down{level}_residual{i}", "residual"
            if attends:
                yield rf"input_blocks\.{number}\.1", f"down{level}_transformer{i}", "transformer"
            number += 1
        if level < last:
            yield rf"input_blocks\.{number}\.0\.op", f"down{level}_half", "conv"
            number += 1
    yield r"middle_block\.0", "middle_residual0", "residual"
    yield r"middle_block\.1", "middle_transformer0", "transformer"
    yield r"middle_block\.2", "middle_residual1", "residual"
    number = 0
    for level, attends in reversed(list(enumerate(config.attention))):
        for i in range(config.blocks + 1):
            yield rf"output_blocks\.{number}\.0", f"up{level}_residual{i}", "residual"
            if attends:
                yield rf"output_blocks\.{number}\.1", f"up{level}_transformer{i}", "transformer"
            if level and i == config.blocks:
                place = rf"output_blocks\.{number}\.{1 + attends}\.conv"
                yield place, f"up{level}_double", "conv"
            number += 1


def residual(theirs: str, ours: str, names: Mapping[str, str]) -> list[Rule]:
    """Rules for a `ResidualBlock`.

    Args:
        theirs: pattern of its place.
        ours: its name here.
        names: our layers -> patterns of theirs.
    """
    found: list[Rule] = []
    for name, pattern in names.items():
        kind = rules.for_norm if "norm" in name else rules.for_dense
        kind = rules.for_conv if "conv" in name else kind
        found += kind(rf"{theirs}\.{pattern}", f"{ours}/{name}")
    return found


def transformer_rules(theirs: str, ours: str) -> list[Rule]:
    """Rules for a `SpatialTransformer`, whose layers are called the same in all sources."""
    block = rf"{theirs}\.transformer_blocks\.0"
    found = [
        *rules.for_norm(rf"{theirs}\.norm", f"{ours}/norm"),
        *rules.for_dense(rf"{theirs}\.proj_in", f"{ours}/project_in"),
        *rules.for_dense(rf"{theirs}\.proj_out", f"{ours}/project_out"),
        *rules.for_dense(rf"{block}\.ff\.net\.0\.proj", f"{ours}/block/dense/fc1"),
        *rules.for_dense(rf"{block}\.ff\.net\.2", f"{ours}/block/dense/fc2"),
    ]
    for i in (1, 2, 3):
        found += rules.for_norm(rf"{block}\.norm{i}", f"{ours}/block/norm{i}")
    for attn, attention in (("attn1", "self_attention"), ("attn2", "cross_attention")):
        parts = {"to_q": "query", "to_k": "key", "to_v": "value", r"to_out\.0": "out"}
        for part, name in parts.items():
            found += rules.for_dense(
                rf"{block}\.{attn}\.{part}", f"{ours}/block/{attention}/{name}"
            )
    return found


def _diffusers_transformers(theirs: str, ours: str, config: UNetConfig) -> list[Rule]:
    if len(config.contexts) < 2:
        return transformer_rules(theirs, f"{ours}_context0")
    return transformer_rules(rf"{theirs}\.transformers\.(\d)", rf"{ours}_context\2")


def _single(first: str, norm_out: str, last: str) -> list[Rule]:
    return [
        *rules.for_conv(first, "conv_in"),
        *rules.for_norm(norm_out, "norm_out"),
        *rules.for_conv(last, "conv_out"),
    ]


def _levels(config: UNetConfig) -> Iterator[tuple[int, int]]:
    """Our number of each level, and diffusers' on the way up."""
    n = len(config.channels)
    for level in range(n):
        yield level, n - 1 - level
