"""Files of strangers are read in a child: what ends it becomes a message, and nothing else."""

import contextlib
import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fmri_jax import apart, apart_memory, apart_process, data
from fmri_jax.errors import InputError

HERE = "tests.test_apart"


def found():
    shared = apart_memory.empty((70, 2**18, 3), np.float32)[:2, :3]  # 220 MB, were it not sparse
    shared[...] = np.arange(18).reshape(2, 3, 3)
    apart_memory.empty((5,), int)[:] = 7  # part of no answer
    own = apart_memory.empty((3, 2), np.int16)
    own[...] = [[1, 2], [3, 4], [5, 6]]
    blocks = apart_memory.empty((5,), np.uint8)
    apart_memory.put(b"ab", blocks, 0)
    apart_memory.put(b"cde", blocks, 2)
    with pytest.raises(ValueError, match="6 bytes are more than 5"):
        apart_memory.put(b"fg", blocks, 4)
    return {
        "blocks": blocks,
        **{"a": np.arange(6.0).reshape(2, 3), "b": [np.array(["x", "yz"]), 3, None], "c": "d"},
        **{"shared": shared, "own": own, "turned": own.T, "column": own[:, 1]},
        **{"moved": np.moveaxis(shared, 0, 1), "none": np.empty((0, 3)), "one": np.array(5.0)},
    }


def ends(how):
    apart_memory.note("a.mat" if how else "")
    if how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "memory":
        np.ones(10**9)
    if how == "wrapped":
        try:
            np.ones(10**12)
        except MemoryError:
            raise InputError("it is corrupt") from None
    if how == "error":
        raise InputError("a message of its own")
    while how == "never":
        sum(range(1000))
    raise RuntimeError("of a library\nwith two lines and \x1b[31m colours")


def place():
    return [os.getppid(), os.getcwd(), os.environ.get("FMRI_JAX_TEST"), sys.path[-1]]


def imports(name="scipy.io", after=0.0):
    time.sleep(after)
    known = name in sys.modules
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
    return known


def ends_for_libraries():
    [finder] = [each for each in sys.meta_path if type(each).__module__ == "fmri_jax.apart_child"]
    finder._tried.clear()
    finder.find_spec(f"scipy.none_of_{os.getpid()}", None)


def leaves_a_fork():
    if os.fork() == 0:
        time.sleep(20)
        os._exit(0)
    return "ended"


def waits(path):
    with open(path, "w") as stream:
        stream.write(f"{os.getppid()} {os.getpid()}")
    while True:
        time.sleep(0.01)


def gone(process):
    """Whether a process ends, zombies not counted, within ten seconds."""
    for _ in range(1000):
        try:
            with open(f"/proc/{process}/stat") as stream:
                if stream.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def reading_apart(monkeypatch):
    monkeypatch.setenv("FMRI_JAX_READ_APART", "1")


def test_what_a_child_returns_comes_back(reading_apart):
    answer = apart.call(f"{HERE}:found", "a file", 0)
    for name, expected in found().items():
        if isinstance(expected, np.ndarray):
            np.testing.assert_array_equal(answer[name], expected, strict=True)
    assert answer["b"][0].tolist() == ["x", "yz"] and answer["b"][1:] == [3, None]
    answer["a"][0, 0] = 7  # it is the caller's own
    assert answer["c"] == "d"


@pytest.mark.parametrize(
    "how, message",
    [
        ("crash", "a.mat cannot be read: its library ended with Segmentation fault"),
        ("memory", "a.mat takes more than 1.0 GiB of memory to read: .*FMRI_JAX_READER_MEMORY"),
        ("wrapped", "a.mat takes more than 1.0 GiB of memory to read: .*FMRI_JAX_READER_MEMORY"),
        ("never", "a.mat was not read within 1 s of the processor's time"),
        ("error", "^a message of its own$"),
        ("", r"a.mat cannot be read \(RuntimeError: of a library with two lines and .x1b.31m"),
    ],
)
def test_whatever_ends_the_child_is_one_message(reading_apart, monkeypatch, how, message):
    monkeypatch.setenv("FMRI_JAX_READER_MEMORY", "1")
    monkeypatch.setenv("FMRI_JAX_READER_SECONDS", "1")
    with pytest.raises(InputError, match=message) as raised:
        apart.call(f"{HERE}:ends", "a folder" if how else "a.mat", 0, how=how)
    assert str(raised.value).isprintable()


def test_a_recording_is_the_same_read_apart(reading_apart, make_recording, tmp_path, monkeypatch):
    from fmri_jax.data.readers import npz

    path = tmp_path / "mine.npz"
    npz.save_npz(make_recording(captions=(("one", "two"), *((),) * 5)), path)
    begun = time.perf_counter()
    there = data.load(str(path))
    print(f"{time.perf_counter() - begun:.2f} s")
    monkeypatch.setenv("FMRI_JAX_READ_APART", "0")
    here = data.load(str(path))
    assert there.fingerprint() == here.fingerprint() and there.captions == here.captions
    assert there.doubts == here.doubts and there.rois.keys() == here.rois.keys()


