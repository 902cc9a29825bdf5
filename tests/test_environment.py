"""What surrounds a run: float64 mode, platforms, homes and caches that are not there."""

import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import jax
import numpy as np
import pytest
from PIL import Image

from fmri_jax import compiled_programs, data, files, report
from fmri_jax.data import images
from fmri_jax.data.readers import npz
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.methods.decoder_files import load_decoder
from fmri_jax.pipeline import (
    experiment_config,
    experiment_files,
    prior_training,
    recording_identity,
)
from fmri_jax.pretrained import cache as weights
from fmri_jax.priors import training

ROOT = pathlib.Path(__file__).parents[1]

# Every public estimator on a few random images, metrics, and a solver.
ESTIMATORS = """
import jax
import numpy as np
import fmri_jax as fj

assert jax.config.jax_enable_x64
rng = np.random.default_rng(0)
X, images = rng.normal(size=(24, 12)), (rng.random((24, 16, 16, 1)) < 0.5).astype(float)
small = dict(n_steps=2, batch_size=8, hidden=16, width=0.05, discriminator_width=0.05)
for decoder, targets in (
    (fj.GANDecoder(**small, feature_weight=0.0, random_state=0), images),
    (fj.RidgeDecoder(), images),
    (fj.MultiScaleDecoder(n_inner=2), images[:, :6, :6]),
):
    found = decoder.fit(X, targets).predict(X)
    assert found.dtype == np.float32 and found.shape == targets.shape and np.isfinite(found).all()
    scores = fj.metrics.score(targets, found, perceptual=isinstance(decoder, fj.RidgeDecoder))
    assert np.isfinite(list(scores.values())).all() and "pixel_correlation" in scores
W = np.zeros((12, 2))
W[2, 0], W[5, 1] = 3, -2
print(np.allclose(fj.linear.omp(X, X @ W, n_nonzero=1).coef, W, atol=1e-3))
"""


def python(code: str, *arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
    """Runs a program with these environment variables; None takes one away."""
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        **variables,
    }
    kept = {name: value for name, value in environment.items() if value is not None}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, env=kept, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False
    )


def test_estimators_train_in_float64_mode() -> None:
    """People who fit ridge models set JAX_ENABLE_X64; the networks train in config.dtype still."""
    done = python(ESTIMATORS, JAX_ENABLE_X64="1")
    assert done.stdout.strip() == "True", done.stderr[-2000:]


