"""Small models of `diffusers` with random weights, and files of them as published."""

import functools
import pathlib
from typing import Any

from tests.peers import peer

torch = peer("torch")

SPATIAL = "CrossAttn"


def stirred(model: Any, seed: int = 0) -> Any:
    """The model with every parameter random, so that none is 0 or 1 as in a fresh one.

    Kernels keep the scale at which activations neither vanish nor grow.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            noise = torch.randn(tensor.shape, generator=generator)
            if tensor.ndim > 1:
                tensor.copy_(noise * tensor[0].numel() ** -0.5)
            else:
                tensor.copy_(0.3 * noise + (1.0 if name.endswith("weight") else 0.0))
    return model.eval()


def unet(diffusers: Any, config: Any, **options: Any) -> Any:
    """The peer of our `UNetConfig`, stirred."""
    widths = set(config.contexts)
    middle = {"attention": f"UNetMidBlock2D{SPATIAL}", "residual": "UNetMidBlock2D", "none": None}
    model = diffusers.UNet2DConditionModel(
        in_channels=config.latent_channels,
        out_channels=config.latent_channels,
        block_out_channels=config.channels,
        down_block_types=[f"{SPATIAL * a}DownBlock2D" for a in config.attention],
        up_block_types=[f"{SPATIAL * a}UpBlock2D" for a in reversed(config.attention)],
        mid_block_type=middle[config.middle],
        layers_per_block=config.blocks,
        attention_head_dim=config.heads,
        cross_attention_dim=widths.pop(),
        norm_num_groups=config.groups,
        dual_cross_attention=len(config.contexts) > 1,
        **options,
    )
    assert not widths  # contexts of one width, as diffusers has them
    return stirred(model)


def save(model: Any, folder: pathlib.Path, kind: str = "safetensors") -> pathlib.Path:
    """The model's weights under the name that diffusers gives them."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"diffusion_pytorch_model.{kind}"
    if kind == "safetensors":
        save_file(model.state_dict(), path)
    else:
        torch.save(model.state_dict(), path)
    return folder


def set_mixture(model: Any, of_first: float, lengths: tuple[int, ...]) -> None:
    """Weight of the first of two contexts, and their tokens, as the pipelines set them.

    Around an argument that blocks hand on and this class does not take.
    """
    from diffusers.models.transformers.dual_transformer_2d import DualTransformer2DModel

    for module in model.modules():
        if isinstance(module, DualTransformer2DModel):
            module.condition_lengths, module.mix_ratio = lengths, of_first
            module.forward = functools.partial(_without_mask, module.forward)


def _without_mask(forward: Any, *args: Any, encoder_attention_mask: Any = None, **options: Any):
    assert encoder_attention_mask is None
    return forward(*args, **options)
