"""The command line answers before anything heavy is imported."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from fmri_jax import stopping
from fmri_jax.commands import signals
from fmri_jax.pipeline import executors, workers
from fmri_jax.pipeline.run import run
from tests.launching import launch

HEAVY = ("jax", "flax", "optax", "orbax", "grain", "matplotlib", "tensorflow_datasets", "torch")


def test_help_needs_no_heavy_import():
    code = "import sys, launch; print([name for name in sys.argv[1:] if name in sys.modules])"
    command = [sys.executable, "-c", code, *HEAVY]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "[]"


WHERE = """
import sys
import jax
import fmri_jax.pipeline.run
from fmri_jax.commands.run import main_of_launcher
def run(*arguments, **more):
    slow = {"scipy.stats", "sklearn", "matplotlib", "orbax", "torch"}  # imported once needed
    return [jax.config.values["jax_cpu_enable_async_dispatch"], *slow & set(sys.modules)]
fmri_jax.pipeline.run.run = run
main_of_launcher(["--config=experiments/gan_vc.py:tiny"])
"""


def test_the_launcher_runs_programs_in_its_own_thread():
    command = [sys.executable, "-c", WHERE]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "[False]"


def test_other_processes_of_a_sweep_do_so_too(monkeypatch):
    done = []
    monkeypatch.setattr(workers, "run_in_caller", lambda: done.append("setting"))
    monkeypatch.setattr(executors, "run_task", lambda task: done.append(task) or "")
    assert executors._in_new_process("task") == ""
    assert done == ["setting", "task"]


@pytest.mark.parametrize("flag", ["--jobs=4", "--slurm=timeout_min=5"])
def test_flags_of_a_sweep_are_rejected_for_a_run_without_parts(tmp_path, flag, monkeypatch):
    monkeypatch.setattr(sys.modules[run.__module__], "run", print)
    done = launch("--config=experiments/gan_vc.py:tiny", f"--workdir={tmp_path / 'run'}", flag)
    assert (done.returncode, done.stdout) == (2, "")
    (said,) = done.stderr.splitlines()
    assert f"fmri_jax: {flag} was given, but this is a single run whose fit has no parts" in said
    assert not (tmp_path / "run").exists()


# A background process may ignore Ctrl-C, and hands that on.
AS_A_COMMAND = """
import os, runpy, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
"""
AGAIN = "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
WHILE_MODULES_ARE_IMPORTED = """
class Finder:
    def find_spec(name, *rest):
        if name == "fmri_jax.pipeline.run":
            os.kill(os.getpid(), SIGNAL)
sys.meta_path.insert(0, Finder)
"""
WHERE_EXCEPTIONS_ARE_SWALLOWED = """
def run(*arguments, **more):
    try:
        os.kill(os.getpid(), SIGNAL)
    except BaseException:
        pass
    print("went on")
import fmri_jax.pipeline.run
fmri_jax.pipeline.run.run = run
"""
LAUNCH = """
sys.argv[:] = ["launch.py", "--config=experiments/gan_vc.py:tiny"]
runpy.run_path("launch.py", run_name="__main__")
"""
STOPPED = "fmri_jax: stopped; this resumes where it was: python launch.py {}\n"


@pytest.mark.parametrize(
    ("where", "number", "code"),
    [
        (WHILE_MODULES_ARE_IMPORTED, signal.SIGINT, 130),
        (WHERE_EXCEPTIONS_ARE_SWALLOWED, signal.SIGTERM, 143),
    ],
    ids=["SIGINT", "SIGTERM"],
)
def test_a_stopped_run_ends_with_one_line(where, number, code):
    program = AS_A_COMMAND + where.replace("SIGNAL", str(int(number))) + LAUNCH
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == STOPPED.format("--config=experiments/gan_vc.py:tiny")


def test_a_signal_while_steps_are_taken_lets_them_save_and_a_second_one_does_not(
    monkeypatch, capfd
):
    ended = []
    monkeypatch.setattr(stopping._Requests, "asked", False)
    monkeypatch.setattr(signals.os, "_exit", ended.append)
    with stopping.listening() as asked:
        signals._end("stopped", signal.SIGTERM, None)
        assert asked() and not ended
        assert signals.saved() == 143
        signals._end("stopped", signal.SIGTERM, None)
    assert ended == [143]
    first, second, third = capfd.readouterr().err.splitlines()
    assert "a checkpoint is saved after this step" in first
    assert second == third == "fmri_jax: stopped"


SWEEP = """
from experiments import gan_vc

def get_config(arg=""):
    config = gan_vc.get_config("tiny")
    config.sweep = {"variants": (("A", {}), ("B", {"method": {"n_steps": 5}}))}
    return config
"""


def test_ctrl_c_ends_the_processes_of_a_sweep_too(tmp_path):
    (tmp_path / "two.py").write_text(SWEEP)
    options = [f"--config={tmp_path / 'two.py'}", f"--workdir={tmp_path / 'w'}", "--jobs=2"]
    process = subprocess.Popen(
        [sys.executable, "-c", AS_A_COMMAND + AGAIN, "launch.py", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(pathlib.Path.cwd())},
    )
    while process.poll() is None and len(list(tmp_path.glob("w/*/*/config.json"))) < 2:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    said = process.communicate(timeout=60)  # ends only when no process holds the pipes
    assert process.returncode == 130
    assert [line.partition(":")[0] for line in said[0].splitlines()] == ["[1 of 2] A", "[2 of 2] B"]
    # What is foreseen of the experiment may have been said before.
    assert said[1].endswith(STOPPED.format(" ".join(options))) and "Traceback" not in said[1]


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ("pass", "experiment.py gives no config: let its get_config() return one"),
        ("config.n = 'six'; config.n += 1; return config", "TypeError: "),
    ],
)
def test_an_experiment_file_that_fails_is_reported_in_one_line(tmp_path, last, said):
    file = tmp_path / "experiment.py"
    file.write_text(
        "import ml_collections\n\n\ndef get_config():\n"
        f"    config = ml_collections.ConfigDict({{'n': 1}})\n    {last}\n"
    )
    command = [sys.executable, "launch.py", f"--config={file}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    (message,) = done.stderr.splitlines()
    assert said in message
