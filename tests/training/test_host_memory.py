"""Freed arrays stay with the process: using them again takes no page from the kernel."""

import os
import subprocess
import sys

import pytest

from fmri_jax.training import host_memory

# 64 MiB, freed and taken again, as XLA does in each step; the pages of the second time are counted.
CODE = """
import ctypes, resource
from fmri_jax.training.host_memory import keep_freed_memory
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
def use():
    address = library.malloc(ctypes.c_size_t(2**26))
    ctypes.memset(address, 1, 2**26)
    library.free(address)
def faults():
    use()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    use()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults())
assert keep_freed_memory()
print(faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_large_freed_arrays_are_used_again():
    program = [sys.executable, "-c", CODE]
    run = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    before, after = map(int, run.stdout.split())
    assert before > 10_000 and after < 100, run.stdout


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(host_memory.sys, "platform", "darwin")
    assert host_memory.keep_freed_memory() is False


# A product of some tenths of a second: is it done when the call is?
DONE = """
import jax
from fmri_jax.training.host_memory import run_in_caller
CALL
program = jax.jit(lambda x: jax.lax.fori_loop(0, 7, lambda i, y: y @ x, x))
x = jax.numpy.eye(1500).block_until_ready()
print(program.lower(x).compile()(x).is_ready())
"""


def test_programs_run_in_the_thread_that_calls_them():
    found = []
    for call in ("", "run_in_caller()"):
        program = [sys.executable, "-c", DONE.replace("CALL", call)]
        environment = os.environ | {"JAX_PLATFORMS": "cpu"}
        run = subprocess.run(
            program, capture_output=True, text=True, timeout=60, check=True, env=environment
        )
        found.append(run.stdout.strip())
    assert found == ["False", "True"]
