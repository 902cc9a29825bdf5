"""Several runs of one experiment side by side: mean scores, and tests on the images they share."""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.evaluation import registry
from fmri_jax.evaluation.intervals import Score, Statistic, interval, mean_of_sums, with_ones
from fmri_jax.evaluation.notes import Note, know_test_images
from fmri_jax.evaluation.pair import Pair
from fmri_jax.evaluation.permutation import Difference, training_share
from fmri_jax.evaluation.permutation import compare as paired
from fmri_jax.files import place
from fmri_jax.report import run_notes
from fmri_jax.report.comparison import image_matching
from fmri_jax.report.io.workdir import Workdir, read

ENOUGH_SEEDS = 3  # below, the spread over random starts is not known

# One workdir, or one for each seed.
Paths = pathlib.Path | Sequence[pathlib.Path]


@dataclasses.dataclass(frozen=True)
class Variant:
    """One row of the comparison: the runs of one config, one for each seed."""

    name: str
    runs: tuple[Workdir, ...]
    over_subjects: str = ""  # the name that variants of several subjects were given together

    @property
    def first(self) -> Workdir:
        """The run whose pictures are shown."""
        return self.runs[0]

    @functools.cached_property
    def rows(self) -> np.ndarray:
        """The test rows by stimulus, so that variants can be paired row by row."""
        rows = self.first.rows(self.first.main)
        return rows[np.argsort(self.first.stimulus[rows], kind="stable")]

    @functools.cached_property
    def stimulus(self) -> np.ndarray:
        """The stimulus of each of `rows`."""
        return self.first.stimulus[self.rows]

    @functools.cached_property
    def stimuli(self) -> np.ndarray:
        """The different stimuli of the test rows, in ascending order."""
        return np.unique(self.stimulus)

    @functools.cached_property
    def images(self) -> np.ndarray:
        """The target of each of `stimuli`."""
        return self.first.targets[self.rows[np.searchsorted(self.stimulus, self.stimuli)]]

    @property
    def subject(self) -> str:
        """Who was recorded; "" where it is not known."""
        return str(self.first.data.get("subject") or "")

    @functools.cached_property
    def units(self) -> np.ndarray:
        """The independent unit of each of `rows`: its stimulus, or a group of dependent ones."""
        return self.first.scores.units(self.first.stimulus)[self.rows]

    @property
    def n_units(self) -> int:
        """How many independent test images or groups of them there are."""
        return len(np.unique(self.units))

    @property
    def few_starts(self) -> bool:
        """Whether its models may have come out so by the luck of few random starts.

        A method that is trained in steps leaves curves, and starts from random numbers; one that
        is solved in closed form does neither.
        """
        return len(self.runs) < ENOUGH_SEEDS and any(run.curves for run in self.runs)

    @functools.cached_property
    def notes(self) -> tuple[list[Note], ...]:
        """The notes of each run."""
        return tuple(map(run_notes.of_run, self.runs))

    @functools.cached_property
    def knows_test_images(self) -> bool:
        """Whether test images were also shown in training: it may recognise what it is to make."""
        return any(know_test_images(found) for found in self.notes)

    @functools.cached_property
    def scores(self) -> dict[str, dict[str, Score]]:
        """'test' (the main test set, whatever its name) and 'train' -> metric -> mean over seeds.

        The interval is the run's own where there is one seed. With several it is that over
        stimuli of the per-image values, averaged over seeds first: seeds are no further evidence
        about other images.
        """
        return {
            split: {
                metric: self._over_seeds(split, metric)
                for metric in registry.ordered(set(self.first.scores.of(split)))
            }
            for split in ("test", "train")
        }

    def _over_seeds(self, split: str, metric: str) -> Score:
        found = [run.scores.of(split).get(metric) for run in self.runs]
        scores = [score for score in found if score is not None]
        if len(scores) < len(self.runs):
            return Score(math.nan)
        if len(scores) == 1:
            return scores[0]
        value = float(np.mean([score.value for score in scores]))
        sums = self.sums(metric) if split == "test" else None
        if sums is None:
            return Score(value)
        pooled = interval(*sums, self.units)
        return Score(value, pooled.low, pooled.high).within(registry.metric(metric).limits)

    @functools.cached_property
    def spread(self) -> dict[str, float]:
        """Metric -> standard deviation of the test score over seeds; NaN for a single seed."""
        spread = {}
        for metric in self.first.scores.test:
            values = [run.scores.test.get(metric, Score(math.nan)).value for run in self.runs]
            spread[metric] = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
        return spread

    def sums(self, metric: str) -> tuple[np.ndarray, Statistic] | None:
        """Columns of each test row whose sums give the score, averaged over seeds.

        Returns:
            (rows, columns) and the function of the summed columns; None where the run has no value
            of some image.
        """
        known = registry.metric(metric)
        if known.statistic and known.compute:
            pairs = [Pair(r.targets[self.rows], r.reconstructions[self.rows]) for r in self.runs]
            columns = [c for pair in pairs if (c := known.compute(pair)) is not None]
            return (np.mean(columns, axis=0), known.statistic) if columns else None
        values = [run.scores.column(metric, len(run.split))[self.rows] for run in self.runs]
        mean = np.mean(values, axis=0)
        return (with_ones(mean), mean_of_sums) if np.isfinite(mean).all() else None


