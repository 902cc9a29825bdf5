"""Published files: fetched once, resumed where a connection broke, trusted by their checksum."""

import pathlib
from typing import TYPE_CHECKING, Any

from fmri_jax.errors import InputError, one_line
from fmri_jax.files import locked, put

if TYPE_CHECKING:
    import requests

FIGSHARE = "https://ndownloader.figshare.com/files/"
_ATTEMPTS = 4  # each resumes where the connection broke
_BLOCK = 2**16  # bytes; of one that is cut off nothing is kept
_TIMEOUT = 60  # s without a byte


def fetch(url: str, path: pathlib.Path, checksum: str = "", progress: bool = True) -> pathlib.Path:
    """Returns a published file, downloading it if it is not there.

    The file appears under its name only when it is complete and, where the publisher states one,
    its checksum is right; until then it grows in `<name>.unfinished`, which the next call resumes.
    Of several processes one downloads it. A file that was put there by hand is checked like any
    other.

    Args:
        url: where it is published.
        path: where it belongs.
        checksum: "md5:0123...", its algorithm and its digits, or the first of them; "" where none
            is published, so that only its length is checked.
        progress: whether to draw a progress bar.

    Raises:
        InputError: the address cannot be reached, the disk is full, or the content is not what was
            published.
    """
    import requests

    if path.exists():
        check(path, checksum, f"delete it, or get it again from {url}")
        return path
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_name(f".{path.name}.lock"), wait=True):
            if path.exists():  # another process has just fetched it
                return fetch(url, path, checksum, progress)
            _complete(url, unfinished, path.name, progress)
            check(unfinished, checksum, "start again to download it anew")
            put(unfinished, path)
    except requests.RequestException as error:
        raise InputError(
            f"{url} cannot be reached ({error}): start again to resume, or download it elsewhere "
            f"and put it at {path}."
        ) from None
    except OSError as error:
        raise InputError(
            f"{path.parent} cannot be written ({error.strerror or error}): expected a folder with "
            "room for the download; free some or choose another folder."
        ) from None
    except InputError:
        unfinished.unlink(missing_ok=True)
        raise
    return path


def check(path: pathlib.Path, checksum: str, remedy: str) -> None:
    """Rejects a file whose checksum does not begin as the published one.

    Args:
        path: the file.
        checksum: as for `fetch`.
        remedy: what to do about another one, for the message.

    Raises:
        InputError: it is another one.
    """
    algorithm, _, digits = checksum.partition(":")
    if not digits:
        return
    import pooch

    try:
        found = pooch.file_hash(path, alg=algorithm)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({one_line(error)}): expected a file that may be read; "
            f"{remedy}."
        ) from None
    if not found.startswith(digits):
        raise InputError(
            f"{path} has {algorithm.upper()} {found}: expected {digits}; it is corrupt or another "
            f"version, so {remedy}."
        )


def _complete(url: str, unfinished: pathlib.Path, name: str, progress: bool) -> None:
    """Makes `unfinished` complete, resuming where a connection broke."""
    import requests
    from requests.exceptions import ChunkedEncodingError

    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _receive(url, unfinished, name, progress)
            return
        except (requests.ConnectionError, requests.Timeout, ChunkedEncodingError):
            if attempt == _ATTEMPTS:
                raise


def _receive(url: str, unfinished: pathlib.Path, name: str, progress: bool) -> None:
    """Appends to `unfinished` what one connection brings, up to the end of the file."""
    import pooch
    import requests
    from tqdm import tqdm

    with unfinished.open("ab") as out:
        have = out.tell()

        def start_over(response: "requests.Response", **_: Any) -> None:
            if response.status_code == 200:  # the server sends the complete file
                out.truncate(0)

        # Bytes as they are: compressed on the way, they could not be counted.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        bar = tqdm(total=1, unit="B", unit_scale=True, desc=name, disable=not progress)
        options: dict[str, Any] = {"headers": headers, "hooks": {"response": start_over}}
        downloader = pooch.HTTPDownloader(bar, _BLOCK, timeout=_TIMEOUT, **options)
        try:
            downloader(url, out, None)
            return
        except requests.HTTPError as error:
            answer = error.response
            if not have or answer is None or answer.status_code != 416:
                raise
            total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        if total == str(have):  # nothing was missing
            return
        out.truncate(0)
    _receive(url, unfinished, name, progress)
