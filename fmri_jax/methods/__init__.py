"""Reconstruction methods: one folder each, all with the same two verbs, `fit` and `reconstruct`.

A method package `fmri_jax.methods.<name>` exposes `Config`, a frozen dataclass of its options,
`build(config) -> Method` and `restore(arrays, options) -> Reconstructor`, which takes what a
reconstructor's `state()` gave. Adding a method adds one folder and one experiment file.

It may also expose what a reader of its scores has to know, as functions of its config:
`trained_through(config) -> tuple[str, ...]`, the networks (`fmri_jax.features.registry.NETWORKS`)
whose features it was trained to match, which makes metrics that use them circular; and
`stays_in_span(config) -> bool`, whether all it makes are weighted sums of its training images.

`decoded_targets(config, trials, seen)` -> name: (stimuli, ...), what it decodes of the training
images `seen`, for a bottleneck or a kernel in front of it (`linear.recodings`); pixels by default.

`takes_simulated(config) -> bool` tells whether simulated trials of photographs that nobody viewed
(`config.preparation.unlabelled`) may be mixed with the trials that it is fitted to; True without.

`parts(config) -> tuple[str, ...]` names parts of a fit that can be computed at the same time by
several processes or computers, such as layers. Its method then has, beside `fit`,
`fit_part(trials, context, part)`, which leaves the part in the run's folder, where `fit` finds it.

A method with `trains_together = True` computes its fit on all devices of all processes of a run:
each calls `fit` with the same trials, and process 0 alone writes (`training.cluster`). The fits of
others are computed by process 0, but for their parts.

`advice(config) -> dict` says what to change where a training came to nothing: under "untrained",
"overfitted" and "stamped" (one texture on all images) a sentence that names options of the method.

`cost(config, size: FoldSize) -> Cost | None` estimates from sizes what a fold takes in time and on
disk, before anything is computed; None where it cannot tell (`fmri_jax.methods.costs`).

`draw_figures(reconstructors)` -> name: (Matplotlib figure, caption), draws what the reconstructors
of all folds learned, for the page of a run.

A reconstructor may have `reconstruct_beside(fmri) -> (images, label: images)`, which the run takes
instead of `reconstruct` and whose other images its page shows; and `controls(fold, number)`, a dict
of names in `evaluation.baselines.BASELINES` with functions, trials -> images: what it makes without
brain input or the like.

`diagnose(reconstructor, fold, rois, context) -> evaluation.fold_features.FoldFeatures` is for
methods that decode features: it scores those of the fold's test trials, from all voxels and from
each of `rois`, region -> (voxels of the fold,) bool. The run keeps it beside the fold's rows.
"""

import dataclasses
import importlib
import pathlib
import pkgutil
import types
from typing import TYPE_CHECKING, Any, Protocol

from fmri_jax.config import unknown_name
from fmri_jax.errors import InputError

if TYPE_CHECKING:
    import jax
    import numpy as np

    from fmri_jax.data.preparation.folds import Trials
    from fmri_jax.methods.costs import Cost, FoldSize


@dataclasses.dataclass(frozen=True)
class RunContext:
    """What a method may use of the run that it is fitted in.

    Attributes:
        workdir: the run's folder, for checkpoints and training curves.
        fold: name of the cross-validation fold ("all" when there is one only).
        key: typed random key of this fold.
        mesh: the devices, one axis named "data".
        progress: whether progress bars are wanted.
        kept: whether the folder outlives the fit, so that a decoder may use files in it.
    """

    workdir: pathlib.Path
    fold: str
    key: "jax.Array"
    mesh: "jax.sharding.Mesh"
    progress: bool = True
    kept: bool = True


class Reconstructor(Protocol):
    """A fitted method: a pytree of arrays, so that it checkpoints and shards like any other.

    What it has chosen by itself it may say in `summary()`, a dict of names with numbers or texts.
    """

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Its arrays by name, and what else its package's `restore` needs, as JSON values."""

    def reconstruct(self, fmri: "jax.Array") -> "jax.Array":
        """fMRI (n, voxels), standardised as in training -> images (n, h, w, c) in [0, 1]."""


class Method(Protocol):
    """A way to learn the map from fMRI to images."""

    def fit(self, trials: "Trials", context: RunContext) -> Reconstructor:
        """Learns from training trials only."""


def fold_key(seed: int, number: int = 0) -> "jax.Array":
    """The random key of one fold, the same whichever folds were done before."""
    import jax

    return jax.random.fold_in(jax.random.key(seed), number)


def package(name: str) -> types.ModuleType:
    """Imports the method package called `name`.

    Raises:
        InputError: there is no such method.
    """
    known = [module.name for module in pkgutil.iter_modules(__path__) if module.ispkg]
    if name not in known:
        raise InputError(unknown_name(f"config.method.name={name!r}", name, known, "method"))
    return importlib.import_module(f"{__name__}.{name}")


def trained_through(name: str, config: Any) -> tuple[str, ...]:
    """The networks whose features the method called `name` was trained to match; none by default.

    Raises:
        InputError: there is no such method.
    """
    named = getattr(package(name), "trained_through", None)
    return named(config) if named else ()


def parts(name: str, config: Any) -> tuple[str, ...]:
    """The parts of a fit that can be computed apart; none unless the method names some.

    Raises:
        InputError: there is no such method.
    """
    named = getattr(package(name), "parts", None)
    return named(config) if named else ()


def trains_together(name: str, config: Any) -> bool:
    """Whether all processes of a run compute the method's fit together; no unless it says so.

    Raises:
        InputError: there is no such method, or the config cannot be used.
    """
    return getattr(package(name).build(config), "trains_together", False)


def decoded_targets(
    name: str, config: Any, trials: "Trials", seen: "np.ndarray"
) -> dict[str, "np.ndarray"]:
    """What the method called `name` decodes of training images `seen`; pixels by default.

    Raises:
        InputError: there is no such method.
    """
    named = getattr(package(name), "decoded_targets", None)
    return named(config, trials, seen) if named else {"pixels": trials.images[seen]}


def takes_simulated(name: str, config: Any) -> bool:
    """Whether the method called `name` may learn from simulated trials, too; errors as above."""
    named = getattr(package(name), "takes_simulated", None)
    return named(config) if named else True


def advice(name: str, config: Any) -> dict[str, str]:
    """What to change where a training came to nothing; nothing where the method says nothing.

    Raises:
        InputError: there is no such method.
    """
    named = getattr(package(name), "advice", None)
    return named(config) if named else {}


def cost(name: str, config: Any, size: "FoldSize") -> "Cost | None":
    """What the method called `name` takes for a fold; None where it cannot tell.

    Raises:
        InputError: there is no such method, or it cannot be fitted to such images.
    """
    named = getattr(package(name), "cost", None)
    return named(config, size) if named else None


def stays_in_span(name: str, config: Any) -> bool:
    """Whether all that the method makes are weighted sums of its training images; errors as above.

    False unless the method says so.
    """
    stays = getattr(package(name), "stays_in_span", None)
    return bool(stays and stays(config))
