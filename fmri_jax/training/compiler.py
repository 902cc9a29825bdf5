"""Options that XLA compiles a training step with."""

import functools

import jax

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
