"""Packages that tests compare with: tests whose peer is not installed are skipped by its name."""

import importlib
import os
from typing import Any

import pytest


def peer(name: str) -> Any:
    """Imports a package; where it is absent the test, or the file of tests, skips.

    Not in CI, where everything is installed and nothing may be skipped.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"compares with {name}, which is not installed", allow_module_level=True)
