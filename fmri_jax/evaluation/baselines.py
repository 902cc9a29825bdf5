"""What any reconstruction must beat: answers without fMRI, with wrong fMRI, recall, a linear map.

An all-black image scores about 76 % accuracy on the Miyawaki figures, and the mean training image
correlates well with every photograph: a score means little without these beside it.

A baseline is one entry of `BASELINES`: runs make its images fold by fold, score them, and the
report shows them beside the method's.
"""

import dataclasses
import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.data.preparation.folds import Fold, Trials
from fmri_jax.evaluation.images import as_images, is_binary
from fmri_jax.evaluation.nearest import nearest_training_image
from fmri_jax.evaluation.ridge import Choice, RidgeBaseline, ridge, ridges

__all__ = ["BASELINES", "Baseline", "FoldContext", "RidgeBaseline", "ridge"]

Reconstruct = Callable[[Any], Any]  # fMRI (n, voxels) -> images (n, h, w, c)
Predict = Callable[[Trials], np.ndarray]  # trials to test -> images (n, h, w, c)


@dataclasses.dataclass(frozen=True)
class FoldContext:
    """What a baseline may use of a fold.

    Attributes:
        fold: training and test trials.
        number: of the fold, a seed.
        reconstruct: the fitted method; None where a finished fold is read and it is not at hand.
        controls: name of a control -> what makes its images; those that the fitted method offers.
    """

    fold: Fold
    number: int
    reconstruct: Reconstruct | None = None
    controls: Mapping[str, Predict] = dataclasses.field(default_factory=dict)

    def training_images(self) -> np.ndarray:
        """The distinct training images, uint8."""
        return self.fold.train.images[np.unique(self.fold.train.stimulus)]


@dataclasses.dataclass(frozen=True)
class Baseline:
    """One baseline.

    Attributes:
        label: what it is called in tables.
        explanation: what it is, for whoever hovers over the label.
        prepare: fits it to a fold's training trials; returns what makes its images. None for one
            that is not made of folds.
        in_sentence: the label with its article; '' where it needs none.
        needs_fmri: whether its answer depends on the responses.
        needs_method: whether it asks the fitted method.
        binary_only: whether it is made only where test images are black and white.
        in_summary: whether the summary of a run says how clearly it is beaten.
        pictured: whether its images are shown beside the method's.
        blind: whether it knows nothing of the responses to the row's own image: what it has as
            well as the method has not been decoded.
        control: its name in `FoldContext.controls`, where the fitted method itself makes it by
            other means than its reconstructions; '' for all others. Controls are made of the main
            test set alone.
        summary: what it chose in a fold: names with numbers, for `run.json`.
    """

    label: str
    explanation: str
    prepare: Callable[[FoldContext], Predict] | None = None
    in_sentence: str = ""
    needs_fmri: bool = True
    needs_method: bool = False
    binary_only: bool = False
    in_summary: bool = True
    pictured: bool = False
    blind: bool = False
    control: str = ""
    summary: Callable[[FoldContext], dict[str, float]] | None = None

    def applies(self, context: FoldContext) -> bool:
        """Whether it can be made of this fold."""
        if self.prepare is None or self.needs_method and context.reconstruct is None:
            return False
        if self.control and self.control not in context.controls:
            return False
        return not self.binary_only or is_binary(context.fold.main_test().targets())


def mean_image(training_images: Any, n: int) -> np.ndarray:
    """The mean training image, whatever the target.

    Leaving stimuli out one by one pushes its identification below chance (.45 on the Miyawaki
    figures): each mean lacks just the image that it is compared with.

    Args:
        training_images: (m, height, width, channels); uint8 or in [0, 1].
        n: number of reconstructions.

    Returns:
        (n, height, width, channels) float32, n times the same image.
    """
    mean = as_images(training_images, "training_images").mean(axis=0, dtype=np.float64)
    return np.repeat(mean[None].astype(np.float32), n, axis=0)


def all_black(targets: Any) -> np.ndarray:
    """Nothing at all: zeros of the shape of `targets`."""
    return np.zeros(np.shape(targets), np.float32)


def shuffled_fmri(reconstruct: Reconstruct, fmri: Any, seed: int = 0) -> np.ndarray:
    """Reconstructions from voxels in a wrong order: the method without its information.

    The voxels of each row are permuted, each row in its own order, so that the distribution of
    the values stays and what they mean is gone. A score at or below this one did not come from the
    fMRI; one above it did where it is above those of `mean_image` and of noise, too.

    Args:
        reconstruct: the fitted method, (n, voxels) -> (n, height, width, channels).
        fmri: (n, voxels), as the method would get it.
        seed: of the permutations.

    Returns:
        (n, height, width, channels).
    """
    order = np.random.default_rng(seed)
    return np.asarray(reconstruct(jnp.asarray(order.permuted(np.asarray(fmri), axis=1))))


def _fitted_ridge(choose: Choice, context: FoldContext) -> RidgeBaseline:
    train, average = context.fold.train, context.fold.tests_averages()
    both = train.once(
        ("fitted ridges", average),
        lambda: ridges(train.fmri, train.stimulus, train.images, average=average),
    )
    return both[choose]


