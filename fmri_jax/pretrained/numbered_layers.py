"""Rules for files that number the layers of AlexNet and VGG, as torchvision's do.

`features.0.weight` is the first convolution, (out, in, h, w); `classifier.1.weight` a fully
connected layer, (out, in). ReLU, pooling and dropout are counted, but have no arrays.
"""

from collections.abc import Mapping, Sequence

from fmri_jax.pretrained import rules
from fmri_jax.pretrained.rules import Rule


def numbered(convolutions: Mapping[int, str], dense: Sequence[int] = ()) -> tuple[Rule, ...]:
    """Rules for the kernels and biases.

    Args:
        convolutions: number in `features` -> our name.
        dense: numbers of fc6, fc7 and fc8 in `classifier`; without, these layers are left out.
    """
    fully_connected = {number: f"fc{i}" for i, number in enumerate(dense, start=6)}
    found = []
    for part, layers, transform in (
        ("features", convolutions, rules.from_oihw),
        ("classifier", fully_connected, rules.dense),
    ):
        for number, name in layers.items():
            found.append(Rule(rf"{part}\.{number}\.weight", f"{name}/kernel", transform))
            found.append(Rule(rf"{part}\.{number}\.bias", f"{name}/bias"))
    return (*found, *(() if dense else (Rule(r"classifier\..*", None),)))


def vgg_convolutions(blocks: Sequence[int]) -> dict[int, str]:
    """Number in `features` -> name, from the convolutions per block: a ReLU follows each, and a
    max-pool each block."""
    found, number = {}, 0
    for block, count in enumerate(blocks, start=1):
        for i in range(1, count + 1):
            found[number] = f"conv{block}_{i}"
            number += 2
        number += 1
    return found
