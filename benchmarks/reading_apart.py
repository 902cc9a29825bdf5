"""What it costs to read strangers' files in a process of its own: the child against this process.

    python -m benchmarks.reading_apart photos.zip           # of 128 px or so, at least 5,000
    python -m benchmarks.reading_apart photos.zip --cases "folder of JPEG, 5000" "torch, 250 MB"

Each reading by a child (`fmri_jax.apart`) alternates with one here (`FMRI_JAX_READ_APART=0`), in a
new process, once with the readers to import ("first") and then again; the best of the rounds
counts, by the clock and of the processors, children included. As by the commands of fmri-jax, the
process that reads is started before JAX is imported, which takes longer than its start. The files
lie in the page cache, and both sides read the same arrays, which is checked. The cost is to stay
below .3 s or 10 %.
"""

import argparse
import io
import itertools
import json
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from fmri_jax import apart_process

SIZE = 64  # px, that images are resized to
COUNTS = (100, 1000, 5000)
MOST_SECONDS, MOST_SHARE = 0.3, 0.1  # what the child may add; the larger of the two


def read_images(path: str) -> np.ndarray:
    from fmri_jax.data.images import read_images

    return read_images(path, SIZE)[0]


def read_recording(path: str) -> np.ndarray:
    from fmri_jax.data import load

    return load(path).fmri


def read_scans(path: str) -> np.ndarray:
    from fmri_jax.data import load

    return load(path, image_size=8).fmri


def read_torch(path: str) -> np.ndarray:
    from fmri_jax.pretrained.unpickle import load_torch

    return next(iter(load_torch(pathlib.Path(path)).values()))


def read_pickle(path: str) -> np.ndarray:
    from fmri_jax.pretrained.unpickle import load_arrays

    return load_arrays(pathlib.Path(path))["a"]


READERS: dict[str, Callable[[str], np.ndarray]] = {
    each.__name__: each
    for each in (read_images, read_recording, read_scans, read_torch, read_pickle)
}


def make(folder: pathlib.Path, photographs: str) -> dict[str, tuple[str, str]]:
    """Writes the files; returns case -> (reader, path)."""
    cases = {
        **_images(folder, photographs),
        **_recordings(folder),
        "NIfTI, 200 volumes": ("read_scans", _scans(folder / "bids")),
    }
    (folder / "small.pkl").write_bytes(pickle.dumps({"a": np.arange(1000.0)}, protocol=3))
    cases["pickle, 8 KB"] = ("read_pickle", str(folder / "small.pkl"))
    try:
        import torch
    except ImportError:
        return cases
    state = {f"{i}.weight": torch.randn(1024, 1024) for i in range(62)}
    torch.save(state, folder / "weights.pth")
    cases["torch, 250 MB"] = ("read_torch", str(folder / "weights.pth"))
    return cases


def _images(folder: pathlib.Path, photographs: str) -> dict[str, tuple[str, str]]:
    """Folders and zips of photographs, as JPEG as they are and as PNG."""
    cases = {}
    with zipfile.ZipFile(photographs) as source:
        names = [name for name in source.namelist() if name.lower().endswith((".jpg", ".jpeg"))]
        for count, kind in itertools.product(COUNTS, ("JPEG", "PNG")):
            place = folder / f"{kind}{count}"
            place.mkdir()
            with zipfile.ZipFile(folder / f"{kind}{count}.zip", "w") as archive:
                for i, name in enumerate(names[:count]):
                    content = source.read(name)
                    content = _as_png(content) if kind == "PNG" else content
                    file = f"{i:05d}.{kind.lower()}"
                    (place / file).write_bytes(content)
                    archive.writestr(file, content)
            cases[f"folder of {kind}, {count}"] = ("read_images", str(place))
            cases[f"zip of {kind}, {count}"] = ("read_images", f"{place}.zip")
    return cases