@pytest.fixture
def compilation_cache() -> Iterator[None]:
    """JAX as it is where nobody named a folder for compiled programs."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: jax.config.values[name] for name in names}
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


def test_compiled_programs_are_kept_in_the_cache_unless_jax_has_a_folder(
    compilation_cache: None, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path / "first"))
    compiled_programs.keep()
    assert jax.config.values["jax_compilation_cache_dir"] == str(tmp_path / "first" / "xla")
    assert (tmp_path / "first" / "xla").is_dir()
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path / "second"))
    compiled_programs.keep()
    assert jax.config.values["jax_compilation_cache_dir"] == str(tmp_path / "first" / "xla")


def test_decoders_and_priors_that_are_used_without_a_run_have_their_programs_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    kept: list[str] = []
    monkeypatch.setattr(compiled_programs, "keep", lambda: kept.append("kept"))
    options, workdir = training.Options(n_steps=1), tmp_path / "prior"
    request = prior_training.Request("no", options, ("none.zip",), (), "CC0-1.0", workdir)
    for begin in (lambda: load_decoder(tmp_path / "none"), lambda: prior_training.train(request)):
        with pytest.raises(InputError):
            begin()
    assert kept == ["kept", "kept"]


@pytest.mark.parametrize("cache", ["/proc/none/cache", "{file}", "{file}/cache", "~nobody-here/x"])
def test_a_cache_that_cannot_be_had_is_done_without(
    cache: str,
    compilation_cache: None,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FMRI_JAX_CACHE", cache.format(file=tmp_path / "file"))
    compiled_programs.keep()
    assert jax.config.values["jax_compilation_cache_dir"] is None
    weights.save("any", {"a": np.ones(2, np.float32)}, "here")
    assert weights.load("any") is None and weights.describe("any") is None
    experiment = experiment_config.read(
        experiment_config.default_config("local_decoders", "virtual_subject").to_dict()
    )
    made = []
    monkeypatch.setattr(data, "load", lambda name, **options: made.append(name))
    recording_identity.load(experiment)
    assert made == ["virtual_subject"]


def test_a_platform_that_is_not_there_ends_with_a_message() -> None:
    code = (
        "from fmri_jax.errors import InputError\n"
        "from fmri_jax.training.mesh import make_mesh\n"
        "try: make_mesh()\n"
        "except InputError as error: print('rejected:', error)\n"
    )
    done = python(code, JAX_PLATFORMS="quantum")
    assert done.stdout.startswith("rejected: JAX finds no device ("), done.stderr
    assert "unset JAX_PLATFORMS (quantum)" in done.stdout and done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("~/cache", "{home}/cache"),
        ("~", "{home}"),
        ("$SCRATCH/cache", "/scratch/me/cache"),
        ("${SCRATCH}/cache", "/scratch/me/cache"),
        ("$SCRATCH", "/scratch/me"),
        ("~/${LAB}/$SCRATCH_2", "{home}/kl/s2"),
        ("/data/cache", "/data/cache"),
        ("relative/cache", "relative/cache"),
        ("/data/~/x", "/data/~/x"),
        ("", "{home}/.cache/fmri_jax"),
    ],
)
def test_home_and_variables_are_replaced_in_the_cache_folder(
    given: str, right: str, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in (("SCRATCH", "/scratch/me"), ("LAB", "kl"), ("SCRATCH_2", "s2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FMRI_JAX_CACHE", given)
    assert files.cache_folder() == pathlib.Path(right.format(home=tmp_path))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("$NOT_SET_HERE/cache", "variable NOT_SET_HERE is not set: .* Set FMRI_JAX_CACHE to a fol"),
        ("${NOT_SET_HERE}", "variable NOT_SET_HERE is not set"),
        ("~nobody-of-this-name/x", "home folder of nobody-of-this-name, which is unknown"),
    ],
)
def test_a_cache_folder_that_cannot_be_meant_is_rejected(
    given: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FMRI_JAX_CACHE", given)
    with pytest.raises(InputError, match=message):
        files.cache_folder()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a name")
def test_a_user_without_a_name_and_a_home_is_asked_for_a_cache() -> None:
    code = (
        "import os\n"
        "from fmri_jax.errors import InputError\n"
        "from fmri_jax.files import cache_folder\n"
        "os.setuid(54321)\n"
        "try: print(cache_folder())\n"
        "except InputError as error: print('rejected:', error)\n"
    )
    done = python(code, HOME=None, FMRI_JAX_CACHE=None)
    assert done.stdout.startswith("rejected: The cache folder cannot be found"), done.stderr


def test_home_is_replaced_in_every_path_that_a_person_gives(
    make_recording: Callable[..., Recording],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LAB", str(tmp_path / "lab"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab").mkdir()
    npz.save_npz(make_recording(), "~/mine.npz")
    assert data.load("~/mine.npz").fingerprint() == make_recording().fingerprint()
    Image.new("RGB", (4, 4)).save(tmp_path / "lab" / "a.png")
    assert images.list_images("$LAB") == images.list_images("~/lab") == ["a.png"]
    (tmp_path / "mine.py").touch()
    assert experiment_files.find("~/mine.py:tiny") == tmp_path / "mine.py"

    def compare(path: str) -> object:
        return report.compare({"a": path}, "~/out")

    for missing in ("~/none", "${LAB}/none"):
        for read in (report.write, load_decoder, compare):
            with pytest.raises(InputError, match=re.escape(str(tmp_path))):
                read(missing)
    assert not (tmp_path / "~").exists() and not (tmp_path / "$LAB").exists()
