"""Options that XLA compiles the programs of networks with."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax

R = TypeVar("R")

# Convolutions by XLA's own Eigen kernels: jaxlib 0.10 hands them to YNNPACK, with which a step at
# 227 px takes 4.3 s instead of 3.5 s (2 cores). Matrix products stay there (3.7 s without), and so
# do sums, which XLA itself takes number by number: the mean of 5 million squares was off by 1e-5.
_KINDS = ("INDIVIDUAL_DOT", "REDUCE")
_ON_CPU = {
    "xla_cpu_experimental_ynn_fusion_type": ",".join(f"LIBRARY_FUSION_TYPE_{x}" for x in _KINDS)
}


@functools.cache
def options() -> dict[str, bool | int | str]:
    """For `jax.jit(..., compiler_options=options())`: none but on CPU, or where XLA knows none.

    The option is experimental, so that another release of XLA may have dropped it: a program of
    one addition shows whether it has.
    """
    if jax.default_backend() != "cpu":
        return {}
    chosen: dict[str, bool | int | str] = dict(_ON_CPU)
    try:
        jax.jit(lambda x: x + 1, compiler_options=chosen)(0.0)
    except jax.errors.JaxRuntimeError:
        return {}
    return chosen


def jit(function: Callable[..., R], **how: Any) -> Callable[..., R]:
    """`jax.jit(function, **how)` with these options, of a program in which a network runs.

    They are asked for at the first call, not at import, which must not start a backend. JAX takes
    options of whole programs only: within another program, which is told from traced arguments, the
    function is part of that.
    """
    inner = jax.jit(function, **how)

    @functools.cache
    def whole() -> Callable[..., R]:
        compiled: Callable[..., R] = jax.jit(function, compiler_options=options(), **how)
        return compiled

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> R:
        leaves = jax.tree.leaves((args, kwargs))
        traced = any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
        return (inner if traced else whole())(*args, **kwargs)

    return call