def _as_png(photograph: bytes) -> bytes:
    stream = io.BytesIO()
    Image.open(io.BytesIO(photograph)).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _recordings(folder: pathlib.Path) -> dict[str, tuple[str, str]]:
    """One recording, 2,000 trials x 20,000 voxels, as `.npz` and of both kinds of `.mat`."""
    import h5py
    from scipy.io import savemat

    random = np.random.default_rng(0)
    arrays = {
        "fmri": random.standard_normal((2000, 20000), np.float32),
        "stimulus": np.arange(2000) % 100,
        "images": random.integers(0, 256, (100, 64, 64, 3), np.uint8),
    }
    np.savez(folder / "own.npz", **arrays)
    savemat(folder / "own5.mat", arrays)
    with h5py.File(folder / "own73.mat", "w") as file:
        for key, value in arrays.items():
            file[key] = value.T
    files = {".npz": "own.npz", ".mat, v5": "own5.mat", ".mat, v7.3": "own73.mat"}
    return {f"{kind}, 160 MB": ("read_recording", str(folder / f)) for kind, f in files.items()}


def _scans(folder: pathlib.Path) -> str:
    from benchmarks import nifti

    nifti.make(folder, volumes=200, side=32)
    return str(folder)


def measure(reader: str, path: str) -> None:
    """Prints seconds (by the clock, of processors) of a first reading and another, and a sum."""
    apart_process.prepare()
    import jax  # noqa: F401

    found: list[Any] = []
    for _ in range(2):
        clock, spent = time.perf_counter(), _spent()
        array = READERS[reader](path)
        found.append([time.perf_counter() - clock, _spent() - spent])
    print(json.dumps([*found, float(np.sum(np.ascontiguousarray(array), dtype=np.float64))]))


def _spent() -> float:
    """Seconds of processors, of this process and of the one that reads for it."""
    kept = apart_process.kept()
    seconds = sum(os.times()[:4])
    if kept is not None:
        text = pathlib.Path(f"/proc/{kept}/stat").read_text().rpartition(")")[2].split()
        seconds += sum(map(int, text[11:15])) / os.sysconf("SC_CLK_TCK")
    return seconds


def _measured(reader: str, path: str, apart: bool) -> list[Any]:
    command = [sys.executable, "-m", "benchmarks.reading_apart", path, "--measure", reader]
    environment = os.environ | {"FMRI_JAX_READ_APART": str(int(apart))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def report(cases: dict[str, tuple[str, str]], rounds: int) -> None:
    """Prints each case: seconds here and by the child, and what the child adds."""
    print(f"{'seconds (of processors)':28}{'here, first':>15}{'child, first':>15}", end="")
    print(f"{'here, again':>15}{'child, again':>15}   added")
    for case, (reader, path) in cases.items():
        pairs = [[_measured(reader, path, apart) for apart in (False, True)] for _ in range(rounds)]
        assert len({side[2] for pair in pairs for side in pair}) == 1
        best = np.min([[side[:2] for side in pair] for pair in pairs], axis=0)  # (side, time, 2)
        added = best[1, :, 0] - best[0, :, 0]
        held = added <= np.maximum(MOST_SECONDS, MOST_SHARE * best[0, :, 0])
        cells = [f"{best[s, t, 0]:.2f} ({best[s, t, 1]:.2f})" for t in (0, 1) for s in (0, 1)]
        print(f"{case:28}" + "".join(f"{cell:>15}" for cell in cells), end="")
        more = [f"{a:+.2f}{'' if h else ' MISSED'}" for a, h in zip(added, held, strict=True)]
        print("   " + "  ".join(more), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", help="zip of JPEG files")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="*", help="that are measured; all by default")
    parser.add_argument("--folder", type=pathlib.Path, help="where the files are kept, empty first")
    parser.add_argument("--measure", choices=READERS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.photographs)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or pathlib.Path(temporary)
        kept = folder / "cases.json"
        if kept.exists():
            cases = json.loads(kept.read_text())
        else:
            cases = make(folder, options.photographs)
            kept.write_text(json.dumps(cases))
        chosen = options.cases or list(cases)
        report({case: cases[case] for case in chosen}, options.rounds)


if __name__ == "__main__":
    main()
