"""Downloads from a server of our own that honours ranges, breaks off, or sends something else."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fmri_jax.download import fetch
from fmri_jax.errors import InputError

CONTENT = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()  # of the published file


@pytest.fixture
def server(file_server: Any) -> Any:
    file_server.files["/1"] = CONTENT
    return file_server


def get(server: Any, path: Path, md5: str = MD5) -> Path:
    return fetch(server.url + "1", path, md5 and f"md5:{md5}", progress=False)


def test_a_file_is_fetched_once(server: Any, tmp_path: Path) -> None:
    path = tmp_path / "new é" / "a.h5"
    assert get(server, path).read_bytes() == CONTENT
    get(server, path)
    assert server.ranges == [""] and list(path.parent.iterdir()) == [path]


def test_a_broken_connection_is_resumed(server: Any, tmp_path: Path) -> None:
    server.break_after = [140_000, 70_000]
    assert get(server, tmp_path / "a.h5").read_bytes() == CONTENT
    assert server.ranges == ["", "bytes=131072-", "bytes=196608-"]


def test_a_later_start_resumes(server: Any, tmp_path: Path) -> None:
    server.break_after = [70_000] * 4
    with pytest.raises(InputError, match="cannot be reached .* start again to resume, or download"):
        get(server, tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists()
    assert get(server, tmp_path / "a.h5").read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=262144-"


@pytest.mark.parametrize("left", [300_000, 400_000])
def test_what_was_left_may_be_complete_or_too_long(server: Any, tmp_path: Path, left: int) -> None:
    (tmp_path / "a.h5.unfinished").write_bytes(CONTENT.ljust(left, b"x"))
    assert get(server, tmp_path / "a.h5").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_everything_again(server: Any, tmp_path: Path) -> None:
    server.honours_ranges = False
    (tmp_path / "a.h5.unfinished").write_bytes(CONTENT[:1000])
    assert get(server, tmp_path / "a.h5").read_bytes() == CONTENT


def test_other_content_is_never_taken(server: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with pytest.raises(InputError, match=f"MD5 {MD5}: expected 00.*start again to download it"):
        get(server, path, md5="00")
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"placed by hand, but wrong")
    with pytest.raises(InputError, match=r"a\.h5 has MD5 .* delete it, or get it again from http"):
        get(server, path)
    assert path.read_bytes() == b"placed by hand, but wrong"
    assert get(server, path, md5="") == path


def test_what_cannot_be_reached_or_written(server: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="404.*download it elsewhere and put it at .*a.h5"):
        fetch(server.url + "2", tmp_path / "a.h5", progress=False)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written .* choose another folder"):
        get(server, tmp_path / "file" / "a.h5")


def test_progress_is_drawn(server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(server.url + "1", tmp_path / "a.h5", f"md5:{MD5}")
    assert "a.h5: 100%" in capsys.readouterr().err
