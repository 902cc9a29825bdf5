"""PyTorch's steps, ready to be timed: eager, compiled, and recorded as CUDA graphs."""

import functools

import torch

from benchmarks.gan_step import measure
from benchmarks.gan_step.peer_step import PeerStep
from benchmarks.gan_step.setting import Setting, build_peer, device, peer_batch


def peers(ours: Setting, channels_last: bool, compiled: bool) -> dict[str, measure.Run]:
    """PyTorch's recipes by name.

    Args:
        ours: whose weights and batch they copy.
        channels_last: whether they lay images out as we do.
        compiled: whether one of them is to go through `torch.compile`.

    Returns:
        The usual recipe, and those that share what can be shared; on a GPU, whose host may be
        slower than the card, the latter as CUDA graphs, too.
    """
    batch = peer_batch(ours, channels_last)
    steps = {
        "torch": build_peer(ours, False, channels_last),
        "torch sharing": build_peer(ours, True, channels_last),
    }
    if compiled:
        steps["torch compiled"] = step = build_peer(ours, True, channels_last)
        for network in ("generator", "discriminator", "comparator"):
            setattr(step, network, torch.compile(getattr(step, network)))
    runs = {name: functools.partial(take, step, batch) for name, step in steps.items()}
    if device() == "cuda":
        for name in ("torch sharing", "torch compiled"):
            if name in steps:
                runs[f"{name}, graph"] = captured(steps[name], batch)
    return runs


def take(step: PeerStep, batch: tuple[torch.Tensor, torch.Tensor], steps: int) -> None:
    """So many of PyTorch's steps."""
    for _ in range(steps):
        step(*batch)
    measure.wait(device())


def captured(step: PeerStep, batch: tuple[torch.Tensor, torch.Tensor]) -> measure.Run:
    """PyTorch's step recorded once and launched at once, so that its host has nothing to do."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # compiles, and chooses cuDNN's kernels, before the recording
        for _ in range(measure.WARM_UP):
            step(*batch)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(*batch)
    before = step.g_params[0].clone()
    graph.replay()
    assert not torch.equal(before, step.g_params[0]), "the recorded step trains nothing"

    def run(steps: int) -> None:
        for _ in range(steps):
            graph.replay()
        measure.wait(device())

    return run
