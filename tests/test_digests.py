"""Digests of folders, compared with coreutils' `sha256sum`, and files that survive a power cut."""

import os
import shutil
import subprocess

import pytest

from fmri_jax import digests, files


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a/own").mkdir(parents=True)
    for name in ("one.txt", "a/two.txt", "a/own/three.txt", ".hidden", "later.txt"):
        (tmp_path / name).write_text(name)
    digests.seal(tmp_path / "a/own")
    digests.seal(tmp_path, leave_out=["later.txt"])
    return tmp_path


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="coreutils are not installed")
def test_the_digests_are_those_of_sha256sum(folder):
    command = ["sha256sum", "--check", "--strict", digests.SUMS]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0
    checked = [line.partition(":")[0] for line in done.stdout.splitlines()]
    assert sorted(checked) == ["a/own/SHA256SUMS", "a/two.txt", "one.txt"]


def test_what_changed_or_is_gone_is_found_and_what_came_is_not(folder):
    assert digests.damaged(folder) == []
    (folder / "new.txt").touch()
    (folder / "later.txt").write_text("grown")
    assert digests.damaged(folder) == []
    (folder / "one.txt").write_text("onE.txt")
    (folder / "a/two.txt").unlink()
    (folder / "a/own/three.txt").write_text("")
    assert digests.damaged(folder) == ["a/two.txt", "one.txt"]
    assert digests.damaged(folder, ["one.txt"]) == ["one.txt"]
    assert digests.damaged(folder / "a/own") == ["three.txt"]
    assert digests.damaged(folder / "a") is None
    digests.reseal(folder, ["one.txt"])
    assert digests.damaged(folder) == ["a/two.txt"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: b"\xff\xfe\0",
        lambda content: content + b"\n",
        lambda content: content + b"12  one.txt\n",
        lambda content: content + content[:64] + b"  \n",
        lambda content: content + content[:64] + b"  a/../../other.txt\n",
        lambda content: content + content[:64] + b"  /dev/zero\n",
        lambda content: content.replace(b"  one", b"  \0one"),
        lambda content: content.replace(b"  one", b"\t one"),
    ],
)
def test_damaged_digests_name_themselves(folder, damage):
    path = folder / digests.SUMS
    path.write_bytes(damage(path.read_bytes()))
    assert digests.damaged(folder) == [digests.SUMS]


def test_a_rename_waits_until_the_content_is_on_the_disk(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(files, "_synchronise", lambda path: order.append(path.name))
    replace = os.replace
    monkeypatch.setattr(files.os, "replace", lambda a, b: order.append("rename") or replace(a, b))
    (tmp_path / "x/y").mkdir(parents=True)
    (tmp_path / "x/y/z").touch()
    files.put(tmp_path / "x", tmp_path / "done")
    assert order == ["z", "y", "x", "rename", tmp_path.name]
