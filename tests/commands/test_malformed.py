"""Whatever a command is given, what it cannot use is one line that can be printed."""

import os
from pathlib import Path

import numpy as np
import pytest

from fmri_jax import cli, files
from fmri_jax.commands import check
from fmri_jax.data.inspect import summary
from fmri_jax.errors import InputError
from fmri_jax.pipeline.image_pairs import read_pairs
from tests.data import builders

RED = "\x1b[31mred\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that no command can use, and some that it can."""
    folder = tmp_path_factory.mktemp("malformed")
    (folder / "none").touch()
    (folder / "none.npy").write_bytes(bytes(99))
    np.save(folder / "good.npy", np.zeros((2, 4, 4, 3)))
    np.save(folder / "texts.npy", np.full((2, 4, 4, 3), RED))
    np.save(folder / "complex.npy", np.zeros((2, 4, 4, 3), complex))
    np.savez(folder / "split.npz", images=np.zeros((2, 4, 4, 3)), split=np.array(RED))
    (folder / f"{RED}.npz").write_bytes(b"none")
    os.symlink("itself", folder / "itself")
    (folder / "run").mkdir()
    (folder / "run/config.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inspect", "none"], "none has no ending: expected one of"),
        (["inspect", "itself"], "itself cannot be looked at (Too many levels"),
        (["inspect", "x" * 300], "x... cannot be looked at (File name too long"),
        (["inspect", f"{RED}.npz"], r"\x1b[31mred .npz"),
        (["check", "x" * 300], "x... cannot be looked at (File name too long"),
        (["score", "good.npy", "x" * 300], "x... cannot be looked at (File name too long"),
        (["score", "good.npy", "none.npy"], "cannot be read (it is no array of NumPy's)"),
        (["score", "good.npy", "texts.npy"], "texts.npy: images holds <U9: expected real numbers"),
        (["score", "complex.npy", "good.npy"], "holds complex128: expected real numbers"),
        (["encode", "good.npy", "--data.", "1"], "--data. is no option of encode"),
        (["encode", "good.npy", "", "1"], "An empty word is no option of encode"),
        (["weights", "get", "alexnet", "--from", "run"], "run is not a file"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    folder: Path,
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    assert cli.main(words) == 2
    found = capsys.readouterr()
    (line,) = (found.err or found.out.strip().splitlines()[-1]).splitlines()
    assert message in line and line.isprintable()


def test_a_split_that_fits_no_images_is_left_alone(folder: Path) -> None:
    pairs = read_pairs(folder / "split.npz", folder / "good.npy")
    assert len(pairs.targets) == 2


def test_inspect_shows_no_control_characters_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "red.npz"
    np.savez(path, **builders.arrays(), **{RED: np.zeros(2), "modality": np.array(RED)})
    lines = summary.describe(summary.inspect(str(path))).splitlines()
    assert r"  kind    \x1b[31mred" in map(str.rstrip, lines)
    assert all(line.isprintable() for line in lines)


def test_files_that_may_not_be_read_are_one_message(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "there")

    monkeypatch.setattr("fmri_jax.pipeline.integrity.damaged", forbidden)
    with pytest.raises(InputError, match="run cannot be compared .*Permission denied"):
        check.main([str(folder / "run")])
    monkeypatch.setattr(files.os, "stat", forbidden)
    with pytest.raises(InputError, match="cannot be looked at .Permission denied"):
        files.expanded("somewhere")
