import numpy as np
import pytest

from fmri_jax.linear import target_batches
from tests.linear.peers import problem


@pytest.fixture(scope="session")
def random_problem():
    return problem()


@pytest.fixture
def as_accelerators(monkeypatch):
    """Devices of this CPU split LAPACK's solves, which are small enough here to be no batch."""
    monkeypatch.setattr(target_batches, "_of_cpu", lambda mesh: False)


@pytest.fixture(scope="session")
def miyawaki(recordings):
    """Real V1 responses to geometric figures, and the 361 multi-scale elements as targets."""
    path = recordings / "miyawaki2008_s1_v1_figures.npz"
    if not path.is_file():
        pytest.skip(f"needs the real recording {path.name} in FMRI_JAX_DATA")
    with np.load(path, allow_pickle=False) as file:
        fmri, stimulus, images = file["fmri"], file["stimulus"], file["images"][..., 0]
    images = (images / images.max())[stimulus]
    scales = []
    for height, width in [(1, 1), (1, 2), (2, 1), (2, 2)]:
        patches = np.lib.stride_tricks.sliding_window_view(images, (height, width), axis=(1, 2))
        scales.append(patches.mean((-2, -1)).reshape(len(images), -1))
    return fmri, np.concatenate(scales, axis=1).astype(np.float32)
