"""Pictures of options for the documentation, drawn from what the functions of a run return.

python docs/tools/option_pictures.py FOLDER    # to look at them without building the site
"""

import io
import pathlib
import sys
from collections.abc import Callable

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from fmri_jax.data.preparation import splits
from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.data.recording import Recording
from fmri_jax.evaluation.clusters import cluster_stimuli

TRAIN, TEST, UNUSED = "#4477aa", "#ee7733", "#dddddd"


def recording() -> Recording:
    """Eight images in two runs each; images 6 and 7 are a test set, pairs of images a group."""
    stimulus = np.tile(np.arange(8, dtype=np.int32), 2)
    rng = np.random.default_rng(0)
    return Recording(
        fmri=rng.normal(size=(16, 1)).astype(np.float32),
        stimulus=stimulus,
        images=rng.integers(0, 256, (8, 4, 4, 1), np.uint8),
        run=np.repeat(np.arange(2, dtype=np.int32), 8),
        rois={},
        stimulus_names=tuple(map(str, range(8))),
        split=np.where(stimulus >= 6, "test", "train"),
        groups=tuple(f"movie {i // 2}" for i in range(8)),
    )


def _strips(axes, rows: list[np.ndarray], names: list[str], columns: str) -> None:
    """One row of boxes for each list of colours."""
    for y, colours in enumerate(rows):
        for x, colour in enumerate(colours):
            axes.add_patch(matplotlib.patches.Rectangle((x, -y), 0.9, 0.8, color=colour))
    axes.set(xlim=(-0.2, max(map(len, rows))), ylim=(0.1 - len(rows), 1), xlabel=columns)
    axes.set_yticks([0.4 - y for y in range(len(rows))], names)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _colours(rows: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    return np.select([np.isin(rows, train), np.isin(rows, test)], [TRAIN, TEST], UNUSED)


def _legend(figure: Figure, entries: dict[str, str]) -> None:
    handles = [matplotlib.patches.Patch(color=c, label=name) for name, c in entries.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(entries), frameon=False)


def draw_split() -> Figure:
    """The trials of each fold under each split."""
    shown, figure = recording(), Figure(figsize=(7.5, 5.2), layout="constrained")
    options = ("given", "run", "stimulus", "group")
    grid = figure.subplots(len(options), 1, height_ratios=[1, 2, 6, 3])
    for axes, split in zip(grid, options, strict=True):
        found = list(splits.assign(shown, shown.stimulus, split, None, None))
        rows = [_colours(np.arange(16), train, tests["test"]) for _, train, tests in found]
        last = split == options[-1]
        names = [f"split={split}" if i == 0 else f"fold {i + 1}" for i in range(len(rows))]
        _strips(axes, rows, names, "trials: images 1 to 8 in run 1, then in run 2" if last else "")
    _legend(figure, {"trains": TRAIN, "is tested": TEST, "unused": UNUSED})
    return figure


def draw_cluster() -> Figure:
    """Points of images, coloured by the cluster that k-means puts them in."""
    rng = np.random.default_rng(1)
    centres = np.array([[0, 0], [4, 0.5], [1.5, 3.5]])
    points = np.concatenate([c + rng.normal(0, 0.6, (12, 2)) for c in centres])
    cluster = cluster_stimuli(points, n_clusters=3)
    figure = Figure(figsize=(7.5, 2.6), layout="constrained")
    for fold, axes in enumerate(figure.subplots(1, 3)):
        axes.scatter(*points.T, c=np.where(cluster == fold, TEST, TRAIN), s=18)
        axes.set(title=f"fold {fold + 1}", xticks=[], yticks=[], xlabel="similar images lie close")
    _legend(figure, {"trains": TRAIN, "is tested": TEST})
    return figure


def draw_validation() -> Figure:
    """Which images train and which are tested, without and with held-out images."""
    stimulus = np.arange(24)
    train = np.flatnonzero(stimulus < 18)
    kept, held = splits.hold_out(train, stimulus, 0.2)
    figure = Figure(figsize=(7.5, 1.7), layout="constrained")
    rows = [
        np.where(stimulus < 18, TRAIN, TEST),
        np.select(
            [np.isin(stimulus, kept), np.isin(stimulus, held["test"])], [TRAIN, TEST], UNUSED
        ),
    ]
    _strips(figure.subplots(), rows, ["validation=0", "validation=0.2"], "images")
    _legend(figure, {"trains": TRAIN, "is tested": TEST, "unseen": UNUSED})
    return figure


def _repeats() -> Recording:
    """One voxel, six images; two of them are tested, each shown nine times."""
    rng = np.random.default_rng(2)
    stimulus = np.concatenate([np.tile(np.arange(6), 4), np.tile([4, 5], 5)]).astype(np.int32)
    signal = np.array([-1.5, -0.6, 0.5, 1.4, -1.0, 1.1])
    fmri = signal[stimulus] + rng.normal(0, 0.5, len(stimulus))
    return Recording(
        fmri=fmri[:, None].astype(np.float32),
        stimulus=stimulus,
        images=rng.integers(0, 256, (6, 4, 4, 1), np.uint8),
        run=np.zeros(len(stimulus), np.int32),
        rois={},
        stimulus_names=tuple("abcdef"),
        split=np.where(stimulus >= 4, "test", "train"),
    )


def _points(axes, options: dict[str, PreparationConfig], shown: Recording) -> None:
    """Standardised responses of one voxel in the rows of training and of testing."""
    for y, chosen in enumerate(options.values()):
        (fold,) = folds(shown, chosen)
        for trials, colour, shift in (
            (fold.train, TRAIN, 0.12),
            (fold.tests["test"], TEST, -0.12),
        ):
            x = trials.fmri[:, 0]
            axes.scatter(x, np.full(len(x), shift - y), s=22, color=colour, alpha=0.8)
            where = axes.get_yaxis_transform()
            axes.text(1.01, shift - y, f"{len(x)} rows", transform=where, va="center", fontsize=8)
    axes.set_yticks([-y for y in range(len(options))], list(options))
    axes.set(xlabel="response of one voxel, standardised", ylim=(0.5 - len(options), 0.5))


def draw_average_repeats() -> Figure:
    """Rows of training and testing for each way of averaging."""
    figure = Figure(figsize=(7.5, 2.6), layout="constrained")
    options = {
        f"average_repeats={how}": PreparationConfig(average_repeats=how, noise_scaling=False)
        for how in ("none", "test", "all")
    }
    _points(figure.subplots(), options, _repeats())
    _legend(figure, {"training rows": TRAIN, "test rows": TEST})
    return figure


def draw_noise_scaling() -> Figure:
    """Noise alone: many voxels of one test image, averaged over nine trials."""
    rng = np.random.default_rng(3)
    stimulus = np.concatenate([np.arange(40), np.full(9, 40)]).astype(np.int32)
    shown = Recording(
        fmri=rng.normal(size=(49, 3000)).astype(np.float32),
        stimulus=stimulus,
        images=rng.integers(0, 256, (41, 4, 4, 1), np.uint8),
        run=np.zeros(49, np.int32),
        rois={},
        stimulus_names=tuple(map(str, range(41))),
        split=np.where(stimulus == 40, "test", "train"),
    )
    figure = Figure(figsize=(7.5, 2.4), layout="constrained")
    bins = np.linspace(-3.5, 3.5, 60)
    for axes, scaling in zip(figure.subplots(1, 2, sharey=True), (False, True), strict=True):
        (fold,) = folds(shown, PreparationConfig(noise_scaling=scaling))
        axes.hist(fold.train.fmri[0], bins, density=True, color=TRAIN, alpha=0.6)
        axes.hist(fold.tests["test"].fmri[0], bins, density=True, color=TEST, alpha=0.6)
        spread = fold.tests["test"].fmri[0].std()
        axes.set(title=f"noise_scaling={scaling}: deviation {spread:.2f}", yticks=[])
        axes.set_xlabel("noise of a voxel")
    _legend(figure, {"one training trial": TRAIN, "average of nine test trials": TEST})
    return figure


PICTURES: dict[str, Callable[[], Figure]] = {
    "split": draw_split,
    "cluster": draw_cluster,
    "validation": draw_validation,
    "average_repeats": draw_average_repeats,
    "noise_scaling": draw_noise_scaling,
}


def svg(name: str) -> bytes:
    """One picture as SVG, the same bytes whenever it is drawn."""
    stream = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "font.size": 9}):
        PICTURES[name]().savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


if __name__ == "__main__":
    for name in PICTURES:
        (pathlib.Path(sys.argv[1]) / f"{name}.svg").write_bytes(svg(name))
