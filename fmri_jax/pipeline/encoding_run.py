"""Cross-validated encoding models of a recording, layer by layer: `fmri-jax encode`.

What each fold predicted lies in `folds/<number>.npz`: a run that was stopped resumes with the next
one.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from fmri_jax import compiled_programs, data
from fmri_jax._version import __version__
from fmri_jax.data.preparation.folds import PreparationConfig, count_folds, folds
from fmri_jax.data.preparation.splits import group_labels, main_set
from fmri_jax.data.preparation.transform import Transform, transformed
from fmri_jax.data.recording import TRAIN, Recording
from fmri_jax.encoding import identification
from fmri_jax.encoding.options import Options
from fmri_jax.errors import InputError
from fmri_jax.evaluation.encoding_scores import Predictions
from fmri_jax.evaluation.noise_ceiling import noise_ceiling
from fmri_jax.evaluation.repeats import of_another_stimulus
from fmri_jax.evaluation.units import independent_units
from fmri_jax.pipeline import encoding_folds, encoding_results, foresight
from fmri_jax.pipeline.evidence import Labels
from fmri_jax.pipeline.json_files import digest
from fmri_jax.pipeline.photograph_bank import Bank
from fmri_jax.pipeline.workdir import claim, writing_to

FOLDS = 10  # that stimuli are divided into where the recording names no test set


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        recording: path or name, as `fmri_jax.data.load` takes it.
        data_options: what its reader takes besides.
        options: of the models.
        workdir: folder of predictions, scores and page.
        roi: ROI expression of the voxels.
        split: what is left out: "given" (the recording's own test set), "stimulus", "run" or
            "group"; None: the own test set if there is one, else stimuli.
        n_folds: how many; None: 10 for stimuli, else one per group.
        transform: of responses, such as "sqrt" for counts.
        spikes: whether responses are spike counts or rates of neurons.
        title: heading of the page.
        n_bootstrap: resamples for intervals.
        bank: photographs among which the seen images are identified; None: they are not.
    """

    recording: str
    data_options: Mapping[str, Any]
    options: Options
    workdir: pathlib.Path
    roi: str = "all"
    split: str | None = None
    n_folds: int | None = None
    transform: Transform | None = None
    spikes: bool = False
    title: str = ""
    n_bootstrap: int = 1000
    bank: Bank | None = None


def run(request: Request) -> pathlib.Path:
    """Fits and scores every fold, and writes `encoding.json`, `voxels.csv` and `report.html`.

    Returns:
        The path of the page.

    Raises:
        InputError: the recording or an option cannot be used, or the folder holds another run.
    """
    compiled_programs.keep()
    recording = data.load(request.recording, **request.data_options)
    preparation = _preparation(request, recording)
    doubts = foresight.shared_groups(recording, preparation.split, "--split group")
    for sentence in doubts:
        logging.warning("%s", sentence)
    config = _config(request, recording, preparation)
    with writing_to(request.workdir):
        claim(request.workdir, config)
        parts = _parts(request, recording, preparation, digest(config))
        found = _found(parts, request.options.chosen_layers, recording, preparation)
        title = _title(request, recording)
        about = {"version": __version__, "title": title, "doubts": doubts, **config}
        return encoding_results.write(request.workdir, found, recording, about, request.n_bootstrap)


def _title(request: Request, recording: Recording) -> str:
    name = recording.subject or pathlib.PurePath(request.recording).stem
    return request.title or f"Encoding models of {name}"


def _preparation(request: Request, recording: Recording) -> PreparationConfig:
    split: Any = request.split or _default_split(recording)
    n_folds = request.n_folds
    if split in ("stimulus", "group") and n_folds is None:
        n_folds = min(FOLDS, _n_left_out(recording, split))
    return PreparationConfig(
        roi=request.roi,
        split=split,
        n_folds=n_folds,
        average_repeats="all",
        noise_scaling=False,
        transform=request.transform,
    )


def _default_split(recording: Recording) -> str:
    """The recording's own test set; else images, those together that depend on one another."""
    if set(recording.split.tolist()) - {TRAIN}:
        return "given"
    return "group" if recording.groups and _n_left_out(recording, "group") > 1 else "stimulus"


def _n_left_out(recording: Recording, split: str) -> int:
    """How many stimuli or groups training has."""
    labels = recording.stimulus
    if split == "group":
        labels = group_labels(recording, recording.distinct_images[recording.stimulus])
    return len(np.unique(labels[recording.split == TRAIN]))


