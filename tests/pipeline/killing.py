"""Runs that are stopped half-way."""

import contextlib
from collections.abc import Iterator

import pytest

from fmri_jax.pipeline import cross_validation


@contextlib.contextmanager
def killed_before_the_second_fold() -> Iterator[None]:
    """A run in this block is interrupted after its first fold."""
    original = cross_validation.run_fold

    def killed(fold, number, *arguments):
        if number == 1:
            raise KeyboardInterrupt
        return original(fold, number, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cross_validation, "run_fold", killed)
        with pytest.raises(KeyboardInterrupt):
            yield
