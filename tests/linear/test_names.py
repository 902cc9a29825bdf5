"""The package's names stay what they are, whichever of its modules are imported."""

import importlib
import pkgutil
import subprocess
import sys

from fmri_jax import linear


def test_names_are_functions_and_classes_after_every_module_is_imported():
    for module in pkgutil.walk_packages(linear.__path__, "fmri_jax.linear."):
        importlib.import_module(module.name)
    for name in linear.__all__:
        found = getattr(linear, name)
        assert callable(found) and found.__name__ == name


def test_the_package_alone_does_not_import_jax():
    code = "import sys, fmri_jax.linear; print('jax' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "False", run.stderr
