"""The command line answers before anything heavy is imported."""

import subprocess
import sys

from fmri_jax import execution

HEAVY = ("jax", "flax", "optax", "orbax", "grain", "matplotlib", "tensorflow_datasets", "torch")


def test_help_needs_no_heavy_import():
    code = "import sys, launch; print([name for name in sys.argv[1:] if name in sys.modules])"
    command = [sys.executable, "-c", code, *HEAVY]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "[]"


WHERE = """
import sys
import jax
from absl import app
import fmri_jax.run
import launch
fmri_jax.run.run = lambda *args, **options: jax.config.values["jax_cpu_enable_async_dispatch"]
sys.argv[1:] = ["--config=experiments/gan_vc.py:tiny"]
app.run(launch.main, flags_parser=launch.parse)
"""


def test_the_launcher_runs_programs_in_its_own_thread():
    command = [sys.executable, "-c", WHERE]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "False"


def test_other_processes_of_a_sweep_do_so_too(monkeypatch):
    done = []
    monkeypatch.setattr(execution, "run_in_caller", lambda: done.append("setting"))
    monkeypatch.setattr(execution, "run_task", lambda task: done.append(task) or "")
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    assert execution._on_card("task", card="") == ""
    assert done == ["setting", "task"]
