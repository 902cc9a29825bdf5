"""Two processes with two devices each compute what one computes; without one the other ends."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from fmri_jax.data.preparation.folds import folds
from fmri_jax.methods import RunContext, feature_decoding
from fmri_jax.methods.feature_decoding import own_voxels
from fmri_jax.pipeline import experiment_config, recording_identity
from fmri_jax.training.mesh import make_mesh
from tests.launching import ROOT
from tests.pipeline.one_of_two import config_of, trained, trained_prior
from tests.pipeline.small_recording import write_recording

FLAGS = os.environ.get("XLA_FLAGS", "").replace("device_count=4", "device_count=2")


FIRST_PORT = 61440  # of those that JAX chooses by the number of a SLURM job


def free_port() -> int:
    """A port that a SLURM job might have, which nobody uses."""
    for port in np.random.default_rng(os.getpid()).permutation(4096) + FIRST_PORT:
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", int(port)))
            return int(port)
    raise AssertionError("all ports are in use")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The folder that both leave, what the first printed, its code, and seconds after the loss."""
    folder = tmp_path_factory.mktemp("pair")
    write_recording(folder / "recording.npz")
    port = free_port()
    slurm = {"JOB_ID": str(port - FIRST_PORT), "STEP_NODELIST": "127.0.0.1", "NTASKS": "2"}
    slurm |= {"PROCID": "1", "LOCALID": "1"}
    environment = {**os.environ, "XLA_FLAGS": FLAGS}
    first, second = (
        subprocess.Popen(
            [sys.executable, "-m", "tests.pipeline.one_of_two", str(folder), *given],
            cwd=ROOT, env=environment | variables,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for given, variables in (
            ([str(port)], {}),
            ([], {f"SLURM_{name}": value for name, value in slurm.items()}),
        )
    )  # fmt: skip
    printed = second.communicate(timeout=400)[0]
    assert second.returncode == -9, printed
    lost = time.monotonic()
    printed = first.communicate(timeout=60)[0]
    return folder, printed, first.returncode, time.monotonic() - lost


@pytest.fixture(scope="module")
def alone(pair, tmp_path_factory):
    """The generator that one process with one device trains."""
    return trained(
        config_of("gan", pair[0] / "recording.npz"), tmp_path_factory.mktemp("one"), make_mesh(1)
    )


def equal(found, expected):
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, atol=2e-5, err_msg=name)


def test_two_processes_train_what_one_trains(pair, alone, tmp_path):
    found = dict(np.load(pair[0] / "generator.npz"))
    prior = found.pop("prior")
    equal(found, alone)
    lines = (pair[0] / "gan/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]

    expected = trained_prior(tmp_path, make_mesh(1))
    np.testing.assert_allclose(prior, expected, atol=1e-6)


def test_the_loss_of_a_process_ends_the_others_with_one_message(pair):
    folder, printed, code, seconds = pair
    said = [line for line in printed.splitlines() if "[Gloo]" not in line and "W1" not in line]
    assert code == 1 and seconds < 30
    assert [line for line in printed.splitlines() if line.startswith("fmri_jax:")] == [said[-1]]
    assert "process 1 of this run has ended" in said[-1] and "Traceback" not in printed


def test_fewer_devices_resume_what_more_began(pair, alone):
    folder = pair[0] / "killed"
    assert {path.name for path in folder.glob("checkpoints/*/[0-9]*")} == {"2"}
    equal(trained(config_of("gan", pair[0] / "recording.npz"), folder, make_mesh(1)), alone)
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]


def test_layers_are_divided_among_processes(pair, tmp_path, monkeypatch):
    config = config_of("feature_decoding", pair[0] / "recording.npz")
    options = experiment_config.read(config)
    fold = next(folds(recording_identity.load(options), options.preparation))

    def decoded(folder):
        context = RunContext(folder, fold.name, jax.random.key(0), make_mesh(1), progress=False)
        fitted = feature_decoding.build(options.method_config).fit(fold.train, context)
        return np.asarray(fitted.own["relu1"].predict(fold.train.fmri))

    expected = decoded(tmp_path)
    assert len(list((pair[0] / "layers/features").iterdir())) == 2
    monkeypatch.setattr(own_voxels.ridges, "fit", lambda *given: pytest.fail("not kept"))
    np.testing.assert_allclose(decoded(pair[0] / "layers"), expected, atol=1e-5)
