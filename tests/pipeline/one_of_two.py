"""One of two processes: `python -m tests.pipeline.one_of_two FOLDER [PORT]`.

Process 0 is given the port at which it is found, process 1 knows it by SLURM's variables.

Together they fit two layers' parts, train a GAN and a prior, and begin the GAN's training again,
at whose fourth step process 1 is killed.
"""

import dataclasses
import functools
import os
import pathlib
import signal
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax import methods
from fmri_jax.methods import RunContext
from fmri_jax.methods.gan import method as gan_method
from fmri_jax.pipeline import followers, parts
from fmri_jax.pipeline.distributed import fit_parts
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.run import run
from fmri_jax.priors import training
from fmri_jax.training import sampler
from fmri_jax.training.cluster import Cluster, joined
from fmri_jax.training.mesh import make_mesh


def config_of(method: str, recording: pathlib.Path) -> dict:
    """A tiny experiment: two folds of one layer, or one of a generator without other networks."""
    config = default_config(method, "file").to_dict()
    config["data"]["path"] = str(recording)
    config["preparation"] |= {"split": "stimulus", "n_folds": 2}
    if method == "feature_decoding":
        config["method"] |= {"layers": ("relu1",), "n_voxels": 10, "pixel_weight": 0.0}
    else:
        config["method"] |= {"feature_weight": 0.0, "adversarial_weight": 0.0, "batch_size": 8}
        config["method"] |= {"n_steps": 4, "log_every": 1, "checkpoint_every": 2}
        config["method"] |= {"width": 0.0625, "hidden": 16, "shard_dense": True}
    config["evaluation"] |= {"n_bootstrap": 0, "perceptual": False}
    return config


def trained(config: dict, workdir: pathlib.Path, mesh) -> dict[str, np.ndarray]:
    """The generator of the first fold."""
    options, fold = parts.fold_of(config, parts.recording_of(config), 0)
    key = methods.fold_key(options.seed, 0)
    context = RunContext(workdir, fold.name, key, mesh, progress=False)
    method = methods.package("gan").build(options.method_config)
    return method.fit(fold.train, context).state()[0]


@dataclasses.dataclass(frozen=True)
class Mean:
    """What a prior might minimise: the distance of images from one that is learned, and noise."""

    def initial(self, key):
        return {"image": jax.random.normal(key, (4, 4, 3))}

    def __call__(self, params, batch, key):
        noise = jax.random.normal(key, batch.shape)
        return jnp.mean((batch + 0.1 * noise - params["image"]) ** 2), {}


def trained_prior(workdir: pathlib.Path, mesh) -> np.ndarray:
    """A prior of that kind, after six steps of eight photographs."""
    photographs = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3), np.uint8)
    options = training.Options(n_steps=6, batch_size=8, warm_up=1, log_every=3, checkpoint_every=3)
    found = training.train(Mean(), photographs, options, mesh, workdir, progress=False)
    return np.asarray(found["image"])


def lead(group, folder: pathlib.Path, layers: dict, gan: dict) -> None:
    """What process 0 does."""
    shared_out = functools.partial(followers.shared_out, group=group)
    fit_parts(layers, folder / "layers", shared_out, "")
    (folder / "gan").mkdir()
    (folder / "gan/config.json").touch()
    group.tell({"fit": 0})
    generator = trained(gan, folder / "gan", make_mesh(of_all_processes=True))
    prior = trained_prior(folder / "prior", make_mesh(of_all_processes=True))
    np.savez(folder / "generator.npz", **generator, prior=prior)
    _read_from_records()
    run(gan, folder / "killed", progress=False, group=group)


def help_him(group, folder: pathlib.Path, layers: dict, gan: dict) -> None:
    """What process 1 does, until it is killed."""
    orders = group.orders()
    for name, config in (("layers", layers), ("gan", gan), ("killed", gan)):
        if name == "killed":
            _read_from_records()
            checkpoint = folder / "killed/checkpoints/stimulus_group_1_of_2/2"
            sampler.Sampler.__call__ = _killed_at_3(sampler.Sampler.__call__, checkpoint)
        load = functools.partial(parts.recording_of, config)
        followers.obey(next(orders), config, folder / name, group, load)
        if name == "gan":
            trained_prior(folder / "prior", make_mesh(of_all_processes=True))


def _read_from_records() -> None:
    """From here on trials are not kept on devices."""
    gan_method.Batches = functools.partial(gan_method.Batches, device_limit_bytes=0)


def _killed_at_3(of_step, checkpoint: pathlib.Path):
    """A sampler that kills its process when asked for step 3, once there is a checkpoint."""

    def call(self, step):
        if step == 3:
            until = time.monotonic() + 60
            while not checkpoint.exists() and time.monotonic() < until:
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)
        return of_step(self, step)

    return call


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    configs = [config_of(name, folder / "recording.npz") for name in ("feature_decoding", "gan")]
    found = Cluster(f"127.0.0.1:{sys.argv[2]}", 2, 0) if len(sys.argv) > 2 else Cluster()
    with joined(found) as member:
        (lead if member.decides else help_him)(member, folder, *configs)
