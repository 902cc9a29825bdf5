"""The three fully connected layers that end AlexNet, CaffeNet and VGG."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

UNITS = (4096, 4096, 1000)  # of fc6, fc7, fc8, as published: the last are ImageNet's classes


def fully_connected(
    x_BHWC: jax.Array, units: tuple[int, ...], grid: int, dtype: Any = None
) -> dict[str, jax.Array]:
    """fc6, relu6, fc7, relu7 and fc8, before and after the ReLU; call it inside a module.

    fc6 takes channels before rows and columns, as Caffe and PyTorch count them.

    Args:
        x_BHWC: pool5.
        units: of each layer; none leaves the layers out.
        grid: rows and columns that fc6 was trained on: images of another size have no such layers.
        dtype: of the arithmetic.

    Returns:
        Layer -> (n, units); empty where there are none.
    """
    if not units or x_BHWC.shape[1:3] != (grid, grid):
        return {}
    x = jnp.moveaxis(x_BHWC, -1, 1).reshape(len(x_BHWC), -1)
    activations = {}
    for i, features in enumerate(units, start=6):
        x = activations[f"fc{i}"] = nn.Dense(features, dtype=dtype, name=f"fc{i}")(x)
        if i < 8:
            x = activations[f"relu{i}"] = nn.relu(x)
    return activations
