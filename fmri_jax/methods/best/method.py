"""Fitting every candidate to parts of the training stimuli, and the best one to all of them."""

import dataclasses
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from fmri_jax import digests, methods
from fmri_jax.data.preparation.folds import Trials
from fmri_jax.errors import InputError
from fmri_jax.evaluation.registry import METRICS
from fmri_jax.evaluation.scores import EvaluationConfig, score
from fmri_jax.methods import RunContext
from fmri_jax.methods.best.config import Candidate, Config
from fmri_jax.methods.best.reconstructor import BestReconstructor


@dataclasses.dataclass(frozen=True)
class Best:
    """The candidate of the best images of left-out training stimuli; see `Config`."""

    config: Config

    def fit(self, trials: Trials, context: RunContext) -> BestReconstructor:
        """Compares the candidates and fits the best one to all trials.

        Scores of finished inner fits stay in the run's folder, so that a run that was killed
        computes only the others.

        Raises:
            InputError: there are too few training stimuli, or a candidate cannot be fitted.
        """
        candidates = self.config.checked()
        groups = self._groups(trials, context.key)
        scores = []
        for one in candidates:
            each = [self._score(one, trials, groups == k, context, k) for k in np.unique(groups)]
            scores.append((one.label, float(np.mean(each))))
            logging.info("%s: %s %.3f by %s", context.fold, *scores[-1], self.config.measure)
        values = [value for _, value in scores]
        higher = METRICS[self.config.measure].better == "higher"
        chosen = candidates[int(np.argmax(values) if higher else np.argmin(values))]
        fitted = methods.package(chosen.name).build(chosen.config).fit(trials, context)
        return BestReconstructor(
            fitted, chosen.name, chosen.label, self.config.measure, tuple(scores)
        )

    def _groups(self, trials: Trials, key: jax.Array) -> np.ndarray:
        """(trials,) the inner fold that leaves each out; trials of a stimulus stay together."""
        seen, stimulus = np.unique(trials.stimulus, return_inverse=True)
        if len(seen) < 2 * self.config.n_inner:
            raise InputError(
                f"{len(seen)} training stimuli are too few to choose among methods by "
                f"{self.config.n_inner} inner folds: expected {2 * self.config.n_inner} or more; "
                "lower config.method.n_inner, or choose a method."
            )
        order = np.asarray(jax.random.permutation(key, len(seen)))
        return (order % self.config.n_inner)[stimulus]

    def _score(
        self, one: Candidate, trials: Trials, left_out: np.ndarray, context: RunContext, k: Any
    ) -> float:
        """Of the images that a candidate makes of the trials of an inner fold."""
        place = "".join(c if c.isalnum() else "_" for c in f"{context.fold} {one.label} {k}")
        folder = context.workdir / "inner" / place
        if (found := _read(folder / "score", one.label)) is not None:
            return found
        rest, tested = (trials.take(np.flatnonzero(rows)) for rows in (~left_out, left_out))
        within = dataclasses.replace(
            context, workdir=folder, key=jax.random.fold_in(context.key, k), kept=False
        )
        fitted = methods.package(one.name).build(one.config).fit(rest, within)
        images = np.asarray(fitted.reconstruct(jnp.asarray(tested.fmri)))
        options = EvaluationConfig(metrics=(self.config.measure,))
        value = score(tested.targets(), images, config=options)[self.config.measure]
        _write(folder / "score", one.label, float(value))
        return float(value)


def _read(folder: pathlib.Path, label: str) -> float | None:
    """The score that a finished inner fit left; None where there is none, or a damaged one."""
    if not folder.is_dir() or digests.damaged(folder) != []:
        return None
    kept = json.loads((folder / "score.json").read_text())
    return float(kept["score"]) if kept["candidate"] == label else None


def _write(folder: pathlib.Path, label: str, value: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "score.json").write_text(json.dumps({"candidate": label, "score": value}))
    digests.seal(folder)
