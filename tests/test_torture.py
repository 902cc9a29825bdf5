"""The short version of `python -m tests.torture`, in a process where JAX has not begun."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]


def test_no_kill_and_no_damage_of_a_run_is_silent():
    command = [sys.executable, "-m", "tests.torture", "--kills=1", "--damages=2"]
    command += ["--cases", "ridge"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "ridge kill 0 at " in done.stdout and "ridge damage 1 at " in done.stdout
    assert "the same bits" in done.stdout.splitlines()[-1]
