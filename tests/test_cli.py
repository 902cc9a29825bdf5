"""`fmri-jax`: subcommands are imported when they are called, and errors are one line."""

import importlib
import subprocess
import sys

import pytest

from fmri_jax import cli
from fmri_jax._version import __version__

HEAVY = ("jax", "numpy", "flax", "matplotlib", "absl", "ml_collections", "sklearn", "h5py")


def test_help_lists_every_command_and_imports_nothing_heavy():
    code = (
        "import sys\nfrom fmri_jax import cli\n"
        "try: cli.main(['--help'])\n"
        "finally: print([name for name in sys.argv[1:] if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, *HEAVY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for name, (_, what) in cli.COMMANDS.items():
        assert f"  {name} " in done.stdout and what in done.stdout


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help_of_its_own(name, capsys):
    module = importlib.import_module(cli.COMMANDS[name][0])
    try:
        code = module.main(["--help"])
    except SystemExit as end:  # argparse
        code = end.code
    assert code == 0
    assert f"usage: fmri-jax {name}" in capsys.readouterr().out


def test_version_and_unknown_commands(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"fmri_jax {__version__}\n"
    with pytest.raises(SystemExit, match="2"):
        cli.main(["decode"])
    assert "invalid choice: 'decode'" in capsys.readouterr().err


def test_python_m_is_the_same_command(tmp_path):
    command = [sys.executable, "-m", "fmri_jax", "report", str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    (message,) = done.stderr.splitlines()
    assert message.startswith("fmri_jax: ") and "nowhere" in message
