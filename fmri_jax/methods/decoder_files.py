"""Decoders on disk: `decoder.json` says what it is, `decoder.safetensors` holds its arrays."""

import dataclasses
import json
import os
import pathlib
import shutil
from typing import Any

import numpy as np

from fmri_jax import digests, methods
from fmri_jax._version import __version__
from fmri_jax.data.preparation.standardise import VoxelScale
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.files import place, put
from fmri_jax.linear.bottleneck import Bottleneck
from fmri_jax.methods.decoder import About, Decoder, check_subject

FORMAT = 1  # version of the layout; a reader takes this and earlier ones
JSON, ARRAYS = "decoder.json", "decoder.safetensors"
_MODEL = "model."  # before the names of the arrays that belong to the method


def save(decoder: Decoder, folder: pathlib.Path) -> pathlib.Path:
    """Writes a decoder; arguments and errors as `Decoder.save`."""
    from safetensors.numpy import save_file

    folder = folder.expanduser()
    if (
        folder.exists()
        and not (folder / JSON).is_file()
        and (not folder.is_dir() or any(folder.iterdir()))
    ):
        raise InputError(
            f"{folder} is not empty and holds no decoder: choose a new or empty folder."
        )
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.unfinished")
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        arrays, options = _arrays(decoder)
        save_file(arrays, unfinished / ARRAYS)
        content = {
            **_content(decoder),
            "model": options,
            "sha256": digests.digest(unfinished / ARRAYS),
        }
        text = json.dumps(content, indent=2, ensure_ascii=False)
        (unfinished / JSON).write_text(text, encoding="utf-8")
        digests.seal(unfinished)
        _replace(folder, unfinished)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror or error}): choose a folder with room."
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def load_decoder(path: str | pathlib.Path, recording: Recording | None = None) -> Decoder:
    """Reads a decoder that `save` or a run has written.

    Args:
        path: the decoder's folder, such as `runs/<name>/decoders/<fold>`; or the folder of a run
            with one fold.
        recording: where given, it is checked to be of the subject that the decoder was trained on.

    Returns:
        The decoder; `predict` takes responses as they were recorded.

    Raises:
        InputError: there is no decoder, it is corrupt or of a newer version of this package, or
            the recording is of another subject.
    """
    folder = _folder(place(path))
    if found := digests.damaged(folder):
        raise _corrupt(folder / found[0], "its content is not what was written")
    content = _read_json(folder / JSON)
    if not isinstance(content.get("format"), int) or content["format"] > FORMAT:
        raise InputError(
            f"{folder} has format {content.get('format')!r}, written by fmri_jax "
            f"{content.get('version')}; this version ({__version__}) reads formats up to {FORMAT}: "
            "install a newer fmri_jax."
        )
    arrays = _read_arrays(folder / ARRAYS, content.get("sha256"))
    try:
        decoder = _restored(content, arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _corrupt(folder / JSON, f"{type(error).__name__}: {error}") from error
    if recording is not None:
        check_subject(decoder.about.recording, recording)
    return decoder


def _content(decoder: Decoder) -> dict[str, Any]:
    """What `decoder.json` says, but for the method's own part."""
    return {
        "format": FORMAT,
        "version": __version__,
        **dataclasses.asdict(decoder.about),
        "n_voxels": decoder.n_voxels,
        "image_shape": list(decoder.image_shape),
        "training_repeats": decoder.training_repeats,
        "noise_scaling": decoder.noise_scaling,
        "keep_offset": decoder.scale.keep_offset,
    }


def _arrays(decoder: Decoder) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All arrays by name, and the method's own options."""
    model, options = decoder.reconstructor.state()
    arrays = {f"{_MODEL}{name}": value for name, value in model.items()}
    for name in ("mean", "std", "constant"):
        arrays[f"voxel_{name}"] = getattr(decoder.scale, name)
    for name in ("voxels", "seen"):
        if (value := getattr(decoder, name)) is not None:
            arrays[name] = value
    if decoder.bottleneck is not None:
        arrays |= {f"bottleneck_{name}": a for name, a in vars(decoder.bottleneck).items()}
    # `ascontiguousarray` alone would give single numbers an axis.
    whole = {n: np.ascontiguousarray(a).reshape(np.shape(a)) for n, a in arrays.items()}
    return whole, options


def _restored(content: dict[str, Any], arrays: dict[str, np.ndarray]) -> Decoder:
    model = {
        name.removeprefix(_MODEL): array
        for name, array in arrays.items()
        if name.startswith(_MODEL)
    }
    about = About(**{field.name: content[field.name] for field in dataclasses.fields(About)})
    mean, std, constant = (arrays[f"voxel_{name}"] for name in ("mean", "std", "constant"))
    narrow = None
    if "bottleneck_directions" in arrays:
        narrow = Bottleneck(arrays["bottleneck_mean"], arrays["bottleneck_directions"])
    return Decoder(
        reconstructor=methods.package(about.method).restore(model, content["model"]),
        scale=VoxelScale(mean, std, constant, keep_offset=content["keep_offset"]),
        about=about,
        voxels=arrays.get("voxels"),
        training_repeats=content["training_repeats"],
        noise_scaling=content["noise_scaling"],
        seen=arrays.get("seen"),
        bottleneck=narrow,
    )


def _folder(path: pathlib.Path) -> pathlib.Path:
    """The folder of the decoder that `path` names, itself or the only one of a run."""
    if (path / JSON).is_file():
        return path
    kept = path if path.name == "decoders" else path / "decoders"
    found = sorted(child.parent for child in kept.glob(f"[!.]*/{JSON}"))
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{path} holds decoders of {len(found)} folds: name one, such as {found[0]}."
        )
    raise InputError(
        f"{path} holds no decoder: expected a folder with {JSON}, as a run leaves in "
        "decoders/<fold> and `decoder.save` writes; runs of versions before 0.2 kept none."
    )


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _corrupt(path, str(error)) from error
    if not isinstance(content, dict):
        raise _corrupt(path, "it is no JSON object")
    return content


def _read_arrays(path: pathlib.Path, expected: Any) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        if digests.digest(path) != expected:
            raise _corrupt(path, "its content is not what was written")
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise _corrupt(path, str(error)) from error


def _corrupt(path: pathlib.Path, why: str) -> InputError:
    return InputError(
        f"{path} is missing or corrupt ({why}): copy the decoder's whole folder again, or fit the "
        "decoder again."
    )


def _replace(folder: pathlib.Path, complete: pathlib.Path) -> None:
    """Renames `complete` to `folder`; a decoder that was there is gone only afterwards."""
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
