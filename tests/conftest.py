"""Fixtures that every room's tests share."""

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
