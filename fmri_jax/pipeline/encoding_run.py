"""Cross-validated encoding models of a recording, layer by layer: `fmri-jax encode`.

What each fold predicted lies in `folds/<number>.npz`: a run that was stopped resumes with the next
one.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from fmri_jax import data
from fmri_jax._version import __version__
from fmri_jax.archives import CorruptError, read_npz
from fmri_jax.data.preparation.folds import (
    Fold,
    PreparationConfig,
    Trials,
    count_folds,
    folds,
)
from fmri_jax.data.preparation.transform import Transform, transformed
from fmri_jax.data.recording import TRAIN, Recording
from fmri_jax.encoding import fitted, identification
from fmri_jax.encoding.feature_maps import Maps, pooled_maps
from fmri_jax.encoding.options import Options
from fmri_jax.errors import InputError
from fmri_jax.evaluation.encoding_scores import Predictions
from fmri_jax.evaluation.noise_ceiling import noise_ceiling
from fmri_jax.evaluation.repeats import of_another_stimulus
from fmri_jax.files import replacing, set_aside
from fmri_jax.pipeline import encoding_results, photograph_bank
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
    recording = data.load(request.recording, **request.data_options)
    preparation = _preparation(request, recording)
    config = _config(request, recording, preparation)
    with writing_to(request.workdir):
        claim(request.workdir, config)
        found = _predictions(request, recording, preparation, digest(config))
        about = {"version": __version__, "title": _title(request, recording), **config}
        return encoding_results.write(request.workdir, found, recording, about, request.n_bootstrap)


def _title(request: Request, recording: Recording) -> str:
    name = recording.subject or pathlib.PurePath(request.recording).stem
    return request.title or f"Encoding models of {name}"


def _preparation(request: Request, recording: Recording) -> PreparationConfig:
    own = bool(set(recording.split.tolist()) - {TRAIN})
    split: Any = request.split or ("given" if own else "stimulus")
    n_folds = request.n_folds
    if split == "stimulus" and n_folds is None:
        n_folds = min(FOLDS, len(np.unique(recording.stimulus[recording.split == TRAIN])))
    return PreparationConfig(
        roi=request.roi,
        split=split,
        n_folds=n_folds,
        average_repeats="all",
        noise_scaling=False,
        transform=request.transform,
    )


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
            "spikes": request.spikes,
        },
        "preparation": {name: getattr(preparation, name) for name in kept},
        "options": dataclasses.asdict(request.options),
    }
    if request.bank is not None:
        found["bank"] = request.bank.about()
    return json.loads(json.dumps(found))


def _predictions(
    request: Request, recording: Recording, preparation: PreparationConfig, key: str
) -> encoding_results.Found:
    """What all folds predicted, fitted where it is not there yet."""
    n_folds = count_folds(recording, preparation)
    kept = {number: _read(_path(request, number), key) for number in range(n_folds)}
    missing = [number for number, arrays in kept.items() if arrays is None]
    maps, learned = None, {}
    prepared = folds(recording, preparation, skip=set(range(n_folds)) - set(missing))
    for number, fold in zip(missing, prepared, strict=True):
        logging.info("fold %d of %d: %s", number + 1, n_folds, fold.name)
        if maps is None:
            maps = _maps(fold, recording, request)
        kept[number] = _fitted(fold, maps, request.options)
        _write(_path(request, number), kept[number], key)
    parts = [arrays for _, arrays in sorted(kept.items()) if arrays is not None]
    layers = request.options.chosen_layers
    joined = {name: np.concatenate([part[name] for part in parts]) for name in _rows(parts[0])}
    models = [*layers, encoding_results.ALL][: len(layers) + (len(layers) > 1)]
    predicted = {model: joined[f"predicted/{number}"] for number, model in enumerate(models)}
    others = of_another_stimulus(joined["stimulus"])
    if others is not None:
        predicted[encoding_results.SHUFFLED] = predicted[models[-1]][others]
    explainable = _explainable(recording, preparation, joined)
    found = Predictions(joined["measured"], predicted, joined["stimulus"], explainable)
    learned = {
        name.removeprefix("weight/"): np.mean([part[name] for part in parts], axis=0)
        for name in parts[0]
        if name.startswith("weight/")
    }
    voxels = recording.roi(preparation.roi)
    above = {name: ranks for name, ranks in joined.items() if name.startswith("above")}
    placed = {
        name: identification.Placed(ranks, int(joined["candidates"][0]))
        for name, ranks in above.items()
    }
    repeats = float(np.mean(joined["repeats"]))
    return encoding_results.Found(found, voxels, learned, repeats, placed)


class _Images(NamedTuple):
    """Maps of what was shown, and of photographs that were not."""

    stimuli: np.ndarray  # (n,) numbers of the images that were shown, rising
    shown: Maps
    others: Maps | None


def _maps(fold: Fold, recording: Recording, request: Request) -> _Images:
    stimuli = np.unique(recording.distinct_images[recording.stimulus])
    source = request.options.source
    others = None
    if request.bank is not None:
        others = pooled_maps(photograph_bank.read(request.bank, recording.images), *source)
    return _Images(stimuli, pooled_maps(fold.train.images[stimuli], *source), others)


def _fitted(fold: Fold, images: _Images, options: Options) -> dict[str, np.ndarray]:
    """Predictions of a fold's test stimuli by each layer alone, and by all of them."""
    test = fold.main_test()
    rows = {
        "train": np.searchsorted(images.stimuli, np.unique(fold.train.stimulus)),
        "test": np.searchsorted(images.stimuli, test.stimulus),
    }
    found = {
        "measured": test.fmri,
        "stimulus": test.stimulus,
        "repeats": np.broadcast_to(np.asarray(test.repeats, np.float64), len(test.stimulus)),
    }
    layers = options.chosen_layers
    alone = [(layer,) for layer in layers]
    for number, chosen in enumerate([*alone, layers] if len(layers) > 1 else alone):
        inside, outside = (
            {layer: images.shown[layer][rows[part]] for layer in chosen}
            for part in ("train", "test")
        )
        last = len(chosen) == len(layers)
        # Of single layers the noise is not asked for.
        own = dataclasses.replace(options, layers=chosen, rank=options.rank if last else 0)
        model = fitted.fit(inside, fold.train.fmri, fold.train.stimulus, own)
        # The training trials are standardised already: their mean is 0 and their deviation 1.
        found[f"predicted/{number}"] = model.recorded(model.from_maps(outside))
        if last and hasattr(model.readout, "weights"):
            weights = model.readout.weights.items()
            found |= {f"weight/{layer}": np.asarray(each) for layer, each in weights}
        if last and images.others is not None:
            found |= _identified(model, test, outside, images.others)
    return found


