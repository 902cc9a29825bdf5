"""One step on 1, 2, 4 and 8 virtual CPU devices: the same losses, bytes sent, bytes kept.

    python -m benchmarks.scaling                  # strong scaling: the batch stays at 32
    python -m benchmarks.scaling --weak           # weak scaling: 8 trials per device
    python -m benchmarks.scaling --shard-dense    # dense layers split over the devices

    python -m benchmarks.scaling --accelerator    # the program that GPUs run

Virtual devices share the processor's cores, so that seconds say nothing about real devices and are
not printed. What carries over is what the program does: which collectives, how many bytes, how
much memory on each device, and that the losses are those of one device.
"""

import argparse
import json
import os
import subprocess
import sys

TOLERANCE = 1e-4  # relative, of a loss, against one device
WEAK_BATCH = 8  # trials a device


def main() -> None:
    options = parse()
    if options.devices:
        print(json.dumps(measure(options)))
        return
    batch = "8 a device" if options.weak else "32"
    print(f"64 px, demo width, batch {batch}, dense layers {placement(options.shard_dense)}")
    print("devices  batch  MiB of state a device  MiB sent a step: by collective")
    for devices in (1, 2, 4, 8):
        found = in_subprocess(devices, options)
        alone = in_subprocess(1, options, batch=found["batch"])
        worst = max(abs(found["losses"][x] / alone["losses"][x] - 1) for x in found["losses"])
        assert worst < TOLERANCE, (devices, worst)
        sent = ", ".join(f"{kind} {n / 2**20:.2f}" for kind, n in found["sent"].items()) or "none"
        print(f"{devices:7} {found['batch']:6} {found['state'] / 2**20:22.1f}  {sent}", flush=True)
    print(f"losses on one device and on several agree to {TOLERANCE:g}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weak", action="store_true")
    parser.add_argument("--shard-dense", action="store_true")
    parser.add_argument("--accelerator", action="store_true", help="convolutions as on GPUs")
    parser.add_argument("--devices", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def placement(shard_dense: bool) -> str:
    return "split over the devices" if shard_dense else "copied to each device"


def in_subprocess(devices: int, options: argparse.Namespace, batch: int = 0) -> dict:
    """The number of devices is fixed when JAX starts, so each has a process of its own."""
    batch = batch or (WEAK_BATCH * devices if options.weak else 32)
    command = [sys.executable, "-m", "benchmarks.scaling", f"--devices={devices}"]
    command.append(f"--batch={batch}")
    for option in ("shard_dense", "accelerator"):
        if getattr(options, option):
            command.append("--" + option.replace("_", "-"))
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return {**json.loads(run.stdout.splitlines()[-1]), "batch": batch}


def measure(options: argparse.Namespace) -> dict:
    """Losses, bytes sent and bytes kept of one step in this process."""
    import jax

    from benchmarks.communication import bytes_by_collective
    from benchmarks.gan_step.setting import build
    from fmri_jax.methods.gan.sharding import shardings
    from fmri_jax.methods.gan.step import jitted_steps
    from fmri_jax.training.mesh import batch_sharding, make_mesh, replicate

    if options.accelerator:
        jax.default_backend = lambda: "gpu"  # what our layers ask; XLA compiles for the CPU still
    mesh = make_mesh()
    setting = build(64, published=False, batch=options.batch, dropout=0.0)
    state, batch, *rest = setting.arguments()
    if options.shard_dense:
        state = jax.device_put(state, shardings(state, mesh))
    else:
        state = replicate(state, mesh)
    split = (jax.device_put(batch, batch_sharding(mesh)),)
    steps = jitted_steps(setting.step, mesh if options.shard_dense else None)
    program = steps.lower(state, split, *replicate(rest, mesh)).compile()
    kept = sum(x.addressable_shards[0].data.nbytes for x in jax.tree.leaves(players(state)))
    _, losses = program(state, split, *replicate(rest, mesh))
    return {
        "losses": {name: float(value[0]) for name, value in losses.items()},
        "sent": bytes_by_collective(program.as_text()),
        "state": kept,
    }


def players(state) -> tuple:
    """Parameters and moments, without the random key."""
    return state.generator, state.discriminator


if __name__ == "__main__":
    main()
