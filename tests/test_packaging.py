"""What is installed: a wheel that runs from any folder, and imports that its metadata names."""

import ast
import importlib
import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator

import pytest

from fmri_jax._version import __version__
from fmri_jax.errors import InputError
from fmri_jax.pipeline import experiment_files
from tests.report.synthetic_workdirs import write_photographs

ROOT = pathlib.Path(__file__).parents[1]
SOURCES = sorted((ROOT / "fmri_jax").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> pathlib.Path:
    """The programs of an environment that holds the package's wheel.

    Its dependencies are those of the environment that runs the tests.
    """
    folder = tmp_path_factory.mktemp("environment")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    source = folder / "source"
    copied = ("fmri_jax", "experiments", "pyproject.toml", "setup.py", "requirements.txt")
    source.mkdir()
    for name in (*copied, "README.md", "LICENSE"):  # building leaves files beside the source
        (source / name).symlink_to(ROOT / name)
    subprocess.run([*pip, "wheel", *options, str(source)], check=True, timeout=120)
    venv.create(folder / "venv", with_pip=False)
    (wheel,) = folder.glob("*.whl")
    python = folder / "venv" / "bin" / "python"
    subprocess.run(
        [*pip, "--python", str(python), "install", "--no-deps", str(wheel)], check=True, timeout=120
    )
    (packages,) = folder.glob("venv/lib/**/site-packages")
    (packages / "rest.pth").write_text(sysconfig.get_path("purelib"))
    return python.parent


def command(installed: pathlib.Path, folder: pathlib.Path, *arguments: str) -> str:
    """What `fmri-jax` prints, called in `folder`, which is no checkout."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [str(installed / "fmri-jax"), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_wheel_has_all_that_its_commands_need(installed, tmp_path):
    assert command(installed, tmp_path, "--version") == f"fmri_jax {__version__}\n"
    named = command(installed, tmp_path, "run", "--help")
    assert all(name in named for name in experiment_files.names())
    write_photographs(tmp_path / "run", n_test=3, size=16)
    page = command(installed, tmp_path, "report", "run").strip()
    assert page == "run/report.html" and "<style>" in (tmp_path / page).read_text()
    assert "alexnet: " in command(installed, tmp_path, "weights")
    assert "small_vdvae" in command(installed, tmp_path, "prior", "list")


PLACES = """
import pathlib, fmri_jax
from fmri_jax.pipeline import experiment_files as files
package = pathlib.Path(fmri_jax.__file__).parent
assert files.folder() == package / "experiments", files.folder()
for name in files.names():
    assert files.load(name).method.name
print("site-packages" in str(package), files.load("table2:tiny").method.n_steps)
"""


def test_installed_experiments_load_and_start_from_one_another(installed, tmp_path):
    done = subprocess.run(
        [str(installed / "python"), "-c", PLACES], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "True 6\n", done.stderr


def test_metadata_and_version_are_stated_once(installed):
    (folder,) = installed.parent.glob("lib/**/fmri_jax-*.dist-info")
    metadata = importlib.metadata.PathDistribution(folder)
    assert metadata.version == __version__
    assert metadata.metadata["License-Expression"] == PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in (folder / "licenses" / "LICENSE").read_text()
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## {re.escape(__version__)}\b", changes, re.M)
    assert f"version: {__version__}" in (ROOT / "CITATION.cff").read_text()


# Import name -> name of the distribution, where they differ.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "absl": "absl-py",
    "sklearn": "scikit-learn",
    "orbax": "orbax-checkpoint",
    "bids": "pybids",
    "skimage": "scikit-image",
}


def imported(tree: ast.AST, inside: bool = False) -> Iterator[tuple[str, bool]]:
    """Package of each import, and whether it stands in a function; not those of type checkers."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0], inside
        yield from imported(node, inside or isinstance(node, ast.FunctionDef))


def distributions(requirements: list[str]) -> set[str]:
    """The names in requirements, as in `jax>=0.10`."""
    return {normal(re.split(r"[<>=!~;\[ ]", line)[0]) for line in requirements}


def normal(name: str) -> str:
    """A name as PyPI compares it."""
    return re.sub("[-_.]+", "-", name).lower()


# Recognised where a user has them; nothing needs them.
WELCOME = {"glmsingle"}


def test_every_import_is_a_dependency_and_those_of_extras_are_lazy():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    core = distributions([line for line in lines if line and not line.startswith("#")])
    named = PROJECT["optional-dependencies"]
    extras = distributions([*named["nifti"], *named["slurm"], *named["text"]]) | WELCOME
    for path in SOURCES:
        for package, lazy in imported(ast.parse(path.read_text())):
            if package not in sys.stdlib_module_names and package != "fmri_jax":
                name = normal(DISTRIBUTIONS.get(package, package))
                assert name in (core | extras if lazy else core), f"{path} imports {package}"


# Package of an extra -> who imports it: module, function and its arguments.
USES = {
    "nilearn": ("fmri_jax.data.readers.nifti_files", "nibabel_module"),
    "bids": ("fmri_jax.data.readers.bids_names", "_known_entities"),
    "nibabel": ("fmri_jax.datasets.miyawaki2008.volumes", "_volumes", ""),
    "submitit": ("fmri_jax.pipeline.executors", "_as_array", [], {}, ""),
}


@pytest.mark.parametrize("package", USES)
def test_a_missing_package_is_named_with_its_extra(package, monkeypatch):
    for imported in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, imported)  # its modules are found without it, too
    monkeypatch.setitem(sys.modules, package, None)
    module, name, *arguments = USES[package]
    use = getattr(importlib.import_module(module), name)
    extra = "slurm" if package == "submitit" else "nifti"
    with pytest.raises(InputError, match=rf"not installed: pip install 'fmri_jax\[{extra}\]'"):
        getattr(use, "__wrapped__", use)(*arguments)  # whatever was cached
    wanted = distributions(PROJECT["optional-dependencies"][extra])
    assert normal(DISTRIBUTIONS.get(package, package)) in wanted
