"""Decoders on disk: `decoder.json` says what it is, `decoder.safetensors` holds its arrays."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from fmri_jax import compiled_programs, methods
from fmri_jax.data.preparation.standardise import VoxelScale
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.files import place
from fmri_jax.linear import recodings
from fmri_jax.methods.decoder import About, Decoder, check_subject
from fmri_jax.model_files import ModelFiles

JSON = "decoder.json"
FILES = ModelFiles("decoder", JSON, "decoder.safetensors", format=1)
_MODEL = "model."  # before the names of the arrays that belong to the method


def save(decoder: Decoder, folder: pathlib.Path) -> pathlib.Path:
    """Writes a decoder; arguments and errors as `Decoder.save`."""
    arrays, options = _arrays(decoder)
    return FILES.save(folder, {**_content(decoder), "model": options}, arrays)


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
    compiled_programs.keep()
    decoder = FILES.load(_folder(place(path)), _restored)
    if recording is not None:
        check_subject(decoder.about.recording, recording)
    return decoder


def _content(decoder: Decoder) -> dict[str, Any]:
    """What `decoder.json` says, but for the method's own part."""
    return {
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
    if (recoding := decoder.recoding) is not None:
        arrays |= {f"{recoding.KIND}_{name}": a for name, a in vars(recoding).items()}
    return arrays, options


def _restored(content: dict[str, Any], arrays: dict[str, np.ndarray]) -> Decoder:
    model = {
        name.removeprefix(_MODEL): array
        for name, array in arrays.items()
        if name.startswith(_MODEL)
    }
    about = About(**{field.name: content[field.name] for field in dataclasses.fields(About)})
    mean, std, constant = (arrays[f"voxel_{name}"] for name in ("mean", "std", "constant"))
    recoding = None
    for kind, made in recodings.BY_KIND.items():
        if f"{kind}_directions" in arrays:
            names = [field.name for field in dataclasses.fields(made)]
            recoding = made(**{name: arrays[f"{kind}_{name}"] for name in names})
    return Decoder(
        reconstructor=methods.package(about.method).restore(model, content["model"]),
        scale=VoxelScale(mean, std, constant, keep_offset=content["keep_offset"]),
        about=about,
        voxels=arrays.get("voxels"),
        training_repeats=content["training_repeats"],
        noise_scaling=content["noise_scaling"],
        seen=arrays.get("seen"),
        recoding=recoding,
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
