"""Parameters for comparing a network with PyTorch: none is zero, so that each one matters."""

from typing import Any

import flax.linen as nn
import jax
import numpy as np

from tests.networks.conv.layer_checks import random


def random_params(network: nn.Module, *shape: int) -> Any:
    """Normal at He's scale, so that activations keep theirs; biases and scales as large.

    Args:
        network: a Flax module.
        shape: of one input, without the batch axis.
    """
    example = jax.ShapeDtypeStruct((1, *shape), np.float32)
    leaves, tree = jax.tree.flatten(
        jax.eval_shape(network.init, jax.random.key(0), example)["params"]
    )
    arrays = [
        random(i, *leaf.shape) * np.float32(np.sqrt(2 / np.prod(leaf.shape[:-1])))
        for i, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(tree, arrays)