def test_limits_that_are_no_numbers_are_rejected(monkeypatch):
    monkeypatch.setenv("FMRI_JAX_READER_MEMORY", "much")
    with pytest.raises(InputError, match="FMRI_JAX_READER_MEMORY is 'much': expected a number"):
        apart.limits(0)


def test_inspect_and_responses_alone_are_read_apart_too(reading_apart, tmp_path, monkeypatch):
    from fmri_jax.data.inspect.summary import inspect
    from fmri_jax.pipeline import new_responses

    called = []
    call = apart.call
    monkeypatch.setattr(apart, "call", lambda *a, **more: called.append(a[0]) or call(*a, **more))
    path = tmp_path / "imagery.npz"
    fmri = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.savez(path, fmri=fmri, names=np.array(["a", "b"]), large=np.zeros(9))
    assert dict(inspect(str(path)).holds)["fmri"] == "2 x 3 float32"
    found = new_responses.read(str(path))
    assert found.names == ("a", "b") and np.array_equal(found.recording.fmri, fmri)
    assert [name.rpartition(":")[2] for name in called] == ["contents", "fields_of", "arrays_of"]


@pytest.fixture
def new_process(reading_apart):
    apart_process._end()
    yield
    apart_process._end()


def where():
    return apart.call(f"{HERE}:place", "a file", 0)


def test_one_process_is_kept_for_all_calls(new_process, monkeypatch, tmp_path):
    with ThreadPoolExecutor(1) as thread:  # it outlives the thread that started it
        kept = thread.submit(where).result()[0]
    monkeypatch.setenv("FMRI_JAX_TEST", "later")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "first"))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "last")])
    assert where() == [kept, str(tmp_path), "later", str(tmp_path / "last")]
    with pytest.raises(InputError, match="Segmentation fault"):
        apart.call(f"{HERE}:ends", "a file", 0, how="crash")
    assert where()[0] == kept
    with ThreadPoolExecutor(4) as threads:
        assert {each.result()[0] for each in [threads.submit(where) for _ in range(8)]} == {kept}


def test_what_a_child_imports_is_there_for_the_next(new_process):
    call = f"{HERE}:imports"
    assert apart.call(call, "a file", 0, after=0.6) is False  # too late to begin again
    assert [apart.call(call, "a file", 0) for _ in range(2)] == [True, True]
    kept = where()[0]
    assert apart.call(call, "a file", 0, name="scipy.of_no_such_name") is False
    assert apart.call(call, "a file", 0, name="colorsys") is False  # imported where it is needed
    assert apart.call(call, "a file", 0, name="colorsys") is False
    with pytest.raises(InputError, match="exit code 3"):
        apart.call(f"{HERE}:ends_for_libraries", "a file", 0)
    assert where()[0] == kept


def test_what_hdf5_is_told_counts_from_the_next_call(new_process, monkeypatch):
    kept = where()[0]
    monkeypatch.setenv("HDF5_USE_FILE_LOCKING", "FALSE")
    assert where()[0] != kept


def test_a_process_that_was_killed_is_started_again(new_process):
    kept = where()[0]
    os.kill(kept, signal.SIGKILL)
    assert gone(kept) and where()[0] != kept


def test_a_fork_of_this_process_has_a_process_of_its_own(new_process):
    kept = where()[0]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, str(where()[0]).encode())
            apart_process._end()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(read, 20)) != kept and where()[0] == kept


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_what_ends_this_process_ends_what_it_started(tmp_path, sent):
    path = tmp_path / "processes"
    call = (  # shells let what they start in the background ignore Ctrl-C
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"from fmri_jax import apart; apart.call('{HERE}:waits', 'a file', 0, path='{path}')"
    )
    environment = os.environ | {"FMRI_JAX_READ_APART": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", call], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (path.exists() and " " in path.read_text()):
            time.sleep(0.01)
        process.send_signal(sent)
        said = process.communicate(timeout=60)[1]
        assert ("KeyboardInterrupt" in said) == (sent == signal.SIGINT)
    assert process.returncode == -sent
    assert all(gone(int(each)) for each in path.read_text().split())


def test_a_closed_standard_error_changes_nothing():
    call = f"from fmri_jax import apart; print(apart.call('{HERE}:place', 'a file', 0)[1])"
    environment = os.environ | {"FMRI_JAX_READ_APART": "1"}
    closed = [
        sys.executable,
        "-c",
        "import os, sys; os.close(2); os.execv(sys.argv[1], sys.argv[1:])",
    ]
    command = [*closed, sys.executable, "-c", f"{call}; {call}"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert done.stdout.splitlines() == [os.getcwd()] * 2


def test_a_default_timeout_of_sockets_is_not_that_of_a_reading(new_process):
    socket.setdefaulttimeout(0.01)
    try:
        assert where()[0] == where()[0]
    finally:
        socket.setdefaulttimeout(None)


def test_what_a_child_has_started_keeps_nobody_waiting(new_process):
    assert apart.call(f"{HERE}:leaves_a_fork", "a file", 0) == "ended"


def test_a_process_that_cannot_be_started_is_one_message(new_process, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    apart_process.prepare()
    with pytest.raises(InputError, match="expected room for two more processes"):
        where()
