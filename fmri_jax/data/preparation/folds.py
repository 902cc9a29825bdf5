"""From a recording to standardised trials for training and testing, fold by fold.

What is estimated (a voxel's mean and standard deviation) is estimated on the training trials of the
fold alone, and a test trial is transformed on its own: it gives the same row alone as among others.
"""

import dataclasses
from collections.abc import Callable, Container, Hashable, Iterator
from typing import Annotated, Any, Literal, TypeVar

import numpy as np

from fmri_jax.config import OptionalInt, OptionalStr
from fmri_jax.data import images as image_stacks
from fmri_jax.data.captions import Captions
from fmri_jax.data.preparation import run_centring, splits
from fmri_jax.data.preparation.standardise import VoxelScale
from fmri_jax.data.preparation.transform import Transform, transformed
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError

_SEVERAL_RUNS = -1  # the run of an average over trials of more than one run
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class PreparationConfig:
    """How trials are split, selected and scaled."""

    fmri: Literal["recorded", "noise"] = "recorded"  # "noise": the baseline without any fMRI
    roi: str = "all"  # ROI expression; "all" takes every voxel
    image_size: OptionalInt = None  # px, side of the square target images; None: as recorded
    # What is tested: the recording's own test set, or what is left out in turn. "group" keeps
    # images together that the recording says depend on one another, such as frames of a movie.
    split: Literal["given", "stimulus", "run", "cluster", "group"] = "given"
    n_folds: OptionalInt = None  # groups are split into so many (clusters: made); None: one each
    # Share of the training stimuli, or of their groups, that is tested on, the test set unseen.
    validation: float = 0.0
    average_repeats: Literal["test", "none", "all"] = "test"  # trials that are averaged by stimulus
    noise_scaling: bool = True  # enlarge averaged test trials to the noise level of training
    standardise: bool = True  # z-score each voxel by the training mean and standard deviation
    # Of each voxel in each run.
    run_centring: Annotated[Literal["centre", "zscore", "percent"] | None, ""] = None
    # "sqrt": square root of each trial's responses, for counts.
    transform: Annotated[Transform | None, ""] = None
    # Numbers that responses are reduced to, by a linear map that training has learned for what the
    # method decodes; None: the voxels themselves.
    bottleneck: OptionalInt = None
    # "gaussian": the components of such a kernel take the place of voxels, so that linear methods
    # become kernel methods; for few voxels or neurons that answered to many stimuli.
    kernel: Literal["linear", "gaussian"] = "linear"
    # Folder or zip of photographs that nobody viewed: training has simulated trials of them, too,
    # by an encoding model of the fold's training trials; None: recorded trials alone.
    unlabelled: OptionalStr = None
    n_unlabelled: int = 5000  # how many of these photographs, one trial each
    unlabelled_features: str = "efficientnet_lite0"  # network by which responses are predicted
    # "shuffled": the control, a model of training images that are assigned to wrong responses.
    unlabelled_model: Literal["fitted", "shuffled"] = "fitted"

    def __post_init__(self) -> None:
        """Rejects a bottleneck that nothing passes, no photographs, and what excludes a kernel."""
        if self.bottleneck is not None and self.bottleneck < 1:
            raise InputError(f"config.preparation.bottleneck is {self.bottleneck}: expected >= 1.")
        if self.n_unlabelled < 1:
            raise InputError(
                f"config.preparation.n_unlabelled is {self.n_unlabelled}: expected >= 1."
            )
        if self.unlabelled and self.bottleneck:
            raise InputError(
                "config.preparation has both unlabelled and bottleneck: expected one of the two."
            )
        self._check_kernel()

    def _check_kernel(self) -> None:
        if self.kernel == "linear":
            return
        if self.bottleneck or self.unlabelled:
            other = "bottleneck" if self.bottleneck else "unlabelled"
            raise InputError(
                f"config.preparation has {other}, and kernel is {self.kernel!r}: expected one of "
                "the two."
            )
        if self.noise_scaling:
            raise InputError(
                f"config.preparation.kernel is {self.kernel!r}, which answers to responses of the "
                "size of training's: set config.preparation.noise_scaling to False."
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Trials:
    """Trials that are ready for a method.

    Attributes:
        fmri: (n, voxels) float32, standardised.
        stimulus: (n,) int32, index into `images`.
        images: (stimuli, height, width, channels) uint8, every image of the recording at the
            prepared size. Only those that `stimulus` names were shown in these trials: take them
            through `targets`.
        run: (n,) int32; -1 for an average over several runs.
        stimulus_names: one name per image.
        repeats: (n,) recorded trials that each row is the average of, or one number for all.
        gain: (n,) what each row's distance from the training mean was multiplied by, or one number.
        captions: those of each image of the recording; empty where it has none.
        together: (stimuli,) labels of images that are no evidence beside one another, such as
            frames of one movie: validation and the choice among methods leave them out together
            (penalties are chosen by leaving single stimuli out); None: each by itself.
        responses: (n, voxels), where `fmri` holds numbers that a recoding has put in their place.
    """

    fmri: np.ndarray
    stimulus: np.ndarray
    images: np.ndarray
    run: np.ndarray
    stimulus_names: tuple[str, ...]
    repeats: np.ndarray | int = 1
    gain: np.ndarray | float = 1.0
    captions: Captions = ()
    together: np.ndarray | None = None
    responses: np.ndarray | None = None
    _computed: dict[Hashable, Any] = dataclasses.field(default_factory=dict, init=False, repr=False)

    def once(self, name: Hashable, compute: Callable[[], _T]) -> _T:
        """What `compute` makes of these trials, computed when it is first asked for by `name`.

        Runs that are fitted to the same trials share it; other trials, such as those that `take`
        returns, start without.
        """
        if name not in self._computed:
            self._computed[name] = compute()
        return self._computed[name]

    def take(self, rows: np.ndarray) -> "Trials":
        """The trials that `rows`, indices, names."""
        n = len(self.fmri)
        return dataclasses.replace(
            self,
            fmri=self.fmri[rows],
            stimulus=self.stimulus[rows],
            run=self.run[rows],
            repeats=np.broadcast_to(self.repeats, n)[rows],
            gain=np.broadcast_to(self.gain, n)[rows],
            responses=None if self.responses is None else self.responses[rows],
        )

    def targets(self) -> np.ndarray:
        """(n, height, width, channels) float32 in [0, 1]: the image shown in each trial."""
        return self.images[self.stimulus].astype(np.float32) / np.float32(255)


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """One split of a recording into training and test trials.

    Attributes:
        name: "all" for the recording's own split, else what is left out: "stimulus 3", "run 21",
            "stimulus group 2 of 9".
        train: the training trials.
        tests: test set name -> trials; "test" comes first.
        voxels: (voxels of the recording,) bool, the chosen ROI.
        shared_stimuli: how many images are shown in training and in a test set alike. Zero, except
            where runs are left out of a recording that repeats its images over runs: the scores
            then measure how well known images are recognised, and the report says so.
        scale: mean and standard deviation of each chosen voxel over the training trials.
        training_repeats: trials that a training row averages, their harmonic mean.
        runs_centred_by_test: how many runs `run_centring` estimated from test trials, for want of
            training trials in these runs: a leak among the test images.
        recoding: standardised responses (n, voxels) -> the numbers (n, k), of a bottleneck or a
            kernel, that trials hold in their place; None: they hold responses.
    """

    name: str
    train: Trials
    tests: dict[str, Trials]
    voxels: np.ndarray
    shared_stimuli: int = 0
    scale: VoxelScale | None = None
    training_repeats: float = 1.0
    runs_centred_by_test: int = 0
    recoding: Any = None

    @property
    def is_only(self) -> bool:
        """Whether this is the recording's own split, beside which there is no other fold."""
        return self.name == splits.WHOLE

    def main_test(self) -> Trials:
        """The test set that comes first."""
        return self.tests[next(iter(self.tests))]

    def distractors(self) -> np.ndarray:
        """(n,) training images that are not the row's own, for each row of the main test set."""
        seen = np.unique(self.train.stimulus)
        return len(seen) - np.isin(self.main_test().stimulus, seen)

    def tests_averages(self) -> bool:
        """Whether rows of the main test set average more trials than those of training do."""
        return bool(np.mean(self.main_test().repeats) > np.mean(self.train.repeats))

    def without_responses(self) -> "Fold":
        """What was shown, with trials of no voxel: responses of many folds fill the memory."""

        def emptied(trials: Trials) -> Trials:
            nothing = np.empty((len(trials.fmri), 0), np.float32)
            return dataclasses.replace(trials, fmri=nothing, responses=None)

        tests = {name: emptied(trials) for name, trials in self.tests.items()}
        return dataclasses.replace(self, train=emptied(self.train), tests=tests)


def folds(
    recording: Recording,
    options: PreparationConfig,
    clusters: np.ndarray | None = None,
    skip: Container[int] = (),
) -> Iterator[Fold]:
    """Splits a recording into one fold ("given") or one per left-out group (all others).

    With `validation` a random share of each fold's training stimuli, or of the groups or clusters
    that they form, stands in for its test set, so that options can be chosen without a look at it.

    Leaving groups out divides the training trials only: test sets that the recording names stay
    unseen. Stimuli with identical pixels are one stimulus, the first of them.

    Averaging the n repeats of an image divides the noise's standard deviation by sqrt(n). A row of
    training is the mean of m repeats (m = 1 unless `average_repeats="all"`), so with
    `noise_scaling` the z-scored average is multiplied by sqrt(n / m): its noise is then as large as
    in training. At the 24 repeats of Shen et al. (2019) that is their factor of 4.9. Where m
    differs between training images its harmonic mean is taken, because the mean noise variance of
    the training rows is proportional to the mean of 1 / m.

    Args:
        recording: the recording.
        options: how to split, select and scale.
        clusters: (stimuli,) which cluster of similar images each belongs to, for "cluster"; see
            `fmri_jax.evaluation.clusters`.
        skip: numbers of folds that are not needed.

    Yields:
        Folds with standardised trials.

    Raises:
        InputError: the ROI does not exist, or the recording cannot be split in this way.
    """
    voxels = recording.roi(options.roi)
    images = recording.images
    if options.image_size:
        images = image_stacks.resize(images, options.image_size)
    responses = recording.fmri if voxels.all() else recording.fmri[:, voxels]
    responses = transformed(responses, options.transform)
    stimulus = recording.distinct_images[recording.stimulus]
    recorded = Trials(
        responses,
        stimulus,
        images,
        recording.run,
        recording.stimulus_names,
        captions=recording.captions,
        together=splits.together(recording, options.split, clusters),
    )
    assigned = splits.assign(recording, stimulus, options.split, options.n_folds, clusters)
    for number, split in enumerate(assigned):
        if number not in skip:
            yield _fold(number, split, recorded, voxels, options)


def count_folds(
    recording: Recording, options: PreparationConfig, clusters: np.ndarray | None = None
) -> int:
    """How many `folds` there are; arguments and errors as there."""
    stimulus = recording.distinct_images[recording.stimulus]
    assigned = splits.assign(recording, stimulus, options.split, options.n_folds, clusters)
    return sum(1 for _ in assigned)


def _fold(
    number: int,
    split: splits.Split,
    recorded: Trials,
    voxels: np.ndarray,
    options: PreparationConfig,
) -> Fold:
    name, train, tests = split
    if options.validation:
        labels, together = recorded.stimulus, recorded.together
        labels = labels if together is None else together[labels]
        train, tests = splits.hold_out(train, labels, options.validation)
    by_test = 0
    if options.run_centring:
        test = np.unique(np.concatenate(list(tests.values())))
        fmri, by_test = run_centring.centred(
            recorded.fmri, recorded.run, train, test, options.run_centring
        )
        recorded = dataclasses.replace(recorded, fmri=fmri)
    training, others, scale = _prepare(recorded, train, tests, options)
    if options.fmri == "noise":
        training, *replaced = _noise(number, training, *others.values())
        others = dict(zip(others, replaced, strict=True))
    seen = set(training.stimulus.tolist())
    shown = set(np.concatenate([t.stimulus for t in others.values()]).tolist())
    return Fold(
        name=name,
        train=training,
        tests=others,
        voxels=voxels,
        shared_stimuli=len(seen & shown),
        scale=scale,
        training_repeats=harmonic_mean(training.repeats),
        runs_centred_by_test=by_test,
    )


def _noise(fold: int, *parts: Trials) -> list[Trials]:
    """The same trials with standard normal numbers for voxels: what the images alone give away."""
    random = np.random.default_rng(fold)  # of its own, or every fold would test on the same rows
    return [
        dataclasses.replace(part, fmri=random.standard_normal(part.fmri.shape, np.float32))
        for part in parts
    ]


def _prepare(
    recorded: Trials, train: np.ndarray, tests: dict[str, np.ndarray], options: PreparationConfig
) -> tuple[Trials, dict[str, Trials], VoxelScale]:
    """Averages, standardises and scales the trials of one fold; training, tests, statistics."""
    training = _take(recorded, train, average=options.average_repeats == "all")
    scale = VoxelScale.fit(training.fmri, options.standardise)
    reference = harmonic_mean(training.repeats)  # of a training row
    prepared = {}
    for name, rows in tests.items():
        test = _take(recorded, rows, average=options.average_repeats != "none")
        gain = np.sqrt(test.repeats / reference)
        if not options.noise_scaling or options.average_repeats == "none":
            gain = np.ones_like(gain)
        prepared[name] = dataclasses.replace(test, fmri=scale.apply(test.fmri, gain), gain=gain)
    ones = np.ones(len(training.fmri))
    return dataclasses.replace(training, fmri=scale.apply(training.fmri, ones)), prepared, scale


def harmonic_mean(repeats: np.ndarray | int) -> float:
    """Of how many trials rows average: the noise variance of an average goes with 1 / repeats."""
    return float(1 / np.mean(1 / np.asarray(repeats)))


def _take(recorded: Trials, rows: np.ndarray, average: bool) -> Trials:
    """Chosen trials, averaged over the repeats of a stimulus or not."""
    if not average:
        return recorded.take(rows)
    fmri, shown, run, repeats = average_trials(
        recorded.fmri[rows], recorded.stimulus[rows], recorded.run[rows]
    )
    return dataclasses.replace(
        recorded, fmri=fmri, stimulus=shown, run=run, repeats=repeats, gain=np.ones(len(shown))
    )


def average_trials(
    fmri: np.ndarray, stimulus: np.ndarray, run: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Averages trials over the repeats of a stimulus.

    Args:
        fmri: (n, voxels) float32.
        stimulus: (n,) which stimulus each trial showed.
        run: (n,) the run of each trial.

    Returns:
        Averages (stimuli, voxels) float32, their stimuli in ascending order, the run (-1 where
        there are several) and the number of trials of each.
    """
    shown = np.unique(stimulus)
    groups = [np.flatnonzero(stimulus == s) for s in shown]
    means = np.stack([fmri[g].mean(axis=0, dtype=np.float64) for g in groups])
    runs = [run[g[0]] if (run[g] == run[g[0]]).all() else _SEVERAL_RUNS for g in groups]
    repeats = np.asarray([len(g) for g in groups])
    return means.astype(np.float32), shown, np.asarray(runs, np.int32), repeats
