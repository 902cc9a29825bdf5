"""Windows and macOS are not excluded by what modules import or look up when they are imported."""

import os
import subprocess
import sys

CODE = """
import ast, builtins, importlib, os, pathlib, pkgutil, signal, sys
import fmri_jax

# Other packages are imported first: they have their own ways around what Windows lacks.
for path in pathlib.Path(fmri_jax.__path__[0]).rglob("*.py"):
    for node in ast.parse(path.read_text()).body:
        names = [alias.name for alias in getattr(node, "names", [])]
        for name in [str(node.module)] if isinstance(node, ast.ImportFrom) else names:
            if isinstance(node, ast.Import | ast.ImportFrom) and not name.startswith("fmri_jax"):
                importlib.import_module(name)
import tensorflow_datasets
tensorflow_datasets.core.GeneratorBasedBuilder, tensorflow_datasets.features.Tensor  # lazy

for name in ("fcntl", "resource", "grp", "pwd", "termios", "pty", "tty", "crypt", "syslog"):
    sys.modules[name] = None
for name in ("getuid", "geteuid", "getgid", "fork", "killpg", "sched_getaffinity", "uname"):
    delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGALRM", "SIGXFSZ"):
    delattr(signal, name)
opened = builtins.open
def open_without_proc(path, *arguments, **options):
    assert not str(path).startswith("/proc"), path
    return opened(path, *arguments, **options)
builtins.open = open_without_proc

modules = [module.name for module in pkgutil.walk_packages(fmri_jax.__path__, "fmri_jax.")]
for name in modules:
    importlib.import_module(name)
print(len(modules))
"""


def test_no_module_needs_posix_to_be_imported():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=300, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 150