def _ridge(choose: Choice, context: FoldContext) -> Predict:
    fitted = _fitted_ridge(choose, context)
    return lambda trials: fitted.reconstruct(trials.fmri, trials.gain)


def _penalty(choose: Choice, context: FoldContext) -> dict[str, float]:
    return {"penalty": float(_fitted_ridge(choose, context).penalty)}


def _nearest(context: FoldContext) -> Predict:
    train = context.fold.train
    return lambda trials: nearest_training_image(
        train.fmri, train.stimulus, train.images, trials.fmri
    )


def _mean(context: FoldContext) -> Predict:
    images = context.training_images()
    return lambda trials: mean_image(images, len(trials.fmri))


def _black(context: FoldContext) -> Predict:
    del context
    return lambda trials: all_black(trials.targets())


def _shuffled(context: FoldContext) -> Predict:
    reconstruct, recoding = context.reconstruct, context.fold.recoding
    assert reconstruct is not None  # `applies`

    def recoded(rows: jax.Array) -> np.ndarray:
        return reconstruct(recoding(np.asarray(rows)))

    def predict(trials: Trials) -> np.ndarray:
        if trials.responses is None:
            return shuffled_fmri(reconstruct, trials.fmri, context.number)
        # Voxels, not what they are reduced to: of one number there is no other order.
        return shuffled_fmri(recoded, trials.responses, context.number)

    return predict


def _control(name: str, label: str, explanation: str, **options: Any) -> Baseline:
    """A baseline that the fitted method makes itself."""
    return Baseline(
        label,
        explanation,
        lambda context: context.controls[name],
        needs_method=True,
        in_summary=False,
        control=name,
        **options,
    )


# By their names in `scores.json`, from the strongest to the weakest by design.
BASELINES = {
    "first_stage": _control(
        "first_stage",
        "first stage",
        "what the first of this method's two stages alone makes of the same responses",
        in_sentence="the first stage alone",
        pictured=True,
    ),
    "ridge": Baseline(
        "ridge",
        "linear ridge regression from voxels to pixels, its penalty chosen by the squared error of "
        "training images that are left out",
        functools.partial(_ridge, "error"),
        summary=functools.partial(_penalty, "error"),
        pictured=True,
    ),
    "ridge_identification": Baseline(
        "ridge for identification",
        "the same, its penalty chosen by how often left-out training images are identified: less "
        "shrunk, a worse fit to pixels and the fair opponent where images are told apart",
        functools.partial(_ridge, "identification"),
        summary=functools.partial(_penalty, "identification"),
    ),
    "nearest_training_image": Baseline(
        "nearest training image",
        "the training image whose average response pattern correlates best with the test pattern: "
        "recall, not reconstruction",
        _nearest,
        in_sentence="the nearest training image",
    ),
    "mean_image": Baseline(
        "mean image",
        "the mean of the training images, whatever the target",
        _mean,
        in_sentence="the mean image",
        needs_fmri=False,
        blind=True,
    ),
    "all_black": Baseline(
        "all black",
        "an image with every pixel off, whatever the target",
        _black,
        in_sentence="an all-black image",
        needs_fmri=False,
        binary_only=True,
        in_summary=False,
        blind=True,
    ),
    "shuffled_fmri": Baseline(
        "shuffled fMRI",
        "this method, given each pattern with its voxels in random order",
        _shuffled,
        needs_method=True,
        blind=True,
    ),
    "shuffled_embeddings": _control(
        "shuffled_embeddings",
        "shuffled embeddings",
        "this method, its second stage given the embeddings decoded for another stimulus",
    ),
    "prior_samples": _control(
        "prior_samples",
        "prior alone",
        "samples of this method's prior, without any brain input: what its pictures look like "
        "whatever was seen",
        in_sentence="the prior alone",
        needs_fmri=False,
        blind=True,
    ),
    "shuffled_images": Baseline(
        "shuffled images",
        "the reconstructions, each beside the target of another stimulus",
        blind=True,
    ),
}


def baseline(name: str) -> Baseline:
    """How the baseline `name` is shown; one that is not known here under its own name."""
    label = name.replace("_", " ").lower()
    return BASELINES.get(name) or Baseline(label, "", in_summary=False)


def questions(blind: str, other: str) -> bool:
    """Whether a lead over `other` says nothing where the blind baseline leads as well.

    The method itself without its fMRI (or its prior alone) questions every lead: what it has as
    well comes from the look of the images that the method makes. The mean image questions those
    over baselines that do use the fMRI; its own lead over another blind one is no news.
    """
    asked, known = baseline(blind), baseline(other)
    own = asked.needs_fmri or asked.needs_method
    return asked.blind and blind != other and (own or not known.blind)


def ordered(names: Collection[str]) -> list[str]:
    """The names from the strongest to the weakest by design, unknown ones last."""
    return [n for n in BASELINES if n in names] + sorted(set(names) - set(BASELINES))


def by_importance(names: Collection[str]) -> list[str]:
    """The names as sentences list them, which begin with the method itself on shuffled fMRI.

    What is not above that did not come from the fMRI. Those without a place in the summary come
    last.
    """
    return sorted(
        ordered(names), key=lambda n: (not baseline(n).in_summary, not baseline(n).needs_method)
    )
