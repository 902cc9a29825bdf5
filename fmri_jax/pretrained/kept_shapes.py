"""Shapes of networks' parameters, kept in the cache folder: to trace a network takes seconds.

Each loading of weights compares them with what the network has. That depends on the code of the
networks alone, so that it is traced once for all processes.
"""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fmri_jax.errors import InputError
from fmri_jax.files import cache_folder, replacing

if TYPE_CHECKING:
    import flax.linen as nn

Shapes = Mapping[str, tuple[int, ...]]


def kept(
    network: "nn.Module", given: tuple[Any, ...], kind: str, trace: Callable[[], Shapes]
) -> Shapes:
    """The shapes that were traced before, or else those of `trace`, which are kept.

    Args:
        network: of this package; those of others, whose code may change, are traced each time.
        given: what it is called with, as `jax.ShapeDtypeStruct`s and numbers in tuples.
        kind: which of its variables `trace` takes.
        trace: gives parameter name -> shape.
    """
    path = _path(network, given, kind)
    if path is None:
        return trace()
    found = _read(path)
    if found is None:
        found = trace()
        _write(path, found)
    return found


def _path(network: "nn.Module", given: tuple[Any, ...], kind: str) -> pathlib.Path | None:
    """The file of a network, named by all that its shapes depend on; None where none is kept."""
    import flax
    import jax

    from fmri_jax import digests, networks
    from fmri_jax.networks import conv

    network_type = type(network)
    names = {field.name for field in dataclasses.fields(network)} - {"parent", "name"}
    options = {name: getattr(network, name) for name in sorted(names)}
    own = network_type.__module__.startswith(f"{networks.__name__}.")
    if not own or any(map(callable, options.values())):  # a function is not told by its name
        return None
    code = digests.of_code(networks, conv)
    about = [
        network_type.__module__,
        network_type.__qualname__,
        repr(options),
        repr(given),
        kind,
        code,
    ]
    about += [flax.__version__, jax.__version__]
    name = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]
    try:
        return cache_folder() / "shapes" / f"{name}.json"
    except InputError:
        return None


def _read(path: pathlib.Path) -> Shapes | None:
    """What `_write` wrote; None of a file that is missing or anything else."""
    try:
        content = json.loads(path.read_bytes())
        if content["sha256"] != _digest(content["shapes"]):
            return None
        return {name: tuple(shape) for name, shape in content["shapes"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _write(path: pathlib.Path, shapes: Shapes) -> None:
    """A cache that cannot be written is done without."""
    plain = {name: list(shape) for name, shape in shapes.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as unfinished:
            unfinished.write_text(json.dumps({"shapes": plain, "sha256": _digest(plain)}))
    except OSError:
        return


def _digest(shapes: Any) -> str:
    return hashlib.sha256(json.dumps(shapes).encode()).hexdigest()
