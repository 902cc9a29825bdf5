"""What a network is made of: its layers with output shapes and parameter counts."""

import dataclasses
import math
from typing import Any

import flax.linen as nn
import jax


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Attributes:
        name: as in the parameter dict.
        output: shape of its output for one example, without the batch axis.
        parameters: how many numbers it holds.
    """

    name: str
    output: tuple[int, ...]
    parameters: int


def layer_table(network: nn.Module, shape: tuple[int, ...], **options: Any) -> list[Layer]:
    """Lists the layers that hold parameters, in the order in which they run.

    Nothing is computed or allocated: the network is only traced.

    Args:
        network: a Flax module.
        shape: of one input, without the batch axis: (voxels,) or (height, width, channels).
        **options: further arguments of the network's call, such as `train=False`.
    """
    outputs: dict[str, tuple[int, ...]] = {}

    def record(call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        result = call(*args, **kwargs)
        if len(context.module.path) == 1:
            outputs[context.module.path[0]] = result.shape[1:]
        return result

    with nn.intercept_methods(record):
        example = jax.ShapeDtypeStruct((1, *shape), jax.numpy.float32)
        variables = jax.eval_shape(lambda x: network.init(jax.random.key(0), x, **options), example)
    params = variables["params"]
    return [
        Layer(name, output, sum(math.prod(leaf.shape) for leaf in params[name].values()))
        for name, output in outputs.items()
        if name in params
    ]
