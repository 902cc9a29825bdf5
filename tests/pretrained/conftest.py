import pytest


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A cache folder of the test's own, empty."""
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"
