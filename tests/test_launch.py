"""The command line answers before anything heavy is imported."""

import subprocess
import sys

HEAVY = ("jax", "flax", "optax", "orbax", "grain", "matplotlib", "tensorflow_datasets", "torch")


def test_help_needs_no_heavy_import():
    code = "import sys, launch; print([name for name in sys.argv[1:] if name in sys.modules])"
    command = [sys.executable, "-c", code, *HEAVY]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "[]"
