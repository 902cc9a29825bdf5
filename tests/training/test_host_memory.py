"""Freed arrays stay with the process: using them again takes no page from the kernel."""

import subprocess
import sys

import pytest

from fmri_jax.training import host_memory

# 64 MiB, freed and taken again, as XLA does in each step; the pages of the second time are counted.
CODE = """
import ctypes, resource
from fmri_jax.training.host_memory import keep_freed_memory
KEEP
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
def use():
    address = library.malloc(ctypes.c_size_t(2**26))
    ctypes.memset(address, 1, 2**26)
    library.free(address)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_large_freed_arrays_are_used_again():
    faults = []
    for keep in ("", "assert keep_freed_memory()"):
        program = [sys.executable, "-c", CODE.replace("KEEP", keep)]
        run = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
        faults.append(int(run.stdout))
    assert faults[0] > 10_000 and faults[1] < 100, faults


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(host_memory.sys, "platform", "darwin")
    assert host_memory.keep_freed_memory() is False
