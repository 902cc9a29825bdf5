"""Applies a kept decoder to new responses: images, a page and, where images were seen, scores."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from absl import logging

from fmri_jax.data import images as image_stacks
from fmri_jax.data.preparation.folds import average_trials
from fmri_jax.data.recording import TRAIN
from fmri_jax.errors import InputError
from fmri_jax.evaluation.notes import Note
from fmri_jax.evaluation.scores import EvaluationConfig
from fmri_jax.files import replacing
from fmri_jax.methods.decoder import Decoder, check_subject, digests
from fmri_jax.pipeline.image_run import ImagePairs, score_pairs
from fmri_jax.pipeline.json_files import write_json
from fmri_jax.pipeline.new_responses import NewResponses
from fmri_jax.pipeline.workdir import claim, writing_to
from fmri_jax.report import images_page

Average = Literal["as trained", "yes", "no"]


@dataclasses.dataclass(frozen=True)
class Rows:
    """What was reconstructed, row by row.

    Attributes:
        images: (n, h, w, c) float32 in [0, 1], reconstructed.
        shuffled: the same from voxels in random order.
        stimulus: (n,) int, index into the recording's images.
        split: (n,) str.
        names: (n,) str.
    """

    images: np.ndarray
    shuffled: np.ndarray
    stimulus: np.ndarray
    split: np.ndarray
    names: np.ndarray


def reconstruct(
    decoder: Decoder,
    new: NewResponses,
    folder: pathlib.Path,
    config: EvaluationConfig,
    average: Average = "as trained",
    source: Mapping[str, Any] | None = None,
    command: str = "",
) -> pathlib.Path:
    """Writes `reconstructions.npz`, `images/*.png`, `report.html` and, with images, `scores.json`.

    Of the recording that the decoder was trained on only the trials outside of "train" are used.

    Args:
        decoder: the decoder.
        new: the responses.
        folder: a new or empty folder, or that of the same call.
        config: what is scored.
        average: whether trials of one image are averaged; by default as the decoder's test trials.
        source: what identifies this call, for `config.json`.
        command: the command line, for the page.

    Returns:
        The path of the page.

    Raises:
        InputError: the responses do not fit the decoder, or the folder cannot be used.
    """
    notes = _subject_notes(decoder, new)
    rows = _rows(decoder, new, average)
    about = {
        "title": f"Reconstructions from {'new responses' if new.has_images else 'responses alone'}",
        "method": decoder.about.method,
        "command": command,
        "data": {
            "name": str((source or {}).get("responses", "")),
            "description": new.recording.description,
            "simulated": new.recording.simulated or decoder.simulated,
            "modality": new.recording.modality,
            "fingerprint": new.recording.fingerprint(),
            "trials": len(new.recording.fmri),
            "voxels": decoder.n_voxels,
            "roi": decoder.about.roi,
        },
    }
    content = dict(source or {}) | {"average": average}
    if not new.has_images:
        return _without_targets(folder, rows, content, about, notes)
    targets, seen = _targets(decoder, new, rows)
    pairs = ImagePairs(
        targets=targets,
        reconstructions=rows.images,
        names=rows.names.tolist(),
        split=rows.split,
        baselines={"shuffled_fmri": rows.shuffled},
    )
    page = score_pairs(pairs, folder, config, content, about, [*notes, *seen])
    write_images(folder / "images", rows.images, rows.names)
    return page


def write_images(folder: pathlib.Path, images: np.ndarray, names: np.ndarray) -> None:
    """Writes each image (h, w, c) in [0, 1] as a PNG, numbered in the order of the rows."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for number, (image, name) in enumerate(zip(images, names, strict=True)):
        plain = re.sub(r"[^\w.-]+", "_", name).strip("_.")[:80]
        with replacing(folder / f"{number:05d}_{plain}.png") as place:
            Image.fromarray(images_page.to_uint8(image)).save(place, format="PNG")


def _subject_notes(decoder: Decoder, new: NewResponses) -> list[Note]:
    """Checks whose responses these are."""
    doubt = check_subject(decoder.about.recording, new.recording)
    if doubt:
        logging.warning("%s", doubt)
    return [Note("remark", "warning", doubt)] if doubt else []


