"""Published files: fetched once, resumed where they stopped, trusted by their checksum."""

import hashlib
import http.client
import pathlib
import urllib.error
import urllib.request
from typing import IO, Any

from fmri_jax.errors import InputError

FIGSHARE = "https://ndownloader.figshare.com/files/"
_BLOCK = 2**20  # bytes
_ATTEMPTS = 4  # each goes on where the connection broke
_TIMEOUT = 60  # s without a byte


def fetch(url: str, path: pathlib.Path, md5: str = "", progress: bool = True) -> pathlib.Path:
    """Returns a published file, downloading it if it is not there.

    The file appears under its name only when it is complete and, where the publisher states one,
    its checksum is right; until then it grows in `<name>.unfinished`, which the next call goes on
    with. A file that was put there by hand is checked like any other.

    Args:
        url: where it is published.
        path: where it belongs.
        md5: its checksum (hex); "" where none is published, so that only its length is checked.
        progress: whether to draw a progress bar.

    Raises:
        InputError: the address cannot be reached, the disk is full, or the content is not what was
            published.
    """
    if path.exists():
        _check(path, md5, f"delete it, or get it again from {url}")
        return path
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(url, unfinished, path, progress)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        raise InputError(
            f"{url} cannot be reached ({error}): start again to go on, or download it elsewhere "
            f"and put it at {path}."
        ) from None
    except OSError as error:
        raise InputError(
            f"{path.parent} cannot be written ({error.strerror or error}): expected a folder with "
            "room for the download; free some or choose another folder."
        ) from None
    try:
        _check(unfinished, md5, "start again to download it anew")
    except InputError:
        unfinished.unlink()
        raise
    unfinished.replace(path)
    return path


def _download(url: str, unfinished: pathlib.Path, path: pathlib.Path, progress: bool) -> None:
    """Makes `unfinished` complete, going on where a connection broke."""
    for attempt in range(_ATTEMPTS):
        try:
            if _receive(url, unfinished, path.name, progress):
                return
        except (http.client.HTTPException, ConnectionError, TimeoutError):
            if attempt == _ATTEMPTS - 1:
                raise
    raise http.client.HTTPException(f"the connection broke {_ATTEMPTS} times")


def _receive(url: str, unfinished: pathlib.Path, name: str, progress: bool) -> bool:
    """Appends what one connection brings; whether the file is complete then."""
    have = unfinished.stat().st_size if unfinished.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if have and error.code == 416:  # nothing follows: complete, or another file
            if (error.headers.get("Content-Range") or "").endswith(f"/{have}"):
                return True
            unfinished.unlink()
            return False
        raise
    with answer:
        if answer.status != 206:
            have = 0  # the server sends the whole file
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with unfinished.open("ab" if have else "wb") as out:
            received = have + _copy(answer, out, have, total, name, progress)
    return total is None or received == total


def _copy(
    answer: Any, out: IO[bytes], have: int, total: int | None, name: str, progress: bool
) -> int:
    """Copies an answer to a file under a progress bar; returns how many bytes came."""
    from tqdm import tqdm

    with tqdm(
        total=total, initial=have, unit="B", unit_scale=True, desc=name, disable=not progress
    ) as bar:
        while block := answer.read(_BLOCK):
            out.write(block)
            bar.update(len(block))
    return out.tell() - have


def _check(path: pathlib.Path, md5: str, remedy: str) -> None:
    """Refuses a file whose checksum is not the published one."""
    if not md5:
        return
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "md5").hexdigest()
    if found != md5:
        raise InputError(
            f"{path} has MD5 {found}: expected {md5}; it is damaged or another version, so "
            f"{remedy}."
        )
