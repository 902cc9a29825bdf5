import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fmri_jax.data.recording import Recording
from fmri_jax.datasets import cache
from fmri_jax.errors import InputError

MakeSession = Callable[..., Recording]


def never() -> Recording:
    raise AssertionError("the recording was made again")


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


# A recording that every process makes alike.
LARGE = """
import sys
import numpy as np
from fmri_jax.datasets import cache as store
from fmri_jax.data.recording import Recording

def make():
    rng = np.random.default_rng(0)
    return Recording(
        fmri=rng.normal(size=(2000, 500)).astype(np.float32),
        stimulus=np.arange(2000, dtype=np.int32) % 50,
        images=rng.integers(0, 256, (50, 16, 16, 1), dtype=np.uint8),
        run=np.zeros(2000, np.int32),
        rois={},
        stimulus_names=tuple(map(str, range(50))),
        split=np.full(2000, "train"),
    )
"""


def test_read_back_is_equal(make_recording: MakeSession, tmp_path: Path) -> None:
    recording = make_recording(
        stimulus_names=("Größe", "b/2", "", "d e", "日本", "f"),
        simulated=True,
        description="Simulated für den Test.",
        captions=(("Größe", "b"), (), ("c",), (), (), ()),
    )
    folder = tmp_path / "Aufnahmen é"
    first = cache.prepare(lambda: recording, "small", folder, "k1")
    again = cache.prepare(never, "small", folder, "k1")
    assert first.fingerprint() == again.fingerprint() == recording.fingerprint()
    assert again.simulated and again.description == recording.description
    assert again.stimulus_names == recording.stimulus_names
    assert again.captions == recording.captions
    for name, mask in recording.rois.items():
        np.testing.assert_array_equal(again.rois[name], mask)
    assert sorted(p.name for p in folder.iterdir()) == ["small-k1"]


def test_another_key_is_another_recording(make_recording: MakeSession, tmp_path: Path) -> None:
    one, two = make_recording(), make_recording(simulated=True)
    cache.prepare(lambda: one, "small", tmp_path, "k1")
    made = cache.prepare(lambda: two, "small", tmp_path, "k2")
    assert made.fingerprint() == two.fingerprint() != one.fingerprint()
    assert cache.options_key(a=1, b="x") == cache.options_key(b="x", a=1)
    assert cache.options_key(a=1) != cache.options_key(a=2)


def test_tensorflow_is_never_imported(tmp_path: Path) -> None:
    code = (
        LARGE
        + """
store.prepare(make, "large", sys.argv[1], "k")
again = store.prepare(None, "large", sys.argv[1], "k")
print("tensorflow" in sys.modules, again.fingerprint() == make().fingerprint())
"""
    )
    done = run(code, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True"]


def test_importing_the_data_room_imports_nothing_heavy() -> None:
    done = run(
        """
        import sys
        import fmri_jax.data, fmri_jax.data.preparation, fmri_jax.datasets.cache
        heavy = {"jax", "tensorflow_datasets", "tensorflow", "grain", "h5py", "torch"}
        print(sorted(heavy & set(sys.modules)))
        """
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("part", ["stimuli", "trials"])
def test_a_killed_preparation_is_never_taken_for_complete(tmp_path: Path, part: str) -> None:
    # The process halts within one part, its first records written, and is killed there.
    code = (
        LARGE
        + """
import time
from fmri_jax.datasets import array_record as records
builder = {"stimuli": records.Stimuli, "trials": records.Trials}[sys.argv[2]]
whole = builder.records
def stall(self):
    for i, record in enumerate(whole(self)):
        if i == 20:
            print("in the middle", file=sys.stderr, flush=True)
            time.sleep(100)
        yield record
builder.records = stall
store.prepare(make, "large", sys.argv[1], "k")
"""
    )
    command = [sys.executable, "-c", code, str(tmp_path), part]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "in the middle" in line:
                break
        else:
            pytest.fail("the preparation ended early")
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / "large-k.partial").is_dir() and not (tmp_path / "large-k").exists()
    done = run(
        LARGE + 'print(store.prepare(make, "large", sys.argv[1], "k").fmri.shape)', str(tmp_path)
    )
    assert done.stdout.strip() == "(2000, 500)", done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["large-k"]


def test_a_second_process_waits_for_the_first(make_recording: MakeSession, tmp_path: Path) -> None:
    recording = make_recording()
    made = []

    def slow() -> Recording:
        made.append(threading.get_ident())
        time.sleep(0.3)
        return recording

    results: list[Recording] = []

    def prepare() -> None:
        results.append(cache.prepare(slow, "small", tmp_path, "k"))

    threads = [threading.Thread(target=prepare) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert {result.fingerprint() for result in results} == {recording.fingerprint()}


def test_a_factory_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def refuse() -> Recording:
        raise InputError("the archive is missing")

    with pytest.raises(InputError, match="the archive is missing"):
        cache.prepare(refuse, "small", tmp_path, "k")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_ends_with_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    # No file may grow beyond 1 MB: what the records of a full disk come to.
    code = (
        LARGE
        + """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, resource.RLIM_INFINITY))
try:
    store.prepare(make, "large", sys.argv[1], "k")
except store.InputError as error:
    print(error)
"""
    )
    done = run(code, str(tmp_path))
    assert "cannot be written" in done.stdout and "room for 4 MiB" in done.stdout, done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["trials*array_record*", "metadata.json", "SHA256SUMS"])
def test_a_damaged_recording_is_prepared_again(
    make_recording: MakeSession, tmp_path: Path, name: str
) -> None:
    """One changed letter of an ROI's mask would move a region by a voxel."""
    first = cache.prepare(make_recording, "small", tmp_path, "k")
    damaged = next((tmp_path / "small-k").rglob(name))
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    again = cache.prepare(make_recording, "small", tmp_path, "k")
    assert again.fingerprint() == first.fingerprint()
    assert cache.prepare(never, "small", tmp_path, "k").fingerprint() == first.fingerprint()


def test_damaged_records_of_an_earlier_version_are_prepared_again(
    make_recording: MakeSession, tmp_path: Path
) -> None:
    """They have no digests."""
    first = cache.prepare(make_recording, "small", tmp_path, "k")
    (tmp_path / "small-k" / "SHA256SUMS").unlink()
    assert cache.prepare(never, "small", tmp_path, "k").fingerprint() == first.fingerprint()
    (records,) = (tmp_path / "small-k").rglob("trials*array_record*")
    records.write_bytes(records.read_bytes()[:100])
    again = cache.prepare(make_recording, "small", tmp_path, "k")
    assert again.fingerprint() == first.fingerprint()


def test_a_folder_that_cannot_be_made_ends_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written .*choose another one"):
        cache.prepare(never, "small", tmp_path / "file" / "inside", "k")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_ends_with_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"):
        cache.prepare(never, "small", tmp_path, "k")
