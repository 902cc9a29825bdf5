"""One training step of the GAN: ours beside PyTorch's, alternating in one process.

    python -m benchmarks.gan_step --size 64                # the demo's networks
    python -m benchmarks.gan_step --size 64 --published    # full width
    python -m benchmarks.gan_step --size 227 --repeats 3   # the paper's networks
    python -m benchmarks.gan_step --memory ours            # peak memory of one side, alone
    python -m benchmarks.gan_step --size 227 --batch 64 --bfloat16 --channels-last --compile  # GPU

Both sides have the same networks, losses, Adam, batch and precision (on a GPU float32 is what its
matrix units make of it), and start from the same weights. Before anything is timed, the losses of
two steps and every gradient of the first are compared, in full float32 and without dropout. "torch"
is the usual recipe, "torch sharing" passes the generated images through the discriminator once, as
ours does. FLOPs are PyTorch's own count of the sharing recipe. On a GPU each round takes `--steps`
steps, and nobody waits between them; PyTorch's sharing steps are timed as CUDA graphs, too.
"""

import argparse
import functools
import resource
import time

import jax
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gan_step import measure, weights
from benchmarks.gan_step.contenders import peers, take
from benchmarks.gan_step.peer_step import PeerStep
from benchmarks.gan_step.setting import Setting, build, build_peer, device, peer_batch
from fmri_jax.methods.gan.step import jitted
from fmri_jax.training.host_memory import keep_freed_memory, run_in_caller

THREADS = 2
LOSS_TOLERANCES = (1e-5, 1e-3)  # relative, of the terms of the first and of the second step
LOSS_FLOOR = 1e-6  # absolute: a discriminator that is sure has losses near zero
# Norm of the difference by norm of the gradient, of the worst layer. Layers whose gradient passes
# no further ReLU agree to 2e-6; before the first ReLU a unit here and there is on the other side.
GRADIENT_TOLERANCE = 1e-2


def main() -> None:
    options = parse()
    torch.set_num_threads(THREADS)
    if not options.default_memory:
        run_in_caller()  # as training does, and so is the next; it serves both sides
        keep_freed_memory()
    if options.memory:
        if device() != "cpu":
            raise SystemExit("--memory reads the memory of the process: expected JAX on the CPU.")
        print(f"peak memory of {options.memory}: {peak_memory(options) / 2**20:,.0f} MiB")
        return
    print(
        f"{options.size} px, {'published' if options.published else 'demo'} width, batch "
        f"{options.batch}, {options.dtype}; jax {jax.__version__} on "
        f"{jax.devices()[0].device_kind}, torch {torch.__version__} with {THREADS} threads"
    )
    # Compiled first, as in training: beside what PyTorch leaves in the process it takes longer.
    ours = setting(options, dropout=0.5, dtype=options.dtype)
    run_ours = compiled(ours, kept_features(ours) if options.fixed_images else None)
    with (
        jax.default_matmul_precision("highest"),
        torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
    ):
        prove(options)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True  # JAX and cuDNN do by default
    flops, peak = count_flops(ours, options), measure.matrix_peak(options.dtype, device())
    contenders = {"ours": run_ours, **peers(ours, options.channels_last, options.compile)}
    steps = options.steps or (1 if device() == "cpu" else 30)
    costs = measure.alternate(contenders, options.repeats, steps)
    report(costs, flops, peak)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=64, help="pixels; 227 implies --published")
    parser.add_argument("--published", action="store_true", help="full width, 11,726 voxels")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--steps", type=int, help="steps per round; 1 on CPU, 30 on a GPU")
    parser.add_argument("--bfloat16", action="store_true", help="arithmetic; weights are float32")
    parser.add_argument("--compile", action="store_true", help="torch.compile as a contender")
    parser.add_argument("--channels-last", action="store_true", help="PyTorch in our layout")
    parser.add_argument(
        "--fixed-images",
        action="store_true",
        help="ours takes the targets' features from before training, as it does without crops",
    )
    parser.add_argument("--memory", choices=("ours", "torch"), help="measure one side's peak")
    parser.add_argument(
        "--default-memory", action="store_true", help="do not keep freed memory in the process"
    )
    options = parser.parse_args()
    options.published |= options.size > 128
    options.dtype = "bfloat16" if options.bfloat16 else "float32"
    return options


def setting(options: argparse.Namespace, dropout: float, dtype: str = "float32") -> Setting:
    return build(options.size, options.published, options.batch, dropout, dtype)


