"""Compiler options are passed only to a compiler that knows them."""

import jax
import pytest

from fmri_jax.training import compiler


@pytest.fixture(autouse=True)
def fresh():
    compiler.options.cache_clear()
    yield
    compiler.options.cache_clear()


def test_what_is_passed_compiles():
    assert float(jax.jit(lambda x: 2 * x, compiler_options=compiler.options())(3.0)) == 6


def test_an_option_that_xla_dropped_is_left_out(monkeypatch):
    monkeypatch.setattr(compiler, "_ON_CPU", {"xla_cpu_there_was_once": "1"})
    assert compiler.options() == {}


def test_other_platforms_take_their_own_defaults(monkeypatch):
    monkeypatch.setattr(compiler.jax, "default_backend", lambda: "gpu")
    assert compiler.options() == {}
