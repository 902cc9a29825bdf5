"""Compiler options are passed only to a compiler that knows them."""

import jax
import pytest

from fmri_jax.networks import compiler


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


def test_a_program_of_its_own_has_the_options_and_a_part_of_another_has_not():
    """JAX refuses options within another program, as under `grad`."""
    twice = compiler.jit(lambda x, n: n * x, static_argnums=1)
    assert float(twice(3.0, 2)) == 6
    assert float(jax.jit(lambda x: twice(x, 2) + 1)(3.0)) == 7
    assert float(jax.grad(twice)(3.0, 2)) == 2


def test_no_backend_starts_before_the_first_call(monkeypatch):
    monkeypatch.setattr(compiler.jax, "default_backend", lambda: pytest.fail("a backend started"))
    compiler.jit(lambda x: x)
