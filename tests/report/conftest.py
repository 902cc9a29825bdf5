"""Workdirs that the tests of the report share."""

import pathlib
import shutil

import pytest

from tests.report.synthetic_workdirs import write_binary, write_photographs

STRENGTHS = {"whole cortex": 1.0, "early": 0.6, "noise": 0.0}


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A simulated colour run with three test sets; tests read it and leave it as it is."""
    return write_photographs(tmp_path_factory.mktemp("runs") / "photographs", n_test=12)


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A recorded binary run of 20 folds."""
    return write_binary(tmp_path_factory.mktemp("runs") / "binary", repeats=3)


@pytest.fixture(scope="session")
def workdirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    """Three simulated runs of the same images, each worse than the one before."""
    folder = tmp_path_factory.mktemp("variants")
    return {
        name: write_photographs(folder / name, n_test=12, size=32, strength=strength, seed=seed)
        for seed, (name, strength) in enumerate(STRENGTHS.items())
    }


@pytest.fixture
def copy(photographs: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the colour run for a test to spoil."""
    ignore = shutil.ignore_patterns("report.html", "figures")
    return pathlib.Path(shutil.copytree(photographs, tmp_path / "run", ignore=ignore))
