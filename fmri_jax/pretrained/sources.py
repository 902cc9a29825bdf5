"""Where published weights lie: found in an installed package, or fetched, and always checked."""

import dataclasses
import importlib.util
import pathlib
import re
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Literal

from fmri_jax import download
from fmri_jax.errors import InputError
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.rules import Rule, Shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A file that somebody published.

    Attributes:
        origin: where it comes from: a package on PyPI, or an address.
        checksum: of the file, or the start of it that the publisher's file name states; empty
            where none is published.
        package_file: package and path inside it, if it is installed with a package.
        install: what pip installs that package by.
        algorithm: of the checksum, the one that the publisher states.
        file_name: what a download is kept as, where the address ends in a name that says little.
        member: pattern of the file's path in the ZIP or tar archive that is published.
    """

    origin: str
    checksum: str
    package_file: tuple[str, str] | None = None
    install: str = ""
    algorithm: Literal["sha256", "sha1", "md5"] = "sha256"
    file_name: str = ""
    member: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Publication(PublishedFile):
    """One file that holds some weights.

    Attributes:
        read: file -> name -> array.
        rules: from the file's names to parameter names.
        prepare: what is done with all arrays together before the rules.
    """

    read: Callable[[pathlib.Path], Mapping[str, Any]]
    rules: tuple[Rule, ...]
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict


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


def installed_file(publication: PublishedFile) -> pathlib.Path | None:
    """The file inside an installed package, found without importing the package."""
    if publication.package_file is None:
        return None
    package, inside = publication.package_file
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = pathlib.Path(spec.origin).parent / inside
    return path if path.exists() else None


def check(path: pathlib.Path, publication: PublishedFile) -> None:
    """Rejects a file whose checksum does not begin as the published one.

    Raises:
        InputError: the file is missing or differs from the published one.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file: give the path of downloaded weights.")
    if not publication.member or is_archive(path):  # none is published of unpacked files
        download.check(path, _checksum(publication), "get it again")


def is_archive(path: pathlib.Path) -> bool:
    """Whether a file is a ZIP or a compressed tar archive, by its ending."""
    return path.suffix in (".zip", ".gz", ".tgz")


def read(publication: Publication, path: pathlib.Path) -> Mapping[str, Any]:
    """The arrays of a file by name; of an archive, those of the file in it that is meant.

    Raises:
        InputError: the file cannot be read, or the archive does not hold it.
    """
    if not is_archive(path):
        return publication.prepare(publication.read(path))
    try:
        with tempfile.TemporaryDirectory() as folder:
            names = _unpack(path, publication.member, pathlib.Path(folder))
            if len(names) == 1:
                return publication.prepare(publication.read(pathlib.Path(folder) / names[0]))
            found = f"holds {len(names)} files that match {publication.member!r}"
    except InputError:
        raise
    except Exception as error:  # zipfile, tarfile and zlib have a dozen kinds for a corrupt file
        found = f"cannot be unpacked ({error})"
    raise InputError(
        f"{path} {found}: expected the archive of {publication.origin}; get it again, or unpack it "
        "and name the file."
    )


def _unpack(path: pathlib.Path, pattern: str, folder: pathlib.Path) -> list[str]:
    """Names of the files in an archive that match, which are unpacked if there is one only."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if re.fullmatch(pattern, n)]
            if len(names) == 1:
                _check_room(archive.getinfo(names[0]).file_size, folder)
                archive.extract(names[0], folder)
        return names
    with tarfile.open(path) as tar:
        members = [m for m in tar.getmembers() if m.isfile() and re.fullmatch(pattern, m.name)]
        if len(members) == 1:
            _check_room(members[0].size, folder)
            tar.extract(members[0], folder, filter="data")
    return [member.name for member in members]


def _check_room(size: int, folder: pathlib.Path) -> None:
    """Rejects what unpacks to more than there is room for; the archive says how much."""
    if size > shutil.disk_usage(folder).free:
        raise OSError(f"it unpacks to {size / 2**30:.1f} GiB, more than is free at {folder}")


def fetch(publication: PublishedFile, folder: pathlib.Path) -> pathlib.Path:
    """Fetches the file into `folder`, with a progress bar, and checks it.

    Raises:
        InputError: there is no network, the folder cannot be written, or what came is not the
            published file.
    """
    path = folder / file_name(publication)
    return download.fetch(publication.origin, path, _checksum(publication))


def file_name(publication: PublishedFile) -> str:
    """What a download is kept as."""
    return publication.file_name or pathlib.PurePosixPath(publication.origin).name


def _checksum(publication: PublishedFile) -> str:
    """Algorithm and digits; "" where none is published."""
    return publication.checksum and f"{publication.algorithm}:{publication.checksum}"
