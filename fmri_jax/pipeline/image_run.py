"""Scores and page of reconstructions alone, whoever made them: the same table as a run's."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fmri_jax import compiled_programs, report
from fmri_jax.data.recording import ordered_sets
from fmri_jax.evaluation.images import image_ids, is_binary
from fmri_jax.evaluation.notes import Note
from fmri_jax.evaluation.pair import vs_train
from fmri_jax.evaluation.repeats import of_another_stimulus
from fmri_jax.evaluation.results import Results
from fmri_jax.evaluation.scores import EvaluationConfig
from fmri_jax.files import replacing
from fmri_jax.pipeline import integrity
from fmri_jax.pipeline.chance import against_chance
from fmri_jax.pipeline.json_files import write_json
from fmri_jax.pipeline.rows import METHOD, Rows
from fmri_jax.pipeline.scoring import perceptual_weights, score_run
from fmri_jax.pipeline.workdir import (
    claim,
    provenance,
    take_back_results,
    writing_to,
)


@dataclasses.dataclass(frozen=True)
class ImagePairs:
    """Reconstructions beside what was seen.

    Attributes:
        targets: (n, h, w, c) float32 in [0, 1]; rows of equal images are trials of one stimulus.
        reconstructions: the same shape.
        names: one name per row.
        split: (n,) str, the test set of each row, or None for a single one.
        training: (m, h, w, c) in [0, 1], the training images; None where they are not known.
        baselines: name -> (n, h, w, c), further predictions to compare with.
    """

    targets: np.ndarray
    reconstructions: np.ndarray
    names: Sequence[str]
    split: np.ndarray | None = None
    training: np.ndarray | None = None
    baselines: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


def score_pairs(
    pairs: ImagePairs,
    folder: pathlib.Path,
    config: EvaluationConfig,
    source: Mapping[str, Any],
    about: Mapping[str, Any],
    notes: Sequence[Note] = (),
) -> pathlib.Path:
    """Writes what a run leaves: `reconstructions.npz`, `scores.json`, `report.html`, figures.

    Args:
        pairs: the images.
        folder: a new or empty folder, or that of an earlier call with the same `source`.
        config: what is scored.
        source: what was scored, as `config.json` has it, such as paths.
        about: what `run.json` says: title, method, data, command.
        notes: what a reader has to know.

    Returns:
        The path of the page.

    Raises:
        InputError: the folder is in use, holds something else or cannot be written.
    """
    compiled_programs.keep()
    content = {**source, "evaluation": dataclasses.asdict(config)}
    split = np.full(len(pairs.targets), "test") if pairs.split is None else pairs.split
    with writing_to(folder):
        claim(folder, content)
        results = _results(pairs, split, config, notes)
        take_back_results(folder)
        with replacing(folder / "reconstructions.npz") as place, place.open("wb") as stream:
            np.savez_compressed(
                stream,
                targets=pairs.targets,
                reconstructions=pairs.reconstructions,
                stimulus=image_ids(pairs.targets)[0],
                split=split,
                names=np.asarray(pairs.names, np.str_),
            )
        write_json(folder / "config.json", content)
        write_json(folder / "run.json", {"text": "", "method": "", **about, **provenance()})
        write_json(folder / "scores.json", results.to_json())
        page = report.write(folder)
        integrity.seal(folder)
        return page


def _results(
    pairs: ImagePairs, split: np.ndarray, config: EvaluationConfig, notes: Sequence[Note]
) -> Results:
    """The scores of a run that left these images."""
    stimulus = image_ids(pairs.targets)[0]
    main = np.flatnonzero(split == ordered_sets(split.tolist())[0])
    predictions = {METHOD: pairs.reconstructions}
    for name, images in _baselines(pairs, stimulus, main).items():
        predictions[name] = np.zeros_like(pairs.targets)
        predictions[name][main] = images
    training = pairs.training
    rows = Rows(
        targets=pairs.targets,
        predictions=predictions,
        vs_train={}
        if training is None
        else {n: vs_train(pairs.targets, images, training) for n, images in predictions.items()},
        stimulus=stimulus,
        split=split,
        fold=np.full(len(split), "all"),
    )
    _, first = np.unique(stimulus, return_index=True)
    names = [pairs.names[int(row)] for row in first]
    weights = perceptual_weights(config)
    found = score_run(rows, names, _n_training(pairs, main), config, weights)
    numbers, remarks = against_chance(rows)
    return dataclasses.replace(
        found,
        per_image=tuple(
            dataclasses.replace(entry, stimulus_name=str(pairs.names[entry.index]))
            for entry in found.per_image
        ),
        notes=(*notes, *remarks),
        diagnostics=numbers,
    )


def _baselines(pairs: ImagePairs, stimulus: np.ndarray, main: np.ndarray) -> dict[str, np.ndarray]:
    """Predictions that images alone allow, of the rows of the main test set."""
    targets = pairs.targets[main]
    found = {name: images[main] for name, images in pairs.baselines.items()}
    if pairs.training is not None:
        mean = pairs.training.mean(axis=0, dtype=np.float64).astype(np.float32)
        found["mean_image"] = np.broadcast_to(mean, targets.shape)
    wrong = of_another_stimulus(stimulus[main])
    if wrong is not None:
        found["shuffled_images"] = pairs.reconstructions[main][wrong]
    if is_binary(targets):
        found["all_black"] = np.zeros_like(targets)
    return found


def _n_training(pairs: ImagePairs, main: np.ndarray) -> Any:
    """Training images that are not the row's own; 0 where they are not known."""
    if pairs.training is None:
        return 0
    training, shown = image_ids(pairs.training, pairs.targets[main])
    return len(np.unique(training)) - np.isin(shown, training)
