"""The metrics: what each is called, how it is computed and printed, which direction is better.

A metric is one entry of `METRICS`, beside its own function: it is then an option of experiments,
scored by runs and shown by reports. The row of NSD papers, `EIGHT_NUMBERS`, is computed by
`evaluation.eight_numbers`.
"""

import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from fmri_jax.evaluation import binary, metrics
from fmri_jax.evaluation.identification import n_way
from fmri_jax.evaluation.pair import Pair
from fmri_jax.evaluation.within_category import share_of_sums

Compute = Callable[[Pair], "np.ndarray | None"]


@dataclasses.dataclass(frozen=True)
class Metric:
    """How one metric is computed and shown.

    Attributes:
        label: the name that the field uses.
        better: the direction of a better reconstruction; '' for a score that is not known here,
            which is shown but never compared.
        explanation: one sentence that defines it.
        percent: whether it is printed in per cent.
        decimals: digits after the point.
        network: the feature network that it uses, by its name in `fmri_jax.features`; '' for none.
        compute: (n,) one value per image; None where these images do not allow it. Of a pooled
            metric (n, columns), of which `statistic` takes the sums.
        statistic: the score from sums of columns over images; None is the mean.
        chance: what a guess scores, from the number of distinct test images and that of training
            images other than the row's own, one number or (rows,); None where it is not known.
        binary_only: whether it compares black and white images.
        by_default: whether it is computed where a config names no metrics.
    """

    label: str
    better: Literal["higher", "lower", ""]
    explanation: str
    percent: bool = False
    decimals: int = 3
    network: str = ""
    compute: Compute | None = None
    statistic: Callable[[np.ndarray], np.ndarray] | None = None
    chance: Callable[[int, Any], float | None] | None = None
    binary_only: bool = False
    by_default: bool = True

    @property
    def arrow(self) -> str:
        """An arrow towards better."""
        return {"higher": "↑", "lower": "↓", "": ""}[self.better]

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest value that it can have."""
        if self.better == "higher":  # shares, and correlations
            return (0.0 if self.percent or self.statistic else -1.0), 1.0
        return (0.0 if self.better else -math.inf), math.inf

    @property
    def in_sentence(self) -> str:
        """The label inside a sentence: `pixel correlation`, but `SSIM` and `AlexNet(2)`."""
        word = re.match(r"[A-Z][a-z]+\b", self.label)  # no capital but the first one
        return self.label[:1].lower() + self.label[1:] if word else self.label

    def text(self, value: float) -> str:
        """The value as it is printed, a dash where it is undefined."""
        if not math.isfinite(value):
            return "–"
        if self.percent:
            return f"{100 * value:.1f} %"
        rounded = round(value, self.decimals) + 0.0  # no "-0.000"
        return f"{rounded:.{self.decimals}f}".replace("-", "\N{MINUS SIGN}")

    def is_better(self, a: float, b: float) -> bool:
        """Whether score `a` is strictly better than score `b`."""
        return a > b if self.better == "higher" else a < b


def _pixels(function: Callable[..., Any]) -> Compute:
    """A metric of each image by itself."""
    return lambda pair: pair.image_by_image(function)


def _identified(n: int) -> Compute:
    """Identification among `n` test images."""

    def compute(pair: Pair) -> np.ndarray | None:
        ranked = pair.among_test
        return n_way(ranked, n) if np.min(ranked.distractors) >= n - 1 else None

    return compute


def _against_training(column: int) -> Compute:
    def compute(pair: Pair) -> np.ndarray | None:
        known = pair.known_vs_train
        return known[:, column] if known is not None and np.isfinite(known).all() else None

    return compute


def _one_of(n: int) -> Callable[[int, Any], float | None]:
    """Chance of choosing one of `n` test images."""
    return lambda n_stimuli, n_train: 1 / n if n_stimuli >= n else None


def _best_of_training(n_stimuli: int, n_train: Any) -> float | None:
    return float(np.mean(1 / (np.asarray(n_train) + 1))) if np.min(n_train) > 0 else None


def _half_of_training(n_stimuli: int, n_train: Any) -> float | None:
    return 0.5 if np.min(n_train) > 0 else None


def _by_alexnet(name: str) -> Compute:
    return lambda pair: pair.perceptual.get(name)


def _identified_by(
    network: str, name: str, label: str, explanation: str, by_default: bool = True
) -> Metric:
    """2-way identification on a layer of a network."""
    return Metric(
        label,
        "higher",
        f"2-way identification on {explanation}.",
        percent=True,
        network=network,
        compute=lambda pair: pair.by_networks.get(name),
        chance=_one_of(2),
        by_default=by_default,
    )


def _counts(pair: Pair) -> np.ndarray | None:
    return pair.counts


METRICS = {
    "pixel_correlation": Metric(
        "Pixel correlation",
        "higher",
        "Pearson correlation of a reconstruction with its own image over all pixels and colour "
        "channels, averaged over images.",
        compute=_pixels(metrics.pixel_correlation),
    ),
    "ssim": Metric(
        "SSIM",
        "higher",
        "Structural similarity: Gaussian window of sigma 1.5 pixels, data range 1, averaged over "
        "colour channels and images.",
        compute=_pixels(metrics.ssim),
    ),
    "ssim_425": Metric(
        "SSIM, 425 px",
        "higher",
        "Structural similarity of luminance at 425 px, as NSD papers with scikit-image of 0.20 or "
        "later compute it.",
        compute=lambda pair: pair.at_425_px.get("ssim"),
        by_default=False,
    ),
    "ssim_425_columns": Metric(
        "SSIM of columns, 425 px",
        "higher",
        "The same by single columns of pixels, which scikit-image before 0.20 made of the papers' "
        "call (Ozcelik & VanRullen 2023).",
        compute=lambda pair: pair.at_425_px.get("ssim_columns"),
        by_default=False,
    ),
    "mse": Metric(
        "Squared error",
        "lower",
        "Mean squared error on pixels in [0, 1].",
        decimals=4,
        compute=_pixels(metrics.mse),
    ),
    "detail_error": Metric(
        "Detail error",
        "lower",
        "Absolute log2 ratio of gradient energy, the mean squared difference of neighbouring "
        "pixels: large for blurred and for noisy images, wherever their detail is.",
        decimals=2,
        compute=_pixels(metrics.detail_error),
    ),
    "identification_2way": Metric(
        "Identification, 2-way",
        "higher",
        "How often a reconstruction correlates more with its own image than with one other image "
        "of the set; a tie counts half.",
        percent=True,
        compute=_identified(2),
        chance=_one_of(2),
    ),
    "identification_centred": Metric(
        "Identification without the mean",
        "higher",
        "The same in pairs, with the mean training image of each fold removed from both sides: "
        "1/2 without information, also where images are left out in turn, of which the raw score "
        "is then below 1/2.",
        percent=True,
        compute=lambda pair: pair.without_mean,
        chance=_one_of(2),
    ),
    "identification_category": Metric(
        "Identification within the category",
        "higher",
        "The same in pairs of images of one category, where the recording names categories and "
        "several test images are of one: 1/2 for a decoder of the category alone.",
        percent=True,
        compute=lambda pair: pair.within_category,
        statistic=share_of_sums,
        chance=_one_of(2),
    ),
    "identification_10way": Metric(
        "Identification, 10-way",
        "higher",
        "How often its own image beats nine others at once. It unmasks decoders that only tell "
        "a few categories apart, which score high in pairs.",
        percent=True,
        compute=_identified(10),
        chance=_one_of(10),
    ),
    "identification_vs_train": Metric(
        "Identification against training",
        "higher",
        "How often its own image beats every training image at once. It unmasks reconstructions "
        "that are training images in disguise.",
        percent=True,
        compute=_against_training(0),
        chance=_best_of_training,
    ),
    "identification_vs_train_rank": Metric(
        "Rank against training",
        "higher",
        "The share of the training images that its own image beats.",
        percent=True,
        compute=_against_training(1),
        chance=_half_of_training,
        by_default=False,
    ),
    "alexnet2": Metric(
        "AlexNet(2)",
        "higher",
        "2-way identification on the second convolution of AlexNet, after ReLU.",
        percent=True,
        network="alexnet",
        compute=_by_alexnet("alexnet2"),
        chance=_one_of(2),
    ),
    "alexnet5": Metric(
        "AlexNet(5)",
        "higher",
        "2-way identification on the fifth convolution of AlexNet, after ReLU.",
        percent=True,
        network="alexnet",
        compute=_by_alexnet("alexnet5"),
        chance=_one_of(2),
    ),
    "lpips": Metric(
        "LPIPS",
        "lower",
        "Learned perceptual distance to the target image, AlexNet heads.",
        network="alexnet",
        compute=_by_alexnet("lpips"),
    ),
    "efficientnet_block3": _identified_by(
        "efficientnet_lite0",
        "efficientnet_block3",
        "EfficientNet(3)",
        "the third block of EfficientNet-Lite0, images of at least 128 px",
    ),
    "efficientnet_pooled": _identified_by(
        "efficientnet_lite0",
        "efficientnet_pooled",
        "EfficientNet",
        "the pooled features of EfficientNet-Lite0, images of at least 128 px",
    ),
    "vgg16_3": _identified_by(
        "vgg16", "vgg16_3", "VGG16(3)", "the third block of VGG16, after ReLU", by_default=False
    ),
    "vgg16_5": _identified_by(
        "vgg16", "vgg16_5", "VGG16(5)", "the fifth block of VGG16, after ReLU", by_default=False
    ),
    "accuracy": Metric(
        "Accuracy",
        "higher",
        "Pixels that are right after cutting the reconstruction at 0.5, all images pooled (micro).",
        percent=True,
        compute=_counts,
        statistic=binary.accuracy,
        binary_only=True,
    ),
    "precision": Metric(
        "Precision",
        "higher",
        "Of the pixels reconstructed as on, the fraction that were on (micro).",
        compute=_counts,
        statistic=binary.precision,
        binary_only=True,
    ),
    "recall": Metric(
        "Recall",
        "higher",
        "Of the pixels that were on, the fraction reconstructed as on (micro).",
        compute=_counts,
        statistic=binary.recall,
        binary_only=True,
    ),
    "f1": Metric(
        "F1",
        "higher",
        "Harmonic mean of precision and recall (micro).",
        compute=_counts,
        statistic=binary.f1,
        binary_only=True,
    ),
}

_TWO_WAY = "Two-way identification among the test images, a tie counting as a failure, on "

# The row of NSD papers, `evaluation.eight_numbers`; of its own sizes and ties, so not those above.
EIGHT_NUMBERS = {
    "pixcorr": Metric("PixCorr", "higher", "Correlation over all pixels at 425 px."),
    "ssim": Metric("SSIM", "higher", "Structural similarity of luminance at 425 px."),
    "ssim_columns": Metric(
        "SSIM of columns",
        "higher",
        "The same by single columns of pixels, which scikit-image before 0.20 made of the papers' "
        "call: compare with tables of that time.",
    ),
    "alexnet2": Metric(
        "AlexNet(2)",
        "higher",
        f"{_TWO_WAY}AlexNet's second convolution at 256 px.",
        percent=True,
        network="alexnet",
    ),
    "alexnet5": Metric(
        "AlexNet(5)",
        "higher",
        f"{_TWO_WAY}AlexNet's fifth convolution at 256 px.",
        percent=True,
        network="alexnet",
    ),
    "inception": Metric(
        "Inception",
        "higher",
        f"{_TWO_WAY}Inception-v3's mean features at 342 px.",
        percent=True,
        network="inception_v3",
    ),
    "clip": Metric(
        "CLIP",
        "higher",
        f"{_TWO_WAY}the image embedding of CLIP ViT-L/14.",
        percent=True,
        network="clip_vit_l14",
    ),
    "efficientnet_b1": Metric(
        "EffNet-B",
        "lower",
        "1 - correlation of EfficientNet-B1's mean features at 255 px.",
        network="efficientnet_b1",
    ),
    "swav": Metric(
        "SwAV",
        "lower",
        "1 - correlation of the mean features of SwAV's ResNet-50 at 224 px.",
        network="swav_resnet50",
    ),
}


def metric(name: str) -> Metric:
    """How the score `name` is shown; an unknown one under its own name, never compared."""
    return METRICS.get(name) or Metric(plain(name), "", "")


def ordered(names: set[str]) -> list[str]:
    """The names in the order of the field's tables, unknown ones last."""
    return [name for name in METRICS if name in names] + sorted(names - set(METRICS))


def plain(name: str) -> str:
    """An identifier as words: `loss_image` -> `Loss image`."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
