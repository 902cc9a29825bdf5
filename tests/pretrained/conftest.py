import pytest


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A cache folder of the test's own, empty."""
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


@pytest.fixture(scope="session")
def torchvision_models():
    """torchvision's networks.

    PyPI's torchvision is compiled for CUDA. Beside a PyTorch for CPU its compiled operators cannot
    be loaded, and then it cannot be imported either, because it asks for two of them by name. They
    select boxes in object detection, and no network here has any.
    """
    import torch

    try:
        import torchvision.models
    except RuntimeError:
        operators = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float threshold) -> Tensor")
        import torchvision.models
    return torchvision.models
