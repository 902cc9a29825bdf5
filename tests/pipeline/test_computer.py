"""Equal cores give equal bits; another number of them rounds otherwise, and a run says so."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from fmri_jax.pipeline import computer
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.json_files import read_sealed, write_sealed
from fmri_jax.pipeline.run import run
from tests.pipeline.small_recording import write_recording

FIT = """
import os, sys
if sys.argv[1] == "one":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np
from fmri_jax.linear import ridge
from fmri_jax.pipeline.computer import describe
rng = np.random.default_rng(0)
X, Y = (rng.normal(size=(200, n)).astype(np.float32) for n in (800, 100))
sys.stdout.buffer.write(np.asarray(ridge(X, Y, 10.0).coef, np.float32).tobytes())
assert describe()["cores"] == (1 if sys.argv[1] == "one" else len(os.sched_getaffinity(0)))
"""


def fitted(cores: str) -> np.ndarray:
    """A ridge that a new process fits, with as many threads as it may have."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # which the tests themselves limit
    environment = {name: value for name, value in os.environ.items() if name not in threads}
    command = [sys.executable, "-c", FIT, cores]
    return np.frombuffer(subprocess.check_output(command, env=environment, timeout=60), np.float32)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="of Linux")
def test_equal_cores_give_equal_bits_and_others_round_otherwise():
    first, again, one = fitted("all"), fitted("all"), fitted("one")
    assert first.size == 800 * 100 and np.array_equal(first, again)
    np.testing.assert_allclose(one, first, rtol=0, atol=1e-5 * np.abs(first).max())


def test_only_what_rounds_is_told():
    now = {"devices": {"cpu": 4}, "cores": 2, "processes": 1}
    assert computer.changed(now, now) == "" and computer.changed(None, now) == ""
    told = computer.changed({**now, "cores": 1}, now)
    assert "begun on 4 x cpu (1 core, 1 process) and resumes on 4 x cpu (2 cores" in told
    gpu = {"devices": {"NVIDIA H200": 8}, "cores": 16, "processes": 8}
    assert computer.changed({**gpu, "cores": 32}, gpu) == ""
    assert "8 processes) and resumes on" in computer.changed(gpu, {**gpu, "processes": 4})


def test_a_run_that_resumes_on_other_cores_says_so(tmp_path, caplog):
    write_recording(tmp_path / "recording.npz")
    config = default_config("ridge", "file").to_dict()
    config["data"]["path"] = str(tmp_path / "recording.npz")
    config["preparation"] |= {"split": "stimulus", "n_folds": 2}
    config["evaluation"] |= {"n_bootstrap": 0, "perceptual": False}
    run(config, tmp_path / "run", progress=False)
    found = read_sealed(tmp_path / "run/run.json")
    assert found["computer"] == json.loads(json.dumps(computer.describe()))
    for name in ("report.html", "scores.json", "folds/001.npz", "SHA256SUMS"):
        (tmp_path / "run" / name).unlink()
    found["computer"]["cores"] += 1
    write_sealed(tmp_path / "run/run.json", found)
    caplog.clear()
    run(config, tmp_path / "run", progress=False)
    assert f"({found['computer']['cores']} cores, 1 process) and resumes on" in caplog.text
