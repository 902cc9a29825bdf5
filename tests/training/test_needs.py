"""What a fit takes is said once, and rejected with both numbers where it is more than there is."""

import dataclasses
import pathlib

import jax
import numpy as np
import pytest

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.errors import InputError
from fmri_jax.methods import RunContext
from fmri_jax.methods.feature_decoding.config import Config
from fmri_jax.methods.feature_decoding.method import needs_of
from fmri_jax.training import needs
from fmri_jax.training.mesh import make_mesh
from fmri_jax.training.needs import Needs

GIB = 2**30


@pytest.fixture
def context(tmp_path):
    return RunContext(tmp_path / "run", "all", jax.random.key(0), make_mesh(1), progress=True)


def test_free_memory_is_what_the_system_says():
    lines = (line.split() for line in pathlib.Path("/proc/meminfo").read_text().splitlines())
    known = {name: int(value) * 1024 for name, value, *_ in lines}
    expected = known["MemAvailable:"] + known["SwapFree:"]
    assert 0 < needs.free_memory() < expected + GIB  # others may have freed some since


def test_what_fits_is_said_once(context, capsys):
    needs.say.cache_clear()
    for _ in range(3):
        needs.check(Needs(host=2**20, disk=2**29), context, "a fit")
    (line,) = capsys.readouterr().err.splitlines()
    assert "a fit takes at least 1 MiB of memory, 512 MiB of room" in line
    quiet = dataclasses.replace(context, progress=False)
    needs.check(Needs(host=2**22), quiet, "a fit")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (Needs(host=2**52, cure="use less"), "memory, and"),
        (Needs(device=2**52, cure="use less"), "memory, and"),  # on CPU
        (Needs(disk=2**60, cure="use less"), "room for files in"),
    ],
)
def test_what_does_not_fit_is_rejected_with_the_option_to_change(context, given, place):
    with pytest.raises(
        InputError, match=rf"a fit takes at least [\d,]+\.0 GiB of {place}.*or use le"
    ):
        needs.check(given, context, "a fit")


def test_a_container_has_less_than_its_host(tmp_path, monkeypatch):
    for name, content in (("memory.max", GIB), ("memory.current", GIB // 2)):
        (tmp_path / name).write_text(f"{content}\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 100\n")
    monkeypatch.setattr(needs, "_GROUP", tmp_path)
    assert needs.free_memory() == GIB // 2 + 100
    (tmp_path / "memory.max").write_text("max\n")
    assert needs.free_memory() > GIB // 2 + 100


def test_layers_with_voxels_of_their_own_count_as_their_files_do():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 4, 4, 3), np.uint8)
    shown = np.arange(8, dtype=np.int32)
    trials = Trials(np.zeros((8, 900), np.float32), shown, images, shown, tuple("abcdefgh"))
    config = Config(layers=("relu1",), n_voxels=500, pixel_weight=0.0, dispersion="spatial")
    small, large = 1000, 2**20
    needed = [needs_of(config, {"relu1": (n,)}, trials) for n in (small, large)]
    # 500 indices of 2 bytes and coefficients of 4 per unit, and the intercept.
    assert needed[0].disk == 0 and needed[1].disk == large * (500 * 6 + 4)
    assert needed[0].host - 4 * 8 * small == 8 * 900**2 + small * 3004
    assert needed[1].device == 4 * 8 * large
