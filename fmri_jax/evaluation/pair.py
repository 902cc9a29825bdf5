"""Targets beside reconstructions, with what several metrics share computed once."""

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fmri_jax.arrays import block_size, in_blocks
from fmri_jax.evaluation import binary
from fmri_jax.evaluation.identification import Ranks, against_all, pairwise, ranks
from fmri_jax.evaluation.images import is_binary
from fmri_jax.evaluation.within_category import identification_within
from fmri_jax.evaluation.without_mean import identification_without_mean

if TYPE_CHECKING:
    from fmri_jax.evaluation.perceptual import PerceptualWeights

BLOCK = 256  # images whose pixels are compared at a time, which bounds memory


@dataclasses.dataclass(frozen=True)
class Pair:
    """What the metrics in `registry.METRICS` are computed from.

    Attributes:
        targets: (n, h, w, c) in [0, 1].
        reconstructions: the same shape.
        known_vs_train: (n, 2), as `vs_train` returns, where folds have training images of their
            own; None where it is not known.
        weights: AlexNet, the LPIPS heads and other networks; None leaves out what needs them.
        perceptual_size: px, shorter side for networks; None: as is, at least what each needs.
        means: (n, h, w, c) in [0, 1], the mean training image of each row's fold; None where it is
            not known.
        categories: (n,) the category of each row's image, -1 for none; None where none is known.
    """

    targets: np.ndarray
    reconstructions: np.ndarray
    known_vs_train: np.ndarray | None = None
    weights: "PerceptualWeights | None" = None
    perceptual_size: int | None = None
    means: np.ndarray | None = None
    categories: np.ndarray | None = None

    @functools.cached_property
    def among_test(self) -> Ranks:
        """Ranks of the own image among the distinct targets."""
        return ranks(self.targets, self.reconstructions)

    @functools.cached_property
    def without_mean(self) -> np.ndarray | None:
        """Identification with the mean removed; None where it is unknown or there is one image."""
        if self.means is None or np.min(self.among_test.distractors) < 1:
            return None
        return identification_without_mean(self.targets, self.reconstructions, self.means)

    @functools.cached_property
    def within_category(self) -> np.ndarray | None:
        """(n, 2) identification within the category; None where no image has another one."""
        if self.categories is None or np.min(self.among_test.distractors) < 1:
            return None
        images = self.targets, self.reconstructions
        return identification_within(*images, self.categories, self.means)

    @functools.cached_property
    def perceptual(self) -> dict[str, np.ndarray]:
        """The metrics through AlexNet, from one pass; none without its weights."""
        from fmri_jax.evaluation.perceptual import perceptual_values  # imports Flax

        if self.weights is None:
            return {}
        return perceptual_values(
            self.targets, self.reconstructions, self.weights, size=self.perceptual_size
        )

    @functools.cached_property
    def by_networks(self) -> dict[str, np.ndarray]:
        """Identification through the other networks whose weights are given."""
        from fmri_jax.evaluation.network_identification import identification  # imports Flax

        found: dict[str, np.ndarray] = {}
        if self.weights is None:
            return found
        images, seen = (self.targets, self.reconstructions), self.weights.seen
        for name, params in self.weights.others.items():
            found |= identification(name, params, *images, self.perceptual_size, seen=seen)
        return found

    @functools.cached_property
    def at_425_px(self) -> dict[str, np.ndarray]:
        """PixCorr and both kinds of SSIM of NSD papers; none of images of other channels."""
        from fmri_jax.evaluation.eight_numbers import pixel_numbers  # imports Flax

        if self.targets.shape[-1] not in (1, 3):
            return {}
        return pixel_numbers(self.targets, self.reconstructions)

    @functools.cached_property
    def counts(self) -> np.ndarray | None:
        """(n, 4) how many pixels are rightly on, and so on; None unless targets are binary."""
        if not is_binary(self.targets):
            return None
        return np.asarray(binary.counts(self.targets, self.reconstructions))

    def image_by_image(self, metric: Callable[[jax.Array, jax.Array], jax.Array]) -> np.ndarray:
        """(n,) values of a function of targets and reconstructions."""
        rows = (self.targets, self.reconstructions)
        return in_blocks(metric, rows, block_size(len(self.targets), BLOCK))


def vs_train(targets: Any, images: Any, training: Any) -> np.ndarray:
    """(n, 2) the chance that the own image beats every training image (ties share), and any.

    Args:
        targets: (n, h, w, c) the own images.
        images: the same shape, predictions.
        training: (m, h, w, c), of which those equal to the own image are left out.
    """
    ranked = ranks(targets, images, training)
    if ranked.distractors.min() < 1:
        return np.full((len(ranked.distractors), 2), np.nan)
    return np.stack([against_all(ranked), pairwise(ranked)], axis=1)
