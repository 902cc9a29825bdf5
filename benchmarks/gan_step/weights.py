"""Our parameters in the layout of PyTorch: convolutions (out, in, k, k), dense layers (out, in)."""

import re
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import torch
from torch import nn


def names_of(network: nn.Module, params: Mapping[str, Any]) -> dict[str, nn.Module]:
    """Which layer of `network` our layer of that name is; both list them from input to output."""
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    ours = [name for name in _in_order(params) if "conv" in name]
    dense = [m for m in network.modules() if isinstance(m, nn.Linear)]
    names = [name for name in _in_order(params) if name.startswith("fc")]
    return dict(zip(ours + names, layers + dense, strict=True))


def _in_order(params: Mapping[str, Any]) -> list[str]:
    """The generator counts down (fc7 ... fc5, deconv5, conv5_1, deconv4 ...), the others up."""
    down = any(name.startswith("deconv") for name in params)

    def rank(name: str) -> tuple[int, bool]:
        number = int(re.search(r"\d+", name)[0])
        return (-number if down else number, name.endswith("_1"))

    return sorted(params, key=rank)


def as_peer(layer: nn.Module, name: str, value: np.ndarray) -> np.ndarray:
    """A kernel or bias of ours in PyTorch's layout."""
    if name == "bias":
        return value
    if isinstance(layer, nn.Linear):
        return value.T
    if isinstance(layer, nn.ConvTranspose2d):
        return value[::-1, ::-1].transpose(2, 3, 0, 1)  # PyTorch flips these along both axes
    return value.transpose(3, 2, 0, 1)


def copy_to(network: nn.Module, params: Mapping[str, Any]) -> None:
    """Writes our parameters into PyTorch's network."""
    for name, layer in names_of(network, params).items():
        for ours, theirs in (("kernel", layer.weight), ("bias", layer.bias)):
            value = as_peer(layer, ours, np.asarray(jax.device_get(params[name][ours])))
            with torch.no_grad():
                theirs.copy_(torch.tensor(value.copy()))


def largest_difference(network: nn.Module, tree: Mapping[str, Any], values: Mapping) -> float:
    """The largest difference of any layer: norm of the difference by norm of the layer.

    Args:
        network: PyTorch's.
        tree: our parameters, or moments of the same structure.
        values: for each of PyTorch's parameters, its tensor to compare with.
    """
    worst = 0.0
    for name, layer in names_of(network, tree).items():
        for ours, theirs in (("kernel", layer.weight), ("bias", layer.bias)):
            if theirs not in values:
                continue  # a bias that is not trained
            expected = values[theirs].detach().cpu().numpy()
            found = as_peer(layer, ours, np.asarray(jax.device_get(tree[name][ours])))
            worst = max(worst, np.linalg.norm(found - expected) / np.linalg.norm(expected))
    return worst
