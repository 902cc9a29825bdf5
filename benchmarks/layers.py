"""Each convolution and pooling of the GAN beside XLA's own (reference) and PyTorch's, in one run.

    python -m benchmarks.layers [--batch 32] [--repeats 7] [--only A] [--no-reference]

For every layer at the paper's 227 pixels: output (f), input gradient (dx) and kernel gradient (dw),
alternating between the three, best of the repeats. Every gradient is first compared with PyTorch's.
`--keep-memory` makes the C library to keep freed memory, for all three alike.
"""

import argparse
import dataclasses
import functools
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import torch

from fmri_jax.networks import compiler
from fmri_jax.networks.conv import dispatch
from fmri_jax.training.host_memory import keep_freed_memory, run_in_caller

THREADS = 2


@dataclasses.dataclass(frozen=True)
class Case:
    """One layer: image side, channels in and out, kernel size, stride, padding, kind."""

    name: str
    side: int
    channels: int
    features: int
    size: int
    stride: int
    padding: int
    kind: str = "conv"


CASES = (
    Case("A conv1", 227, 3, 64, 11, 4, 2),
    Case("A conv2", 27, 64, 192, 5, 1, 2),
    Case("A conv3", 13, 192, 384, 3, 1, 1),
    Case("A conv4", 13, 384, 256, 3, 1, 1),
    Case("A conv5", 13, 256, 256, 3, 1, 1),
    Case("A pool1", 56, 64, 64, 3, 2, 0, "pool"),
    Case("A pool2", 27, 192, 192, 3, 2, 0, "pool"),
    Case("A pool5", 13, 256, 256, 3, 2, 0, "pool"),
    Case("D conv1", 227, 3, 32, 7, 4, 0),
    Case("D conv2", 56, 32, 64, 5, 1, 0),
    Case("D conv3", 52, 64, 128, 3, 2, 0),
    Case("D conv4", 25, 128, 256, 3, 1, 0),
    Case("D conv5", 23, 256, 256, 3, 2, 0),
    Case("G deconv5", 4, 256, 256, 4, 2, 1, "transposed"),
    Case("G conv5_1", 8, 256, 512, 3, 1, 1),
    Case("G deconv4", 8, 512, 256, 4, 2, 1, "transposed"),
    Case("G conv4_1", 16, 256, 256, 3, 1, 1),
    Case("G deconv3", 16, 256, 128, 4, 2, 1, "transposed"),
    Case("G conv3_1", 32, 128, 128, 3, 1, 1),
    Case("G deconv2", 32, 128, 64, 4, 2, 1, "transposed"),
    Case("G deconv1", 64, 64, 32, 4, 2, 1, "transposed"),
    Case("G deconv0", 128, 32, 3, 4, 2, 1, "transposed"),
)

Passes = dict[str, Callable[[], np.ndarray]]


def in_jax(case: Case, form: dispatch.Form, x: np.ndarray, kernel: np.ndarray, g: np.ndarray):
    """f, dx and dw as compiled functions of device arrays."""

    def layer(x: jax.Array, kernel: jax.Array) -> jax.Array:
        if case.kind == "pool":
            return dispatch.max_pool(x, case.size, case.stride, form)
        run = dispatch.conv if case.kind == "conv" else dispatch.conv_transpose
        return run(x, kernel, case.stride, case.padding, form)

    jit = functools.partial(jax.jit, compiler_options=compiler.options())  # as in training
    dx = jit(lambda x, k, g: jax.vjp(lambda x: layer(x, k), x)[1](g)[0])
    dw = jit(lambda x, k, g: jax.vjp(lambda k: layer(x, k), k)[1](g)[0])
    f = jit(layer)
    x, kernel, g = jnp.asarray(x), jnp.asarray(kernel), jnp.asarray(g)
    passes = {
        "f": lambda: f(x, kernel).block_until_ready(),
        "dx": lambda: dx(x, kernel, g).block_until_ready(),
    }
    if case.kind != "pool":
        passes["dw"] = lambda: dw(x, kernel, g).block_until_ready()
    return passes


