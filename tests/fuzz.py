"""`python -m tests.fuzz SECONDS`: malformed files for every reader, each in a forked process.

Good files of every format are changed at random: bytes flipped, overwritten by lengths that files
like to state, cut, repeated. What the process of a reader may come to is a recording, or one
message; a traceback counts where users would see one, as of weights, and so do crashes that
`fmri_jax.apart` would not turn into a message. Findings are kept in a folder. POSIX alone.
"""

import collections
import os
import pathlib
import pickle
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from scipy import io

from fmri_jax import apart_child
from fmri_jax.data.readers import mat, npz
from fmri_jax.data.readers.bdata_recording import load as load_bdata
from fmri_jax.data.readers.nifti import load as load_nifti
from fmri_jax.errors import InputError
from fmri_jax.pretrained.unpickle import load_arrays, load_torch
from tests.data import builders

MEMORY, SECONDS = 2**31, 20  # of one file
LENGTHS = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1]
OK, MESSAGE, TRACEBACK = 0, 1, 2
Reader = Callable[[pathlib.Path], Any]


def main(seconds: float, kept: pathlib.Path) -> int:
    """Fuzzes every reader for its share of the time; returns 1 if anything was found."""
    rng, bad = np.random.default_rng(int(time.time())), 0
    with tempfile.TemporaryDirectory(prefix="fuzz_") as name:
        targets = seeds(pathlib.Path(name))
        for path, reader, converted in targets:
            if _outcome(path, reader) != "read":
                raise RuntimeError(f"{path} cannot be read as it is")
            found = fuzz(path, reader, converted, seconds / len(targets), rng, kept)
            bad += sum(n for what, n in found.items() if what not in ("read", "one message"))
            print(f"{path.name}: {dict(found)}", flush=True)
    return int(bad > 0)


def seeds(folder: pathlib.Path) -> list[tuple[pathlib.Path, Reader, bool]]:
    """Good files, how each is read, and whether what escapes its reader becomes a message."""
    arrays = builders.arrays()
    np.savez_compressed(folder / "good.npz", **arrays)
    old = {key: arrays[key] for key in ("fmri", "stimulus", "images")}
    io.savemat(folder / "good.mat", old)
    with h5py.File(folder / "good73.mat", "w") as file:
        for key, value in old.items():
            file[key] = value.T
    builders.bdata().save(str(folder / "good.h5"))
    images = builders.synset_images(folder / "images")
    builders.bids_dataset(folder / "bids")
    volumes = next((folder / "bids").rglob("*.nii*"))
    weights = {"a": np.ones((3, 4), np.float32), "b": [np.arange(5), {"c": np.zeros(2)}]}
    (folder / "good.ckpt").write_bytes(pickle.dumps(weights, protocol=3))
    files: list[tuple[pathlib.Path, Reader, bool]] = [
        (folder / "good.npz", lambda path: npz.load(str(path)), True),
        (folder / "good.mat", lambda path: mat.load(str(path)), True),
        (folder / "good73.mat", lambda path: mat.load(str(path)), True),
        (folder / "good.h5", lambda path: load_bdata(str(path), images=images), True),
        (volumes, lambda path: load_nifti(str(folder / "bids")), True),
        (folder / "good.ckpt", load_arrays, False),
    ]
    torch = builders.peer("torch")
    for zipped in (True, False):
        path = folder / f"good{int(zipped)}.pth"
        torch.save({"a": torch.ones(3, 4)}, path, _use_new_zipfile_serialization=zipped)
        files.append((path, load_torch, False))
    return files


def fuzz(
    path: pathlib.Path,
    reader: Reader,
    converted: bool,
    seconds: float,
    rng: np.random.Generator,
    kept: pathlib.Path,
) -> collections.Counter[str]:
    """Reads changed copies in place of a file for a while; counts what came of them."""
    whole, found = path.read_bytes(), collections.Counter[str]()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        path.write_bytes(changed(whole, rng))
        what = _outcome(path, reader)
        if converted and (what == "a traceback" or what.startswith("signal")):
            what = "one message"  # `apart` makes one of it
        if what not in ("read", "one message"):
            kept.mkdir(parents=True, exist_ok=True)
            number = len(list(kept.iterdir()))
            (kept / f"{number:04d}_{path.name}").write_bytes(path.read_bytes())
        found[what] += 1
    path.write_bytes(whole)
    return found


def changed(whole: bytes, rng: np.random.Generator) -> bytes:
    """A copy with one to four changes."""
    content = bytearray(whole)
    for _ in range(rng.integers(1, 5)):
        at, kind = int(rng.integers(len(content))), rng.integers(5)
        if kind == 0:
            content[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            content[at] = int(rng.integers(256))
        elif kind == 2:
            size = int(rng.choice([1, 2, 4, 8]))
            length = int(LENGTHS[rng.integers(len(LENGTHS))]) % 256**size
            order = "little" if rng.integers(2) else "big"
            content[at : at + size] = length.to_bytes(size, order)  # type: ignore[arg-type]
        elif kind == 3 and at:
            del content[at:]
        else:
            content[at:at] = content[at : at + int(rng.integers(64))]
    return bytes(content)


def _outcome(path: pathlib.Path, reader: Reader) -> str:
    """What reading a file comes to, in a forked process with limits."""
    child = os.fork()
    if not child:
        os._exit(_read(path, reader))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return "TOO LONG" if number == signal.SIGXCPU else f"signal {number}"
    return {OK: "read", MESSAGE: "one message"}.get(os.WEXITSTATUS(status), "a traceback")


def _read(path: pathlib.Path, reader: Reader) -> int:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    apart_child._limit(MEMORY, SECONDS)
    try:
        reader(path)
    except InputError as error:
        return MESSAGE if str(error).isprintable() else TRACEBACK
    except MemoryError:
        return MESSAGE  # of `apart`
    except BaseException:
        return TRACEBACK
    return OK


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), pathlib.Path("fuzz_findings")))
