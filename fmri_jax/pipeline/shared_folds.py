"""A recording and its prepared folds, kept from one run of a sweep to the next.

Variants of an experiment mostly differ in the method alone. They then share the folds, and whatever
was computed from the training trials of a fold and does not depend on what differs: the baselines,
and what a method keeps with the trials (`Trials.once`), such as solutions that several of its
options have in common.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fmri_jax.data.preparation.folds import Fold, PreparationConfig, count_folds, folds
from fmri_jax.data.recording import Recording
from fmri_jax.pipeline import recording_identity
from fmri_jax.pipeline.experiment_config import Experiment
from fmri_jax.pipeline.shared_results import SharedResults


@dataclasses.dataclass
class SharedFolds:
    """What runs in one process share, as long as they use the same recording and preparation.

    Attributes:
        limit: bytes that kept folds may hold beside the images, with what was computed from them;
            0 keeps none. Folds beyond that are prepared again by each run.
        results: what their scores have in common.
    """

    limit: int = 2**30
    results: SharedResults = dataclasses.field(default_factory=SharedResults)
    _source: Any = None
    _loaded: Recording | None = None
    _recording: Recording | None = None  # that the kept folds are of
    _preparation: PreparationConfig | None = None
    _folds: dict[int, Fold] = dataclasses.field(default_factory=dict)
    _bytes: dict[int, int] = dataclasses.field(default_factory=dict)

    def recording(self, options: Experiment) -> Recording:
        """The recording of an experiment, loaded once as long as its files stay as they are."""
        source = (options.data_name, options.data_options, recording_identity.stamps(options))
        if self._loaded is None or source != self._source or not self.limit:
            self._folds.clear()
            self._loaded, self._source = recording_identity.load(options), source
        return self._loaded

    def folds(
        self, options: Experiment, recording: Recording, clusters: np.ndarray | None
    ) -> Iterator[Fold]:
        """The folds of an experiment; those that were kept are not prepared again.

        Args:
            options: the experiment.
            recording: its recording.
            clusters: as `folds` takes them.

        Yields:
            Every fold in its turn. It is kept once it was used, with all that was computed from it.
        """
        if recording is not self._recording or options.preparation != self._preparation:
            self._folds.clear()
            self._recording, self._preparation = recording, options.preparation
        missing = folds(recording, options.preparation, clusters, skip=frozenset(self._folds))
        for number in range(count_folds(recording, options.preparation, clusters)):
            fold = self._folds.get(number) or next(missing)
            try:
                yield fold
            finally:  # the last one, too, after which no other is asked for
                self._keep(number, fold)
            del fold  # or it would stay until the next one is prepared

    def _keep(self, number: int, fold: Fold) -> None:
        # All folds show the same images: they are not counted with each.
        self._bytes[number] = n_bytes(fold, {id(fold.train.images)})
        self._folds[number] = fold
        if sum(self._bytes[known] for known in self._folds) > self.limit:
            del self._folds[number]


def n_bytes(value: Any, counted: set[int]) -> int:
    """The size of all arrays in nested records and containers, each counted once.

    Args:
        value: an array, a dataclass, a mapping, a list or tuple of them; anything else is nothing.
        counted: identities of what was counted already; is added to.
    """
    if id(value) in counted:
        return 0
    counted.add(id(value))
    if hasattr(value, "nbytes"):
        return int(value.nbytes)
    if dataclasses.is_dataclass(value):
        parts = list(vars(value).values())
    elif isinstance(value, Mapping):
        parts = list(value.values())
    elif isinstance(value, list | tuple):
        parts = list(value)
    else:
        return 0
    return sum(n_bytes(part, counted) for part in parts)
