"""What one fold of a run decoded of a network's layers, as it is kept beside the fold's rows."""

import dataclasses
import json
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from fmri_jax.archives import CorruptError, read_npz
from fmri_jax.errors import one_line
from fmri_jax.evaluation.feature_scores import identification, pattern_correlation, varies
from fmri_jax.files import replacing

SAMPLE = (
    500  # units of a layer whose values are kept, for correlations over the images of all folds
)


@dataclasses.dataclass(frozen=True, eq=False)
class LayerScores:
    """Scores of one layer, decoded from several sources, on the rows of one test set.

    Attributes:
        pattern: (sources, n) pattern correlation of each row.
        identification: (sources, n) among the images of this test set and fold; NaN where it has
            one image only.
        true: (n, k) values of a fixed sample of units.
        decoded: (sources, n, k).
        units: (2,) how many units the layer has, and how many of them never vary in training.
    """

    pattern: np.ndarray
    identification: np.ndarray
    true: np.ndarray
    decoded: np.ndarray
    units: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class FoldFeatures:
    """Decoded features of one fold.

    Attributes:
        regions: names of the regions that layers were decoded from, one by one. The sources of
            every `LayerScores` are what the method decodes, the best prediction in the span of the
            training features, then these.
        sets: test set -> layer -> scores.
        stimulus: test set -> (n,) which image each row shows.
        recovered: (m, h, w, c) what the renderer makes of true features of test images; none where
            it cannot be asked.
        recovered_stimulus: (m,) of which images.
    """

    regions: tuple[str, ...]
    sets: dict[str, dict[str, LayerScores]]
    stimulus: dict[str, np.ndarray]
    recovered: np.ndarray
    recovered_stimulus: np.ndarray


def score_layer(
    true: Any, sources: Iterable[Any], mean: Any, deviation: Any, stimulus: np.ndarray
) -> LayerScores:
    """Scores what several sources decode of one layer.

    Args:
        true: (n, ...) features of the images that the rows show.
        sources: of each the decoded features (n, ...), made one after the other.
        mean: (...) of each unit over the training images.
        deviation: (...) its standard deviation there.
        stimulus: (n,) which image each row shows.
    """
    true = np.asarray(true)
    flat = true.reshape(len(true), -1)
    units = np.random.default_rng(0).permutation(flat.shape[1])[:SAMPLE]  # the same in all folds
    several = len(np.unique(stimulus)) > 1
    patterns, identified, values = [], [], []
    for source in sources:
        decoded = np.asarray(source)
        patterns.append(pattern_correlation(true, decoded, mean, deviation))
        own = identification(true, decoded, stimulus) if several else np.full(len(true), np.nan)
        identified.append(own)
        values.append(decoded.reshape(len(true), -1)[:, units])
    counts = np.array([flat.shape[1], np.sum(~varies(mean, deviation))])
    return LayerScores(
        np.stack(patterns), np.stack(identified), flat[:, units], np.stack(values), counts
    )


def write(path: pathlib.Path, found: FoldFeatures) -> None:
    """Writes the decoded features of a finished fold."""
    names = {
        "regions": found.regions,
        "sets": list(found.sets),
        "layers": list(next(iter(found.sets.values()))),
    }
    arrays: dict[str, Any] = {
        "names": np.array(json.dumps(names)),
        "recovered": found.recovered,
        "recovered_stimulus": found.recovered_stimulus,
    }
    for i, (split, layers) in enumerate(found.sets.items()):
        arrays[f"{i}.stimulus"] = found.stimulus[split]
        for j, scores in enumerate(layers.values()):
            arrays |= {f"{i}.{j}.{name}": array for name, array in vars(scores).items()}
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as unfinished, unfinished.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def read(path: pathlib.Path) -> FoldFeatures:
    """Reads what `write` wrote.

    Raises:
        CorruptError: the file cannot be read.
    """
    fields = [field.name for field in dataclasses.fields(LayerScores)]
    try:
        arrays = read_npz(path)
        names = json.loads(str(arrays["names"]))
        sets = {
            split: {
                layer: LayerScores(*(arrays[f"{i}.{j}.{field}"] for field in fields))
                for j, layer in enumerate(names["layers"])
            }
            for i, split in enumerate(names["sets"])
        }
        stimulus = {split: arrays[f"{i}.stimulus"] for i, split in enumerate(names["sets"])}
        images = arrays["recovered"], arrays["recovered_stimulus"]
        return FoldFeatures(tuple(names["regions"]), sets, stimulus, *images)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptError(one_line(error)) from error
