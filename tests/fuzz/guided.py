"""`python -m tests.fuzz.guided SECONDS CORPUS`: malformed files for readers in Python, by coverage.

Atheris (`pip install atheris`, which the tests do without) changes files so that they reach lines
that none reached before; what does so is kept in the folder CORPUS for the next call. All readers
of this module get every file, in this process: what is no message of theirs ends it.
"""

import os
import pathlib
import sys
import tempfile

os.environ.setdefault("FMRI_JAX_READ_APART", "0")


def main(seconds: str, corpus: str) -> None:
    """Fuzzes for so many seconds; ends the process, with the exit code of libFuzzer."""
    import atheris

    with atheris.instrument_imports(include=["fmri_jax"]):
        from fmri_jax import archives
        from fmri_jax.errors import InputError
        from fmri_jax.pretrained import caffemodel, tensors, unpickle

    handle, name = tempfile.mkstemp(prefix="fuzz_", dir="/dev/shm")
    readers = (
        caffemodel.read_caffemodel,
        unpickle.read_arrays,
        unpickle.read_torch,
        lambda path: tensors.load_safetensors(pathlib.Path(path)),
        archives.read_npz,
        archives.read_npy,
    )

    def one(content: bytes) -> None:
        os.ftruncate(handle, 0)
        os.pwrite(handle, content, 0)
        for read in readers:
            try:
                read(name)
            except InputError as error:
                assert str(error).isprintable()
            except archives.CorruptError as error:
                assert str(error).isprintable()

    pathlib.Path(corpus).mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-rss_limit_mb=3000", "-timeout=20", "-max_len=4096"]
    atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", corpus], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
