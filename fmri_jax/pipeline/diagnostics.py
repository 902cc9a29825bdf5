"""What a reader must know before believing a score: notes, and the numbers they rest on.

After Shirakawa et al. (2024), "Spurious reconstruction from brain activity", arXiv:2405.10078, and
the checks that its authors ask of every reconstruction: near-duplicates of test images in training,
test images that training images span, scores against chance, and what the recording could give.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from fmri_jax.data.preparation.folds import Fold
from fmri_jax.data.recording import TRAIN, Recording
from fmri_jax.errors import InputError
from fmri_jax.evaluation.clusters import cluster_stimuli
from fmri_jax.evaluation.duplicates import find_duplicates
from fmri_jax.evaluation.metrics import pixel_correlation
from fmri_jax.evaluation.noise_ceiling import noise_ceiling
from fmri_jax.evaluation.permutation import identification_p
from fmri_jax.evaluation.training_span import best_in_span
from fmri_jax.pipeline.cross_validation import Rows
from fmri_jax.pipeline.experiment_config import Experiment

CLUSTERS = 10  # folds of split="cluster" where preparation.n_folds is 0; fewer for fewer images
DUPLICATE = 0.95  # pixel correlation above which two images are nearly the same


@dataclasses.dataclass(frozen=True)
class Trust:
    """Numbers for `scores.json`, each with the sentence that the report shows.

    Attributes:
        numbers: name -> value.
        notes: sentences, in the order in which they matter.
    """

    numbers: dict[str, float]
    notes: list[str]


def examine(options: Experiment, recording: Recording, splits: Sequence[Fold], rows: Rows) -> Trust:
    """Everything that can be said of a run's scores from its data alone.

    Args:
        options: the experiment.
        recording: the recording.
        splits: its folds; their responses are not needed.
        rows: what was seen and reconstructed.
    """
    found = Trust({}, [*_departures(options), *_shared(recording, splits), *_judge(options)])
    if not any(fold.shared_stimuli for fold in splits):  # said already, and worse
        _duplicates(splits, found)
    if len(splits) > 1 and options.preparation.split == "stimulus":
        found.notes.append(
            "With an image left out, the mean of the others lacks just that image: identification "
            "by the mean image then falls below chance."
        )
    _against_chance(rows, found)
    _span(options, splits, found)
    _ceiling(options, recording, splits, found)
    return found


def clusters(options: Experiment, recording: Recording) -> np.ndarray | None:
    """The groups of similar training images that split="cluster" leaves out one at a time.

    Test sets that the recording names stay unseen, here too.

    Returns:
        (stimuli,) int32 group numbers, -1 for an image that training does not show, or shows as an
        earlier image with the same pixels; None where another split was asked for.

    Raises:
        InputError: there are fewer training images than groups.
    """
    if options.preparation.split != "cluster":
        return None
    shown = np.unique(recording.distinct_images[recording.stimulus[recording.split == TRAIN]])
    count = options.preparation.n_folds or min(CLUSTERS, len(shown))
    if len(shown) < 2:
        raise InputError(
            f"config.preparation.split is 'cluster' and training shows {len(shown)} image: "
            "expected at least two different ones; choose another split."
        )
    if not 2 <= count <= len(shown):
        raise InputError(
            f"config.preparation.n_folds is {count} for split='cluster', and training shows "
            f"{len(shown)} different images: expected from 2 to {len(shown)} groups of them, or 0 "
            f"for {min(CLUSTERS, len(shown))}."
        )
    groups = np.full(len(recording.images), -1, np.int32)
    groups[shown] = cluster_stimuli(recording.images[shown], count)
    return groups


def _departures(options: Experiment) -> list[str]:
    """What keeps these scores from being test scores of decoded fMRI."""
    notes = []
    if options.preparation.fmri == "noise":
        notes.append("All fMRI was replaced by random numbers: nothing here was decoded.")
    if options.preparation.validation:
        notes.append(
            f"{options.preparation.validation:.0%} of the training stimuli were held out and stand "
            "in for the test set, which was not looked at."
        )
    return notes


def _shared(recording: Recording, splits: Sequence[Fold]) -> list[str]:
    notes = []
    if recording.simulated:
        notes.append("The fMRI is simulated: scores say how the method works, not how brains do.")
    sharing = [fold for fold in splits if fold.shared_stimuli]
    for fold in sharing[:1]:
        others = f"{len(sharing) - 1} other folds" if len(sharing) > 2 else "another fold"
        more = f", and so are images of {others}" if len(sharing) > 1 else ""
        notes.append(
            f"{fold.shared_stimuli} images of fold {fold.name!r} are shown both in training and in "
            f"testing{more}: scores measure recognition of known images, not reconstruction of new "
            "ones."
        )
    return notes


def _judge(options: Experiment) -> list[str]:
    """Whether the network that scores is the one that the method was trained to please."""
    config = options.method_config
    if getattr(config, "comparator", "") != "alexnet" or not getattr(config, "feature_weight", 0):
        return []
    return [
        "AlexNet(2), AlexNet(5) and LPIPS look through AlexNet, whose features this method was "
        "trained to match: they are no independent judges, and favour it over the baselines."
    ]


def _seen(fold: Fold) -> np.ndarray:
    """The distinct training images of a fold."""
    return fold.train.images[np.unique(fold.train.stimulus)]


def _duplicates(splits: Sequence[Fold], found: Trust) -> None:
    """Test images with a near copy among the images that their own fold was trained on."""
    copies = 0
    for fold in splits:
        test = fold.main_test()
        shown = test.images[np.unique(test.stimulus)]
        pairs = find_duplicates(_seen(fold), shown, min_correlation=DUPLICATE)
        copies += len({pair.test for pair in pairs})
    found.numbers["near_duplicates"] = copies
    if copies:
        which = (
            "1 test image nearly equals" if copies == 1 else f"{copies} test images nearly equal"
        )
        found.notes.append(
            f"{which} an image seen in training (pixel correlation above {DUPLICATE}): expect too "
            "good a score there."
        )


def _against_chance(rows: Rows, found: Trust) -> None:
    """A permutation test of pairwise identification on the test set."""
    test = rows.main_test_set()
    if len(np.unique(test.stimulus)) < 2:
        return
    p = identification_p(test.targets, test.reconstructions)
    found.numbers["identification_2way_p"] = p
    verdict = "is above" if p < 0.05 else "is not above"
    found.notes.append(
        f"2-way identification {verdict} chance (p {'≤ .001' if p < 0.0015 else f'= {p:.3f}'}, "
        "which image belongs to which reconstruction permuted)."
    )


def _span(options: Experiment, splits: Sequence[Fold], found: Trust) -> None:
    """How well the training images span the test images.

    A linear decoder whose voxels are shared by all pixels cannot leave that span, as the ridge
    baseline cannot. Local decoders can: each element has voxels, and so weights of training
    trials, of its own.
    """
    reached = []
    for fold in splits:
        test = fold.main_test()
        shown = test.images[np.unique(test.stimulus)].astype(np.float32) / np.float32(255)
        reached.append(np.asarray(pixel_correlation(shown, best_in_span(_seen(fold), shown))))
    bound = float(np.concatenate(reached).mean())
    found.numbers["span_pixel_correlation"] = bound
    bounded = (
        ""
        if options.method_name == "local_decoders"
        else ", about the best that a linear decoder whose voxels are shared by all pixels, such "
        "as the ridge baseline, could do"
    )
    found.notes.append(
        f"The best weighted sums of training images reach a pixel correlation of {bound:.3f} with "
        f"the test images{bounded}."
    )


def _ceiling(
    options: Experiment, recording: Recording, splits: Sequence[Fold], found: Trust
) -> None:
    """What repeats of the test images of all folds, wherever they were shown, say of the voxels."""
    tests = [fold.main_test() for fold in splits]
    stimulus = recording.distinct_images[recording.stimulus]
    trials = np.isin(stimulus, np.concatenate([test.stimulus for test in tests]))
    if options.preparation.fmri == "noise":
        return
    try:
        ceiling = noise_ceiling(recording.fmri[trials][:, splits[0].voxels], stimulus[trials])
    except InputError:  # one test image, or no repeats: there is no ceiling to be had
        return
    repeats = [np.broadcast_to(test.repeats, len(test.fmri)) for test in tests]
    averaged = np.concatenate(repeats)
    typical = float(np.median(ceiling.explainable(float(1 / np.mean(1 / averaged)))))
    found.numbers["noise_ceiling"] = typical
    counts = " to ".join(str(n) for n in np.unique([averaged.min(), averaged.max()]))
    what = "single trials" if counts == "1" else f"averages of {counts} trials"
    found.notes.append(
        f"Noise ceiling: images explain {typical:.0%} of a typical voxel's variance over the test "
        f"set ({what}); the rest is noise that no method can use."
    )
