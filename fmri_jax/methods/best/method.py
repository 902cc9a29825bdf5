"""Fitting every candidate to parts of the training stimuli, and the best one to all of them."""

import dataclasses
import json
import pathlib
import shutil

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
        if jax.process_count() > 1 and any(
            methods.trains_together(one.name, one.config) for one in candidates
        ):
            raise InputError(
                "config.method.candidates has a GAN, which all processes train together, and the "
                "choice is made by one: run it in one process, or leave that candidate out."
            )
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
        """(trials,) the inner fold that leaves each out.

        Trials of a stimulus stay together, and so do those of stimuli that outer folds would keep
        together: a frame of a movie in training makes those that are left out easy.
        """
        stimuli, labels = len(np.unique(trials.stimulus)), trials.stimulus
        least, what = 2 * self.config.n_inner, "training stimuli"
        if trials.together is not None and stimuli >= least:
            labels = trials.together[labels]
            least, what = self.config.n_inner, "groups of training stimuli"
        units, unit = np.unique(labels, return_inverse=True)
        if len(units) < least:
            raise InputError(
                f"{len(units)} {what} are too few to choose among methods by "
                f"{self.config.n_inner} inner folds: expected {least} or more; "
                "lower config.method.n_inner, or choose a method."
            )
        order = np.asarray(jax.random.permutation(key, len(units)))
        return (order % self.config.n_inner)[unit]

    def _score(
        self, one: Candidate, trials: Trials, left_out: np.ndarray, context: RunContext, k: int
    ) -> float:
        """Of the images that a candidate makes of the trials of an inner fold."""
        fold = context.fold.replace(" ", "_")
        folder = context.workdir / "inner" / fold / f"{one.digest}_{k}"
        if (found := _read(folder / "score", self.config.measure)) is not None:
            return found
        folder.mkdir(parents=True, exist_ok=True)
        rest, tested = (trials.take(np.flatnonzero(rows)) for rows in (~left_out, left_out))
        within = dataclasses.replace(
            context, workdir=folder, key=jax.random.fold_in(context.key, k), kept=False
        )
        fitted = methods.package(one.name).build(one.config).fit(rest, within)
        images = np.asarray(fitted.reconstruct(jnp.asarray(tested.fmri)))
        seen = rest.images[np.unique(rest.stimulus)]
        options = EvaluationConfig(metrics=(self.config.measure,))
        value = score(tested.targets(), images, seen, config=options).get(self.config.measure)
        if value is None:
            raise InputError(
                f"config.method.measure is {self.config.measure!r}, which {len(images)} left-out "
                "images do not allow: expected another measure, such as 'pixel_correlation'."
            )
        _write(folder / "score", self.config.measure, float(value))
        for part in folder.iterdir():  # checkpoints of an inner fit serve nothing any more
            if part.name != "score":
                shutil.rmtree(part, ignore_errors=True) if part.is_dir() else part.unlink()
        return float(value)


def _read(folder: pathlib.Path, measure: str) -> float | None:
    """The score that a finished inner fit left; None where there is none, or a damaged one."""
    if not folder.is_dir() or digests.damaged(folder) != []:
        return None
    kept = json.loads((folder / "score.json").read_text())
    return float(kept[measure]) if measure in kept else None


def _write(folder: pathlib.Path, measure: str, value: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "score.json").write_text(json.dumps({measure: value}))
    digests.seal(folder)
