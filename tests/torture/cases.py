"""What is tortured: a tiny run of every method, the training of a prior, and what caches hold."""

import dataclasses
import hashlib
import multiprocessing
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

BLANK = b"\x89PNG"  # a picture of which nobody looks at the pixels
METHODS = ("ridge", "local_decoders", "gan", "feature_decoding", "brain_diffuser", "ic_gan")
PRIOR = "prior"
CASES = (*METHODS, PRIOR)
CACHES = ("recordings", "weights", "programs")
RESULT = "result"  # of a cache's case: what came of it, no part of what is damaged


@dataclasses.dataclass(frozen=True)
class Case:
    """Something that is done in a folder, and done again after a kill or a damage.

    Attributes:
        run: what is done; in a folder that is new, begun or finished.
        outcome: of a finished folder, what has to be the same to the last bit.
    """

    run: Callable[[pathlib.Path], Any]
    outcome: Callable[[pathlib.Path], dict[str, bytes]]

    def digest(self, folder: pathlib.Path) -> str:
        """A digest of the outcome."""
        found = hashlib.sha256()
        for name, content in sorted(self.outcome(folder).items()):
            found.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
        return found.hexdigest()


def case(name: str, given: pathlib.Path) -> Case:
    """A case by its name.

    Args:
        name: of `CASES` or `CACHES`.
        given: a folder for what it reads, which is written there; no part of what is tortured.
    """
    if name in CACHES:
        made = {"recordings": _recording, "weights": _weights, "programs": _program}[name]
        return Case(_with_cache(made(given)), lambda folder: {"": (folder / RESULT).read_bytes()})
    if name == PRIOR:
        return Case(_training(given), _trained)
    with multiprocessing.get_context("fork").Pool(1) as apart:  # random priors are made with JAX
        options = apart.apply(config, (name, given))
    return Case(_experiment(options), _reconstructed)


def config(method: str, given: pathlib.Path) -> dict[str, Any]:
    """A run of seconds, on a recording that is written into the folder."""
    from fmri_jax.pipeline.experiment_config import default_config
    from tests.pipeline import small_recording, test_run
    from tests.priors.random_priors import kept_ic_gan, kept_vdvae

    path = given / "mine.npz"
    if method == "gan":
        test_run.write_recording(path, seed=0)
        return test_run.small_gan(path).to_dict()
    small_recording.write_recording(path)
    made = default_config(method, "file").to_dict()
    made["data"]["path"], made["n_devices"] = str(path), 1
    made["preparation"] |= {"split": "stimulus", "n_folds": 2}
    made["evaluation"] |= {"perceptual": False, "n_bootstrap": 20}
    if method == "local_decoders":
        made["method"] |= {"decoder": "ridge", "weights": "equal"}
        made["preparation"]["image_size"] = 8
    if method == "feature_decoding":
        made["method"] |= {"layers": ("relu1",), "n_voxels": 10, "n_steps": 3}
    if method == "brain_diffuser":
        made["method"] |= {"prior": str(kept_vdvae(given / "vdvae")), "stages": "first"}
    if method == "ic_gan":
        made["method"] |= {"prior": str(kept_ic_gan(given / "ic_gan"))}
    return made


def _experiment(options: dict[str, Any]) -> Callable[[pathlib.Path], Any]:
    """A run whose figures are blank, as drawing takes most of the time of such a small one."""

    def run(workdir: pathlib.Path) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        from fmri_jax.pipeline import run as pipeline

        def blank(_: Any, target: Any, **options: Any) -> None:
            target.write(BLANK)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FigureCanvasAgg, "print_png", blank)
            pipeline.run(options, workdir, progress=False)

    return run


def _reconstructed(workdir: pathlib.Path) -> dict[str, bytes]:
    """The bits of scores and images."""
    from fmri_jax.archives import read_npz

    arrays = read_npz(workdir / "reconstructions.npz")
    return {
        "scores": (workdir / "scores.json").read_bytes(),
        "config": (workdir / "config.json").read_bytes(),
        **{name: array.tobytes() for name, array in arrays.items()},
    }


def _training(given: pathlib.Path) -> Callable[[pathlib.Path], Any]:
    """The training of a tiny prior on sixty photographs of noise."""
    from tests.commands import test_prior

    archive = given / "photographs.zip"
    test_prior.pack(archive, test_prior.NOISE)

    def train(workdir: pathlib.Path) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        from fmri_jax.pipeline import prior_training
        from fmri_jax.priors import recipes

        recipes.RECIPES["tiny"] = test_prior.RECIPE
        request = prior_training.Request(
            *("tiny", test_prior.RECIPE.options, (str(archive),), (), "CC0-1.0", workdir),
            n_devices=1,
            progress=False,
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                FigureCanvasAgg, "print_png", lambda _, target, **options: target.write(BLANK)
            )
            prior_training.train(request)

    return train


def _trained(workdir: pathlib.Path) -> dict[str, bytes]:
    """The bits of the prior, and what its card says but for times."""
    return {name: (workdir / "prior" / name).read_bytes() for name in ("prior.safetensors",)}


def _with_cache(result: Callable[[], bytes]) -> Callable[[pathlib.Path], None]:
    """Computes something with a folder as the cache, and leaves there what came of it."""

    def run(folder: pathlib.Path) -> None:
        folder.mkdir(exist_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FMRI_JAX_CACHE", str(folder))
            (folder / RESULT).write_bytes(result())

    return run


def _recording(given: pathlib.Path) -> Callable[[], bytes]:
    """A published recording, which is prepared once."""
    from tests.datasets import test_natural_scenes as scenes

    floats = (np.moveaxis(scenes.IMAGES, -1, 1) / 255).astype(np.float16)
    scenes.write(given / "betas_all_subj02_fp32_renorm.hdf5", betas=scenes.BETAS)
    scenes.write(given / "COCO_73k_subj_indices.hdf5", subj02=scenes.ORDER)
    scenes.write(given / "coco_images_224_float16.hdf5", images=floats)
    np.save(given / "shared1000.npy", scenes.SHARED)
    return lambda: scenes.open_it(given).fingerprint().encode()


def _weights(given: pathlib.Path) -> Callable[[], bytes]:
    """The weights of an installed package, which are ported once."""

    def result() -> bytes:
        import jax

        from fmri_jax import pretrained

        found = jax.tree.leaves(pretrained.load("lpips_alexnet", download=False))
        return b"".join(np.asarray(leaf).tobytes() for leaf in found)

    return result


def _program(given: pathlib.Path) -> Callable[[], bytes]:
    """A program that is compiled once; a process that has it reads it no more."""

    def result() -> bytes:
        import jax
        import jax.numpy as jnp

        from fmri_jax import compiled_programs

        jax.clear_caches()
        jax.config.update("jax_compilation_cache_dir", None)
        jax.experimental.compilation_cache.compilation_cache.reset_cache()
        compiled_programs.keep()
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        rows = jnp.linspace(0, 1, 35).reshape(5, 7)
        return np.asarray(jax.jit(lambda x: jnp.tanh(x @ x.T) - jnp.sort(x @ x.T))(rows)).tobytes()

    return result
