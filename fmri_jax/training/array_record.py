"""Training trials on disk: ArrayRecords that are read batch by batch, in any order.

One record is one response pattern or one image, uncompressed, so that a random batch costs as many
short reads as it has trials and images, and the host's memory holds the batches read ahead alone.
"""

import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.files import replacing

# Neither grouping nor read-ahead: both would read neighbours that a random batch does not want.
_WRITING = "group_size:1,uncompressed"
_READING = "readahead_buffer_size:0,max_parallelism:0"


class RecordRows:
    """The rows of an array that lies on disk; `rows[[3, 1]]` reads two of them.

    Reading is safe from several threads at once.
    """

    def __init__(self, path: pathlib.Path, shape: tuple[int, ...], dtype: np.dtype):
        from array_record.python.array_record_module import ArrayRecordReader

        self.shape, self.dtype = shape, dtype
        self._reader: Any = ArrayRecordReader(str(path), options=_READING)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        records = self._reader.read(rows.tolist())
        flat = np.frombuffer(b"".join(records), self.dtype)
        return flat.reshape(len(rows), *self.shape[1:])


def write_rows(array: np.ndarray, path: pathlib.Path) -> RecordRows:
    """Writes an array to `path`, one record a row, and opens it.

    The file appears under its name when it is complete; one that exists is replaced.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as unfinished:
            _write(array, unfinished)
    except (OSError, RuntimeError) as error:  # a full disk is ArrayRecord's RuntimeError
        raise InputError(
            f"{path.parent} cannot be written ({error}): expected a folder with room for "
            f"{-(-array.nbytes // 2**20)} MiB; free some or choose another one."
        ) from error
    return RecordRows(path, array.shape, array.dtype)


def _write(rows: Iterable[np.ndarray], path: pathlib.Path) -> None:
    from array_record.python.array_record_module import ArrayRecordWriter

    writer: Any = ArrayRecordWriter(str(path), options=_WRITING)
    for row in rows:
        writer.write(np.ascontiguousarray(row).tobytes())
    writer.close()
