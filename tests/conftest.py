"""Fixtures that every room's tests share."""

import gc
import os
import pathlib

import pytest

# Several CPU devices in one process, so that sharding is tested; and programs that run for
# milliseconds are not optimised for seconds. Must precede `import jax`.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0",
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")

MOST_MAPS = 20_000


@pytest.fixture(scope="session")
def recordings() -> pathlib.Path:
    """The folder of real recordings; where it is absent the test skips, except in CI."""
    folder = os.environ.get("FMRI_JAX_DATA", "")
    if folder and pathlib.Path(folder).is_dir():
        return pathlib.Path(folder)
    message = "needs the real recordings: set FMRI_JAX_DATA to the folder that holds them"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module", autouse=True)
def forget_programs():
    """Unloads compiled programs after a file of tests, where a process holds very many.

    Each maps some pages of memory of its own, of which Linux allows a process 65,530: beyond that
    loading one more crashes.
    """
    yield
    maps = pathlib.Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MOST_MAPS:
        import jax

        jax.clear_caches()
        gc.collect()