def _identified(
    model: fitted.Encoding, test: Trials, outside: Maps, others: Maps
) -> dict[str, np.ndarray]:
    """How many other photographs are more likely than the own one; and by wrong responses."""
    own, candidates = model.from_maps(outside), model.from_maps(others)
    measured = model.scale.apply(test.fmri, np.ones(len(test.fmri)))
    found = {"above": identification.place(model.errors, measured, own, candidates).above}
    wrong = of_another_stimulus(test.stimulus)
    if wrong is not None:
        placed = identification.place(model.errors, measured[wrong], own, candidates)
        found["above_by_wrong"] = placed.above
    return {**found, "candidates": np.full(len(own), len(candidates))}


def _explainable(
    recording: Recording, preparation: PreparationConfig, joined: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """(voxels,) share of the variance of the tested averages that is signal; None if unknown."""
    fmri = recording.fmri[:, recording.roi(preparation.roi)]
    stimulus = recording.distinct_images[recording.stimulus]
    given = preparation.split == "given"
    tested = np.isin(stimulus, joined["stimulus"]) & ((recording.split != TRAIN) == given)
    try:
        ceiling = noise_ceiling(transformed(fmri[tested], preparation.transform), stimulus[tested])
    except InputError:  # nothing was repeated
        return None
    return ceiling.explainable(1 / float(np.mean(1 / joined["repeats"])))


def _path(request: Request, number: int) -> pathlib.Path:
    return request.workdir / "folds" / f"{number}.npz"


def _rows(part: Mapping[str, np.ndarray]) -> list[str]:
    return [name for name in part if not name.startswith("weight/")]


def _write(path: pathlib.Path, arrays: Mapping[str, np.ndarray] | None, key: str) -> None:
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, allow_pickle=False, key=np.asarray(key), **(arrays or {}))


def _read(path: pathlib.Path, key: str) -> dict[str, np.ndarray] | None:
    """What a finished fold has kept; None where there is none, or it is of other options."""
    if not path.is_file():
        return None
    try:
        arrays = read_npz(path)
        if str(arrays.pop("key", "")) == key:
            return arrays
    except (OSError, CorruptError):
        pass
    logging.warning("%s is corrupt: its fold is fitted again.", path)
    set_aside(path)
    return None
