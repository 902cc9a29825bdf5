"""Strict porting: every array of the source finds its place, every place is filled once."""

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.pretrained import kept_shapes

if TYPE_CHECKING:
    import flax.linen as nn

Transform = Callable[[np.ndarray], np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]


def keep(array: np.ndarray) -> np.ndarray:
    """As it is."""
    return array


def from_oihw(kernel: np.ndarray) -> np.ndarray:
    """A convolution kernel of PyTorch or Caffe (out, in, h, w) -> Flax (h, w, in, out)."""
    return kernel.transpose(2, 3, 1, 0)


def dense(weight: np.ndarray) -> np.ndarray:
    """A dense layer's weight (out, in), or (out, in, 1, 1) -> Flax (in, out)."""
    out, given = weight.shape[:2]
    return weight.reshape(out, given).T


def inner_product(weight: np.ndarray) -> np.ndarray:
    """A dense layer's weight of Caffe (out, in), before 2014 (1, 1, out, in) -> Flax (in, out)."""
    return weight.reshape(weight.shape[-2:]).T


def vector(array: np.ndarray) -> np.ndarray:
    """Any shape with one axis that matters -> (n,)."""
    return array.reshape(-1)


@dataclasses.dataclass(frozen=True)
class Rule:
    """Where an array goes.

    Attributes:
        pattern: regular expression that matches the complete source name.
        name: parameter name "layer/kernel", with the pattern's groups as \\1; None leaves the
            array out on purpose.
        transform: from the source's layout to ours.
    """

    pattern: str
    name: str | None
    transform: Transform = keep


def for_dense(theirs: str, ours: str) -> list[Rule]:
    """Rules for a dense layer of PyTorch, or a 1 x 1 convolution of single pixels, which is one."""
    return [
        Rule(rf"{theirs}\.weight", f"{ours}/kernel", dense),
        Rule(rf"{theirs}\.bias", f"{ours}/bias"),
    ]


def for_conv(theirs: str, ours: str) -> list[Rule]:
    """Rules for a convolution of PyTorch."""
    return [
        Rule(rf"{theirs}\.weight", f"{ours}/kernel", from_oihw),
        Rule(rf"{theirs}\.bias", f"{ours}/bias"),
    ]


def for_norm(theirs: str, ours: str) -> list[Rule]:
    """Rules for a layer or group normalisation of PyTorch."""
    return [Rule(rf"{theirs}\.weight", f"{ours}/scale"), Rule(rf"{theirs}\.bias", f"{ours}/bias")]


def port(
    source: Mapping[str, np.ndarray], rules: Sequence[Rule], shapes: Shapes, origin: object
) -> dict[str, np.ndarray]:
    """Maps a source's arrays onto parameter names.

    Args:
        source: name -> array.
        rules: tried in order; the first whose pattern matches decides.
        shapes: parameter name -> shape, all that must be filled.
        origin: named in messages.

    Returns:
        Parameter name -> float32 array.

    Raises:
        InputError: a source name matches no rule, two go to one place, a shape differs, a value
            is not finite, or a place stays empty.
    """
    ported: dict[str, np.ndarray] = {}
    patterns = [re.compile(rule.pattern) for rule in rules]  # more than `re` keeps by itself
    for source_name, array in source.items():
        matching = (i for i, pattern in enumerate(patterns) if pattern.fullmatch(source_name))
        rule = rules[found] if (found := next(matching, None)) is not None else None
        if rule is None:
            raise _refusal(origin, f"holds {source_name!r}, which no rule maps")
        if rule.name is None:
            continue
        name = re.sub(rule.pattern, rule.name, source_name)
        if name not in shapes:
            raise _refusal(origin, f"maps {source_name!r} to {name!r}, which does not exist")
        if name in ported:
            raise _refusal(origin, f"maps {source_name!r} to {name!r}, which is filled already")
        try:
            value = np.ascontiguousarray(rule.transform(np.asarray(array)), np.float32)
        except (TypeError, ValueError, IndexError) as error:  # no numbers, or of other axes
            raise _refusal(origin, f"gives {name!r} what does not fit ({error})") from error
        if value.shape != tuple(shapes[name]):
            raise _refusal(origin, f"gives {name!r} shape {value.shape}, not {shapes[name]}")
        if not np.isfinite(value).all():
            raise _refusal(origin, f"gives {name!r} values that are not finite")
        ported[name] = value
    if missing := sorted(set(shapes) - set(ported)):
        raise _refusal(origin, f"leaves {', '.join(missing)} empty")
    return ported


def _refusal(origin: object, found: str) -> InputError:
    return InputError(
        f"{origin} {found}: expected the published weights of this network; get the file again."
    )


def shapes(network: "nn.Module", example: tuple[int, ...], dtype: str = "float32") -> Shapes:
    """Parameter name -> shape of a network, for inputs (n, *example); nothing is computed."""
    import jax

    return traced_shapes(network, jax.ShapeDtypeStruct((1, *example), dtype))


def traced_shapes(network: "nn.Module", *given: Any) -> Shapes:
    """The same for any arguments of the network's call, as `jax.ShapeDtypeStruct`s in tuples."""
    return dict(_traced_shapes(network, given))


@functools.lru_cache(maxsize=32)
def _traced_shapes(network: "nn.Module", given: tuple[Any, ...]) -> Shapes:
    """Tracing a network takes up to seconds, and each loading of its weights asks for them."""

    def trace() -> Shapes:
        import jax

        variables = jax.eval_shape(network.init, jax.random.key(0), *given)
        return {name: leaf.shape for name, leaf in flatten(variables["params"]).items()}

    return kept_shapes.kept(network, given, "params", trace)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dicts -> one dict with names "layer/kernel"."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}/")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `flatten`."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *path, last = name.split("/")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[last] = value
    return tree
