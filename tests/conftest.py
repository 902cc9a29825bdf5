"""Fixtures that every room's tests share."""

import atexit
import functools
import gc
import importlib.metadata
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

# Workers share the cores: threads of BLAS and OpenMP would wait for each other, and wait busily.
# Must precede `import numpy`.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Tracing makes millions of small objects, nearly all of which go with their last reference; each
# search for the few cycles among them goes through all that JAX and PyTorch have imported.
gc.set_threshold(50_000, 10, 10)

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from tests.blank_figures import BLANK, print_png  # noqa: E402
from tests.file_server import file_server  # noqa: E402
from tests.peers import peer  # noqa: E402

__all__ = ["file_server"]  # a fixture for every test

if TYPE_CHECKING:
    from fmri_jax.data.recording import Recording

# Several CPU devices in one process, so that sharding is tested; and programs that run for
# milliseconds are not optimised for seconds. Must precede `import jax`.
FLAGS = "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"
if importlib.metadata.version("jaxlib").startswith("0.10."):  # XLA ends at a flag it does not know
    # Its older code generator compiles a step of the GAN in 1.7 s instead of 6.6 s; and the parts
    # into which a program is split for several threads have overheads of their own.
    FLAGS += " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
os.environ.setdefault("XLA_FLAGS", FLAGS)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Files are read in the process of the tests, but for those of tests/test_apart.py.
os.environ.setdefault("FMRI_JAX_READ_APART", "0")


def share_compiled_programs() -> None:
    """What one test compiles is read by others, in all workers and in processes that tests start.

    From here on the environment names the folder, so that only the first process makes one.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="fmri_jax_tests_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


share_compiled_programs()

MOST_MAPS = 45_000


def pytest_collection_finish() -> None:
    """What was imported stays: it need not be searched for what could be freed."""
    gc.freeze()


@pytest.fixture(scope="session")
def recordings() -> pathlib.Path:
    """The folder of real recordings; where it is absent the test skips, except in CI."""
    folder = os.environ.get("FMRI_JAX_DATA", "")
    if folder and pathlib.Path(folder).is_dir():
        return pathlib.Path(folder)
    message = "needs the real recordings: set FMRI_JAX_DATA to the folder that holds them"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium (`tests.browser`)."""
    from tests.browser import start

    yield from start()


@pytest.fixture(scope="module", autouse=True)
def forget_programs():
    """Unloads compiled programs after a file of tests, where a process holds very many.

    Each maps some pages of memory of its own, of which Linux allows a process 65,530: beyond that
    loading one more crashes.
    """
    yield
    maps = pathlib.Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MOST_MAPS:
        import jax

        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="module", autouse=True)
def figures_not_drawn(request):
    """Figures are built, but their PNGs are blank, except in modules marked `draws`.

    The figures of one page take seconds to lay out and draw, and few tests are about pixels.
    """
    whole = {"docs", "examples"} & set(request.node.path.parts)  # what a reader gets to see
    if whole or request.node.get_closest_marker("draws"):
        yield
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FigureCanvasAgg, "print_png", print_png)
        if {"commands", "methods", "pipeline"} & set(request.node.path.parts):  # of many runs
            from fmri_jax.report import page

            patch.setattr(page, "draw", once_for_runs_alike(page.draw))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk():
    """No power is cut while tests run (tests/test_digests.py has the order of the calls)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fmri_jax.files.os.fsync", lambda descriptor: None)
        yield


def once_for_runs_alike(draw: Callable[..., Any]) -> Callable[..., Any]:
    """`report.rendering.draw`, but the charts of runs that differ in numbers alone are built once.

    Alike are runs with the same metrics, baselines, sets, folds, and images of the same shape; the
    description that is read aloud names the curves. Building takes a third of a small run's time.
    """
    built: dict[Any, Any] = {}

    @functools.wraps(draw)
    def drawn(
        path: pathlib.Path, alt: str, chart: functools.partial, mark: str, words: Any = None
    ) -> Any:
        run, scores = chart.args[0], chart.args[0].scores
        key = (
            *(chart.func, alt, mark, words is None, tuple(scores.metrics), tuple(scores.baselines)),
            *(tuple(scores.chance), tuple(run.seen_sets), tuple(run.fold_names), run.targets.shape),
        )
        if key in built:
            path.write_bytes(BLANK)
        else:
            built[key] = draw(path, alt, chart, mark, words)
        return built[key]

    return drawn


@pytest.fixture
def make_recording() -> Callable[..., "Recording"]:
    """Builds 6 stimuli x 4 repeats over 4 runs, 10 voxels; fields can be replaced."""

    def make(**fields: Any) -> "Recording":
        from fmri_jax.data.recording import Recording

        rng = np.random.default_rng(0)
        stimulus = np.tile(np.arange(6, dtype=np.int32), 4)
        left = np.arange(10) < 5
        defaults = {
            "fmri": (3 + rng.normal(size=(24, 10))).astype(np.float32),
            "stimulus": stimulus,
            "images": rng.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8),
            "run": np.repeat(np.arange(4, dtype=np.int32), 6),
            "rois": {"V1": left, "V2": ~left, "V1v": np.arange(10) < 2},
            "stimulus_names": tuple("abcdef"),
            "split": np.where(stimulus < 4, "train", "test"),
        }
        return Recording(**(defaults | fields))

    return make


@pytest.fixture(scope="session")
def torchvision_models():
    """torchvision's networks.

    PyPI's torchvision is compiled for CUDA. Beside a PyTorch for CPU its compiled operators cannot
    be loaded, and then it cannot be imported either, because it asks for two of them by name. They
    select boxes in object detection, and no network here has any.
    """
    torch = peer("torch")

    try:
        import torchvision.models
    except RuntimeError:
        operators = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float threshold) -> Tensor")
        import torchvision.models
    return torchvision.models


@pytest.fixture(scope="session")
def diffusers(torchvision_models):
    """The package of diffusion models, which imports torchvision."""
    return peer("diffusers")