def _config(
    request: Request, recording: Recording, preparation: PreparationConfig
) -> dict[str, Any]:
    """What predictions depend on, and where they come from, as plain JSON values."""
    kept = ("roi", "split", "n_folds", "transform")
    found = {
        "data": {
            "name": pathlib.PurePath(request.recording).name,
            "options": dict(request.data_options),
            "fingerprint": recording.fingerprint(),
            "simulated": recording.simulated,
            "description": recording.description,
            "subject": recording.subject,
            "spikes": request.spikes or recording.modality == "spikes",
        },
        "preparation": {name: getattr(preparation, name) for name in kept},
        "options": dataclasses.asdict(request.options),
    }
    if request.bank is not None:
        found["bank"] = request.bank.about()
    return json.loads(json.dumps(found))


def _parts(
    request: Request, recording: Recording, preparation: PreparationConfig, key: str
) -> list[dict[str, np.ndarray]]:
    """What each fold predicted, fitted where it is not there yet; as `encoding_folds.predict`."""
    n_folds = count_folds(recording, preparation)
    paths = [request.workdir / "folds" / f"{number}.npz" for number in range(n_folds)]
    kept = {number: encoding_folds.read(path, key) for number, path in enumerate(paths)}
    missing = [number for number, arrays in kept.items() if arrays is None]
    images = None
    prepared = folds(recording, preparation, skip=set(range(n_folds)) - set(missing))
    for number, fold in zip(missing, prepared, strict=True):
        logging.info("fold %d of %d: %s", number + 1, n_folds, fold.name)
        if images is None:
            images = encoding_folds.maps_of(fold, recording, request.options, request.bank)
        found = encoding_folds.predict(fold, images, request.options)
        encoding_folds.write(paths[number], found, key)
        kept[number] = found
    return [arrays for _, arrays in sorted(kept.items()) if arrays is not None]


def _found(
    parts: Sequence[Mapping[str, np.ndarray]],
    layers: Sequence[str],
    recording: Recording,
    preparation: PreparationConfig,
) -> encoding_results.Found:
    """The predictions of all folds together."""
    rows = [name for name in parts[0] if not name.startswith("weight/")]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in rows}
    models = [*layers, encoding_results.ALL][: len(layers) + (len(layers) > 1)]
    predicted = {model: joined[f"predicted/{number}"] for number, model in enumerate(models)}
    # Of the same fold, whose model has learned from neither of the two.
    others = [of_another_stimulus(part["stimulus"]) for part in parts]
    if all(rows is not None for rows in others):
        last = f"predicted/{len(models) - 1}"
        wrong = [part[last][rows] for part, rows in zip(parts, others, strict=True)]
        predicted[encoding_results.SHUFFLED] = np.concatenate(wrong)
    placed = {
        name: identification.Placed(ranks, int(joined["candidates"][0]))
        for name, ranks in joined.items()
        if name.startswith("above")
    }
    explainable = _explainable(recording, preparation, joined)
    return encoding_results.Found(
        Predictions(
            joined["measured"],
            predicted,
            joined["stimulus"],
            explainable,
            _groups(recording, joined["stimulus"]),
        ),
        recording.roi(preparation.roi),
        {
            name.removeprefix("weight/"): np.mean([part[name] for part in parts], axis=0)
            for name in parts[0]
            if name.startswith("weight/")
        },
        float(np.mean(joined["repeats"])),
        placed,
    )


def _groups(recording: Recording, stimulus: np.ndarray) -> np.ndarray:
    """(rows,) the unit of each: its stimulus, or all of its group or category, and near copies."""
    labels = [of[stimulus] for of in Labels.of(recording) if of is not None]
    shown, row = np.unique(stimulus, return_inverse=True)
    return independent_units(recording.images[shown][row], stimulus, *labels)


def _explainable(
    recording: Recording, preparation: PreparationConfig, joined: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """(voxels,) share of the variance of the tested averages that is signal; None if unknown."""
    fmri = recording.fmri[:, recording.roi(preparation.roi)]
    stimulus = recording.distinct_images[recording.stimulus]
    # An image may be seen in one set and imagined in another: only what is tested counts.
    tested = np.isin(stimulus, joined["stimulus"])
    tested &= recording.split == main_set(recording, preparation.split)
    try:
        ceiling = noise_ceiling(transformed(fmri[tested], preparation.transform), stimulus[tested])
    except InputError:  # nothing was repeated
        return None
    return ceiling.explainable(1 / float(np.mean(1 / joined["repeats"])))