def read_variants(workdirs: Mapping[str, Paths]) -> list[Variant]:
    """Reads the runs of every variant.

    Raises:
        InputError: there is no variant, a workdir cannot be read, or the seeds of a variant were
            tested on different images.
    """
    if not workdirs:
        raise InputError("There is nothing to compare: give at least one finished run.")
    variants = []
    for name, paths in workdirs.items():
        listed = [paths] if isinstance(paths, (str, pathlib.Path)) else list(paths)
        if not listed:
            raise InputError(f"Variant {name!r} has no workdir: give at least one finished run.")
        places = [place(path).resolve() for path in listed]
        if twice := [path for path in places if places.count(path) > 1]:
            raise InputError(
                f"{twice[0]} is given twice for variant {name!r}: expected a run of its own for "
                "each seed or subject."
            )
        runs = tuple(read(place(path)) for path in listed)
        variants += _by_subject(name, runs)
    return variants


def _by_subject(name: str, runs: Sequence[Workdir]) -> list[Variant]:
    """One variant of the runs that one name was given to, or one for each of several subjects.

    Raises:
        InputError: seeds were tested on different images.
    """
    subjects: dict[str, list[Workdir]] = {}
    for run in runs:
        subjects.setdefault(str(run.data.get("subject") or ""), []).append(run)
    found = []
    for subject, seeds in subjects.items():
        for run in seeds[1:]:
            same = np.array_equal(run.stimulus, seeds[0].stimulus)
            if not (same and np.array_equal(run.split, seeds[0].split)):
                raise InputError(
                    f"{run.path} and {seeds[0].path} are seeds of variant {name!r} but were tested "
                    "on different images: give them names of their own."
                )
        several = len(subjects) > 1
        full = f"{name}, {subject or 'unnamed subject'}" if several else name
        found.append(Variant(full, tuple(seeds), name if several else ""))
    return found


def by_images(variants: Sequence[Variant]) -> list[list[Variant]]:
    """The variants in groups of the same test images, in the order of their first ones."""
    groups: list[list[Variant]] = []
    for variant in variants:
        group = next((found for found in groups if same_images(variant, found[0])), None)
        if group is None:
            groups.append([variant])
        else:
            group.append(variant)
    return groups


def simulated_mark(variant: Variant, variants: Sequence[Variant]) -> str:
    """What is added to a row's name: that its data are simulated, unless those of every row are."""
    everywhere = all(other.first.simulated for other in variants)
    return " (simulated)" if variant.first.simulated and not everywhere else ""


def distinguished(label: str, variants: Sequence[Variant], kind: str) -> str:
    """The label of a row that is no variant, with its kind where a variant has the same name."""
    return f"{label} ({kind})" if any(v.name == label for v in variants) else label


def difference(variant: Variant, other: Variant, metric: str) -> Difference | None:
    """Paired comparison of two variants over the test stimuli; None where they cannot be paired."""
    order = None if variant is other else matching(variant, other)
    if order is None:
        return None
    if metric not in variant.first.scores.test or metric not in other.first.scores.test:
        return None
    ours, theirs = variant.sums(metric), other.sums(metric)
    if ours is None or theirs is None:
        return None
    (columns, statistic), units, others = ours, variant.units, theirs[0]
    if not np.array_equal(variant.stimulus, other.stimulus):
        # One has averaged trials, or numbers its images otherwise: each image counts once.
        columns, others = _by_stimulus(variant, columns), _by_stimulus(other, others)[order]
        units = units[np.searchsorted(variant.stimulus, variant.stimuli)]
    return paired(columns, others, units, statistic, training=_training(variant, other))


def _training(variant: Variant, other: Variant) -> float:
    """How far their difference varies with training: with that of fewer images."""
    trained = min(v.first.scores.training_images for v in (variant, other))
    return training_share(len(variant.stimuli), trained)


def _by_stimulus(variant: Variant, columns: np.ndarray) -> np.ndarray:
    """(stimuli, columns) means over the test rows of each stimulus."""
    places = np.searchsorted(variant.stimuli, variant.stimulus)
    sums = np.zeros((len(variant.stimuli), columns.shape[1]))
    np.add.at(sums, places, columns)
    return sums / np.bincount(places)[:, None]


def same_images(variant: Variant, other: Variant) -> bool:
    """Whether both were tested on the same images, at whatever size, in whatever trials."""
    return matching(variant, other) is not None


def matching(variant: Variant, other: Variant) -> np.ndarray | None:
    """For each stimulus of a variant the place of the same image among those of another one.

    Images of one number are compared by their look, at the smaller of two sizes; those of
    recordings that number them otherwise are found by their pixels. None where they differ.
    """
    ours, theirs = variant.images, other.images
    if len(ours) != len(theirs):
        return None
    if np.array_equal(variant.stimuli, other.stimuli):
        if image_matching.same_images(ours, theirs).all():
            return np.arange(len(ours))
    return image_matching.places(ours, theirs)
