"""Recordings that are fetched, converted once and read back: one folder per data set."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["simulated"],
    submod_attrs={"simulated.small": ["make_simulated_subject"]},
)