def prove(options: argparse.Namespace) -> None:
    """Same weights, no dropout: equal losses in two steps, equal gradients in the first.

    Adam's first moments start at zero, so that after one step they are (1 - beta 1) times the
    gradients, weight decay included.
    """
    ours = setting(options, dropout=0.0)
    step = jitted(ours.step)
    for sharing in (False, True):
        peer = build_peer(ours, sharing, options.channels_last)
        state, *rest = ours.arguments()
        for number, tolerance in enumerate(LOSS_TOLERANCES, start=1):
            state, terms = step(state, *rest)
            expected = peer(*peer_batch(ours, options.channels_last))
            for name, value in expected.items():
                np.testing.assert_allclose(
                    terms[name], value.cpu(), rtol=tolerance, atol=LOSS_FLOOR, err_msg=name
                )
            if number == 1:
                found = gradient_differences(state, peer)
    print(
        f"proved without dropout: losses of two steps agree to {LOSS_TOLERANCES}; norm of the "
        f"difference / norm of the gradient, worst layer: generator {found[0]:.1e}, "
        f"discriminator {found[1]:.1e} (at most {GRADIENT_TOLERANCE:g} is accepted)"
    )
    assert max(found) < GRADIENT_TOLERANCE, found


def gradient_differences(state, peer: PeerStep) -> tuple[float, float]:
    """Of the generator and the discriminator, after one step."""
    differences = []
    for ours, network, adam in (
        (state.generator, peer.generator, peer.g_adam),
        (state.discriminator, peer.discriminator, peer.d_adam),
    ):
        (moments,) = (
            leaf.mu
            for leaf in jax.tree.leaves(ours.optimiser, is_leaf=lambda x: hasattr(x, "mu"))
            if hasattr(leaf, "mu")
        )
        theirs = {param: values["exp_avg"] for param, values in adam.state.items()}
        differences.append(weights.largest_difference(network, moments, theirs))
    return differences[0], differences[1]


def kept_features(ours: Setting) -> dict[str, jax.Array]:
    """Comparator features of the batch's images, which are all the images there are."""
    features = jax.jit(ours.step.features)(ours.comparator, ours.batch.images)
    return jax.block_until_ready(features)


def compiled(ours: Setting, features: dict[str, jax.Array] | None = None) -> measure.Run:
    """Our step, ready to run; prints what starting it cost."""
    state, *rest = (*ours.arguments(), features)
    start = time.perf_counter()
    lowered = jitted(ours.step).lower(state, *rest)
    traced = time.perf_counter()
    program = lowered.compile()
    built = time.perf_counter()
    state, terms = jax.block_until_ready(program(state, *rest))
    print(
        f"ours: traced in {traced - start:.1f} s, compiled in {built - traced:.1f} s, first step "
        f"after {time.perf_counter() - start:.1f} s; temporary memory of the program "
        f"{program.memory_analysis().temp_size_in_bytes / 2**20:,.0f} MiB"
    )
    holder = [state]

    def run(steps: int) -> None:
        for _ in range(steps):
            holder[0], terms = program(holder[0], *rest)
        jax.block_until_ready((holder[0], terms))

    return run


def count_flops(ours: Setting, options: argparse.Namespace) -> int:
    """Multiplications and additions of convolutions and matrix products in one step."""
    step = build_peer(ours, True, options.channels_last)
    with FlopCounterMode(display=False) as counter:
        step.sharing_gradients(*peer_batch(ours, options.channels_last))  # Adam has no products
    return counter.get_total_flops()


def report(costs: dict[str, list[measure.Cost]], flops: int, peak: float) -> None:
    print(f"model FLOPs a step {flops / 1e9:.0f} G; matrix product {peak / 1e9:.0f} GFLOP/s")
    print("best and median of the rounds in seconds; FLOP/s of the best; ratios: ours / theirs")
    print(f"{'':21} {'wall':>15} {'processor':>14} {'faults':>8} {'GFLOP/s':>8} {'of peak':>8}")
    for name, of in costs.items():
        wall, processor = (measure.best_and_median(of, x) for x in ("wall", "processor"))
        rate = flops / wall[0]
        print(
            f"{name:21} {wall[0]:7.4f} {wall[1]:7.4f} {processor[0]:6.3f} {processor[1]:7.3f} "
            f"{measure.best_and_median(of, 'faults')[1]:8,.0f} {rate / 1e9:8.1f} {rate / peak:8.0%}"
        )
    for name in [name for name in costs if name != "ours"]:
        for what in ("wall", "processor"):
            print(f"ours / {name}, {what}: {measure.ratio(costs['ours'], costs[name], what)}")


def peak_memory(options: argparse.Namespace) -> int:
    """Bytes that two steps of one side add to the process at most."""
    ours = setting(options, dropout=0.5, dtype=options.dtype)
    if options.memory == "ours":
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run = compiled(ours)
    else:
        step = build_peer(ours, False, options.channels_last)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run = functools.partial(take, step, peer_batch(ours, options.channels_last))
    run(2)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024


if __name__ == "__main__":
    main()
