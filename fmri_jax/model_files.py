"""A fitted model in a folder: JSON says what it is, safetensors holds its arrays."""

import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from fmri_jax import digests
from fmri_jax._version import __version__
from fmri_jax.errors import InputError
from fmri_jax.files import put

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class ModelFiles:
    """How models of one kind are kept.

    Attributes:
        kind: what messages call them.
        json: name of the JSON file.
        arrays: name of the file of arrays.
        format: version of the layout; a reader takes this and earlier ones.
    """

    kind: str
    json: str
    arrays: str
    format: int

    def save(
        self, folder: pathlib.Path, content: Mapping[str, Any], arrays: Mapping[str, Any]
    ) -> pathlib.Path:
        """Writes a model; the folder is complete or as it was.

        Args:
            folder: a new or empty one, or one that holds a model of this kind.
            content: plain JSON values.
            arrays: by name.

        Returns:
            The folder.

        Raises:
            InputError: the folder holds something else, or cannot be written.
        """
        from safetensors.numpy import save_file

        folder = folder.expanduser()
        if (
            folder.exists()
            and not (folder / self.json).is_file()
            and (not folder.is_dir() or any(folder.iterdir()))
        ):
            raise InputError(
                f"{folder} is not empty and holds no {self.kind}: choose a new or empty folder."
            )
        unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.unfinished")
        try:
            unfinished.mkdir(parents=True, exist_ok=True)
            # `ascontiguousarray` alone would give single numbers an axis.
            whole = {n: np.ascontiguousarray(a).reshape(np.shape(a)) for n, a in arrays.items()}
            save_file(whole, unfinished / self.arrays)
            described = {
                "format": self.format,
                "version": __version__,
                **content,
                "sha256": digests.digest(unfinished / self.arrays),
            }
            text = json.dumps(described, indent=2, ensure_ascii=False)
            (unfinished / self.json).write_text(text, encoding="utf-8")
            digests.seal(unfinished)
            _replace(folder, unfinished)
        except OSError as error:
            raise InputError(
                f"{folder} cannot be written ({error.strerror or error}): choose a folder with "
                "room."
            ) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return folder

    def load(
        self,
        folder: pathlib.Path,
        restored: Callable[[dict[str, Any], dict[str, np.ndarray]], _T],
    ) -> _T:
        """Reads a model.

        Args:
            folder: that holds it.
            restored: makes the model of the JSON file's content and the arrays.

        Raises:
            InputError: it is missing, corrupt or of a newer version of this package.
        """
        if found := digests.damaged(folder):
            raise self._corrupt(folder / found[0], "its content is not what was written")
        content = self._read_json(folder / self.json)
        if not isinstance(content.get("format"), int) or content["format"] > self.format:
            raise InputError(
                f"{folder} has format {content.get('format')!r}, written by fmri_jax "
                f"{content.get('version')}; this version ({__version__}) reads formats up to "
                f"{self.format}: install a newer fmri_jax."
            )
        arrays = self._read_arrays(folder / self.arrays, content.get("sha256"))
        try:
            return restored(content, arrays)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._corrupt(folder / self.json, f"{type(error).__name__}: {error}") from error

    def _read_json(self, path: pathlib.Path) -> dict[str, Any]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self._corrupt(path, str(error)) from error
        if not isinstance(content, dict):
            raise self._corrupt(path, "it is no JSON object")
        return content

    def _read_arrays(self, path: pathlib.Path, expected: Any) -> dict[str, np.ndarray]:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            if digests.digest(path) != expected:
                raise self._corrupt(path, "its content is not what was written")
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise self._corrupt(path, str(error)) from error

    def _corrupt(self, path: pathlib.Path, why: str) -> InputError:
        return InputError(
            f"{path} is missing or corrupt ({why}): copy the {self.kind}'s whole folder again, or "
            f"fit the {self.kind} again."
        )


def _replace(folder: pathlib.Path, complete: pathlib.Path) -> None:
    """Renames `complete` to `folder`; a model that was there is gone only afterwards."""
    earlier = folder.with_name(f".{folder.name}.{os.getpid()}.replaced.unfinished")
    if folder.exists():
        folder.rename(earlier)
    try:
        put(complete, folder)
    except OSError:
        if earlier.exists():
            earlier.rename(folder)
        raise
    shutil.rmtree(earlier, ignore_errors=True)