def in_torch(case: Case, x: np.ndarray, kernel: np.ndarray, g: np.ndarray) -> Passes:
    """f, dx and dw as PyTorch's own kernels, without the bookkeeping of autograd."""
    x, g = (torch.tensor(np.moveaxis(array, 3, 1).copy()) for array in (x, g))
    functional, aten = torch.nn.functional, torch.ops.aten
    if case.kind == "pool":
        window = [case.size] * 2, [case.stride] * 2, [0, 0], [1, 1], False
        _, winners = functional.max_pool2d(x, case.size, case.stride, return_indices=True)
        return {
            "f": lambda: functional.max_pool2d(x, case.size, case.stride),
            "dx": lambda: aten.max_pool2d_with_indices_backward(g, x, *window, winners),
        }
    transposed = case.kind == "transposed"
    axes = (2, 3, 0, 1) if transposed else (3, 2, 0, 1)
    flipped = kernel[::-1, ::-1] if transposed else kernel
    w = torch.tensor(flipped.transpose(axes).copy())
    static = [case.stride] * 2, [case.padding] * 2, [1, 1], transposed, [0, 0], 1
    run = functional.conv_transpose2d if transposed else functional.conv2d
    return {
        "f": lambda: run(x, w, None, case.stride, case.padding),
        "dx": lambda: aten.convolution_backward(g, x, w, None, *static, [True, False, False])[0],
        "dw": lambda: aten.convolution_backward(g, x, w, None, *static, [False, True, False])[1],
    }


def as_ours(case: Case, which: str, result: torch.Tensor) -> np.ndarray:
    """A result of PyTorch in our layout."""
    array = result.numpy()
    if which != "dw":
        return np.moveaxis(array, 1, 3)
    if case.kind == "transposed":
        return array.transpose(2, 3, 0, 1)[::-1, ::-1]
    return array.transpose(2, 3, 1, 0)


def arrays(case: Case, batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random image, kernel and output gradient."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, case.side, case.side, case.channels), dtype=np.float32)
    shape = (case.size, case.size, case.channels, case.features)
    kernel = rng.standard_normal(shape, dtype=np.float32)
    if case.kind == "transposed":
        side = (case.side - 1) * case.stride + case.size - 2 * case.padding
    else:
        side = (case.side + 2 * case.padding - case.size) // case.stride + 1
    g = rng.standard_normal((batch, side, side, case.features), dtype=np.float32)
    return x, kernel, g


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(case: Case, batch: int, repeats: int, reference: bool) -> dict[str, dict[str, float]]:
    """Pass -> who -> seconds, after all agree."""
    x, kernel, g = arrays(case, batch)
    contenders = {
        "ours": in_jax(case, "cpu", x, kernel, g),
        "torch": in_torch(case, x, kernel, g),
    }
    if reference:
        contenders["reference"] = in_jax(case, "reference", x, kernel, g)
    times: dict[str, dict[str, float]] = {}
    for which in contenders["ours"]:
        expected = as_ours(case, which, contenders["torch"][which]())
        for who in contenders.keys() - {"torch"}:
            error = np.abs(np.asarray(contenders[who][which]()) - expected).max()
            assert error < 1e-4 * np.abs(expected).max(), (case.name, which, who, error)
        times[which] = dict.fromkeys(contenders, np.inf)
        for _ in range(repeats):
            for who, passes in contenders.items():
                times[which][who] = min(times[which][who], seconds(passes[which]))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", default="", help="layers whose name begins with this")
    parser.add_argument("--no-reference", action="store_true", help="leave the slow plain form out")
    parser.add_argument("--keep-memory", action="store_true")
    options = parser.parse_args()
    if options.keep_memory:
        run_in_caller()
        keep_freed_memory()
    torch.set_num_threads(THREADS)
    who = ("ours", "torch") if options.no_reference else ("ours", "torch", "reference")
    print(f"batch {options.batch}, milliseconds; ratio = ours / torch; jax {jax.__version__}")
    print(f"{'layer':10} pass {' '.join(f'{name:>9}' for name in who)}  ratio")
    total = dict.fromkeys(who, 0.0)
    for case in CASES:
        if not case.name.startswith(options.only):
            continue
        passes = measure(case, options.batch, options.repeats, reference=not options.no_reference)
        for which, times in passes.items():
            print(row(case.name, which, times, who), flush=True)
            for name in who:
                total[name] += times[name]
    print(row("all", "", total, who))


def row(layer: str, which: str, times: dict[str, float], who: tuple[str, ...]) -> str:
    milliseconds = " ".join(f"{1e3 * times[name]:9.1f}" for name in who)
    return f"{layer:10} {which:4} {milliseconds} {times['ours'] / times['torch']:6.2f}"


if __name__ == "__main__":
    main()