def _rows(decoder: Decoder, new: NewResponses, average: Average) -> Rows:
    recording = new.recording
    fmri = decoder.responses_of(recording)
    split = recording.split.copy()
    used = np.arange(len(fmri))
    if recording.fingerprint() == decoder.about.recording.get("fingerprint"):
        used = np.flatnonzero(split != TRAIN)
        if not len(used):
            raise InputError(
                "this is the recording that the decoder was trained on, and it names no test "
                "trials: give other responses; those that a fold left out are in the run's page."
            )
    elif (split == TRAIN).all():
        split[:] = "test"
    else:
        split = np.where(split == TRAIN, "training trials", split)
    stimulus = recording.distinct_images[recording.stimulus]
    parts = [
        _part(decoder, new, fmri, stimulus, used[split[used] == name], average, name)
        for name in dict.fromkeys(split[used].tolist())
    ]
    fields = [field.name for field in dataclasses.fields(Rows)]
    return Rows(**{f: np.concatenate([getattr(part, f) for part in parts]) for f in fields})


def _part(
    decoder: Decoder,
    new: NewResponses,
    fmri: np.ndarray,
    stimulus: np.ndarray,
    rows: np.ndarray,
    average: Average,
    name: str,
) -> Rows:
    """The rows of one test set."""
    names = np.asarray(new.names, np.str_)[rows]
    shown, repeats = stimulus[rows], new.repeats[rows] if new.repeats is not None else None
    responses = fmri[rows]
    trained = decoder.about.preparation.get("average_repeats", "none")
    if new.has_images and (average == "yes" or average == "as trained" and trained != "none"):
        responses, shown, _, repeats = average_trials(responses, shown, new.recording.run[rows])
        names = np.asarray(new.recording.stimulus_names, np.str_)[shown]
    prepared = decoder.standardise(responses, repeats)
    order = np.random.default_rng(0)
    return Rows(
        images=decoder.reconstruct(prepared),
        shuffled=decoder.reconstruct(order.permuted(prepared, axis=1)),
        stimulus=shown,
        split=np.full(len(prepared), name),
        names=names,
    )


def _targets(decoder: Decoder, new: NewResponses, rows: Rows) -> tuple[np.ndarray, list[Note]]:
    """What was seen in each row, as the decoder's images are; notes on images known to training."""
    height, width, _ = decoder.image_shape
    images = new.recording.images
    prepared = tuple(decoder.about.preparation.get("prepared_shape", decoder.image_shape))
    if images.shape[1:] != prepared and prepared[0] == prepared[1]:
        images = image_stacks.resize(images, prepared[0])
    if images.shape[1:] != prepared:
        raise InputError(
            f"the images of these responses are {images.shape[1:]} and those of training were "
            f"{prepared}: expected images of the same kind; leave images out of the "
            "file to reconstruct without scores."
        )
    known = _known(decoder, images, rows)
    cropped = image_stacks.centre_crop(images, height, width)
    return cropped[rows.stimulus].astype(np.float32) / np.float32(255), known


def _known(decoder: Decoder, images: np.ndarray, rows: Rows) -> list[Note]:
    """A warning where images that training showed are among those that are scored."""
    if decoder.seen is None:
        return []
    trained = set(map(bytes, decoder.seen))
    shown = np.unique(rows.stimulus)
    count = sum(bytes(digest) in trained for digest in digests(images[shown]))
    if not count:
        return []
    text = (
        f"{count} of {len(shown)} images were also shown in training: scores measure recognition "
        "of known images, not reconstruction of new ones."
    )
    values = {"images": count, "fold": decoder.about.fold, "folds": 1}
    return [Note("shared_images", "warning", text, values)]


def _without_targets(
    folder: pathlib.Path,
    rows: Rows,
    content: dict[str, Any],
    about: dict[str, Any],
    notes: list[Note],
) -> pathlib.Path:
    """Images and a page of responses of which nobody knows what they should show."""
    with writing_to(folder):
        claim(folder, content)
        with replacing(folder / "reconstructions.npz") as place, place.open("wb") as stream:
            np.savez_compressed(stream, reconstructions=rows.images, names=rows.names)
        write_json(folder / "run.json", about)
        write_images(folder / "images", rows.images, rows.names)
        return images_page.write(
            folder / "report.html",
            rows.images,
            rows.names.tolist(),
            about["title"],
            [note.text for note in notes],
            about["data"],
        )
