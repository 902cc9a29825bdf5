"""What each score is called, how it is printed, and which direction is better."""

import dataclasses
import math
import re
from typing import Literal


@dataclasses.dataclass(frozen=True)
class MetricName:
    """How one score is shown.

    Attributes:
        label: the name that the field uses.
        better: the direction of a better reconstruction; '' for a score that is not known here,
            which is shown but never judged.
        explanation: one sentence that defines it.
        percent: whether it is printed in per cent.
        decimals: digits after the point.
    """

    label: str
    better: Literal["higher", "lower", ""]
    explanation: str
    percent: bool = False
    decimals: int = 3

    @property
    def arrow(self) -> str:
        """An arrow towards better."""
        return {"higher": "↑", "lower": "↓", "": ""}[self.better]

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


_KNOWN = {
    "pixel_correlation": MetricName(
        "Pixel correlation",
        "higher",
        "Pearson correlation of a reconstruction with its own image over all pixels and colour "
        "channels, averaged over images.",
    ),
    "ssim": MetricName(
        "SSIM",
        "higher",
        "Structural similarity: Gaussian window of sigma 1.5 pixels, data range 1, averaged over "
        "colour channels and images.",
    ),
    "mse": MetricName(
        "Squared error", "lower", "Mean squared error on pixels in [0, 1].", decimals=4
    ),
    "detail_error": MetricName(
        "Detail error",
        "lower",
        "How far the amount of fine detail is off, in doublings of the mean squared difference of "
        "neighbouring pixels: large for blurred and for noisy pictures, wherever the detail lies.",
        decimals=2,
    ),
    "identification_2way": MetricName(
        "Identification, 2-way",
        "higher",
        "How often a reconstruction correlates more with its own image than with one other image "
        "of the set; a tie counts half.",
        percent=True,
    ),
    "identification_10way": MetricName(
        "Identification, 10-way",
        "higher",
        "How often its own image beats nine others at once. It unmasks decoders that only tell "
        "a few categories apart, which score high in pairs.",
        percent=True,
    ),
    "identification_vs_train": MetricName(
        "Identification against training",
        "higher",
        "How often its own image beats every training image at once. It unmasks reconstructions "
        "that are training images in disguise.",
        percent=True,
    ),
    "identification_vs_train_rank": MetricName(
        "Rank against training",
        "higher",
        "The share of the training images that its own image beats.",
        percent=True,
    ),
    "alexnet2": MetricName(
        "AlexNet(2)",
        "higher",
        "2-way identification on the second convolution of AlexNet, after ReLU.",
        percent=True,
    ),
    "alexnet5": MetricName(
        "AlexNet(5)",
        "higher",
        "2-way identification on the fifth convolution of AlexNet, after ReLU.",
        percent=True,
    ),
    "lpips": MetricName(
        "LPIPS", "lower", "Learned perceptual distance to the image that was seen, AlexNet heads."
    ),
    "accuracy": MetricName(
        "Accuracy",
        "higher",
        "Pixels that are right after cutting the reconstruction at 0.5, all images pooled (micro).",
        percent=True,
    ),
    "precision": MetricName(
        "Precision",
        "higher",
        "Of the pixels reconstructed as on, the fraction that were on (micro).",
    ),
    "recall": MetricName(
        "Recall",
        "higher",
        "Of the pixels that were on, the fraction reconstructed as on (micro).",
    ),
    "f1": MetricName("F1", "higher", "Harmonic mean of precision and recall (micro)."),
}

# Terms of a loss as training logs them, under names that tell what they are.
_CURVES = {
    "image": "Image loss",
    "feature": "Feature loss",
    "adversarial": "Adversarial loss",
    "discriminator_real": "Discriminator loss, real images",
    "discriminator_generated": "Discriminator loss, generated",
    "generator_gradient": "Gradient norm, generator",
    "discriminator_gradient": "Gradient norm, discriminator",
}

_BASELINES = {
    "ridge": "ridge",
    "mean_image": "mean image",
    "all_black": "all black",
    "shuffled_fmri": "shuffled fMRI",
}

BASELINE_EXPLANATIONS = {
    "ridge": "linear ridge regression from voxels to pixels",
    "mean_image": "the mean of the training images, whatever was seen",
    "all_black": "an image with every pixel off, whatever was seen",
    "shuffled_fmri": "this method, given each pattern with its voxels in random order",
}


def metric(name: str) -> MetricName:
    """How the score `name` is shown; an unknown one under its own name, never judged."""
    return _KNOWN.get(name) or MetricName(plain(name), "", "")


def ordered(names: set[str]) -> list[str]:
    """The names in the order of the field's tables, unknown ones last."""
    return [name for name in _KNOWN if name in names] + sorted(names - set(_KNOWN))


def baseline(name: str) -> str:
    """A baseline's name in words."""
    return _BASELINES.get(name, plain(name).lower())


def ordered_baselines(names: set[str]) -> list[str]:
    """Baselines from the strongest to the weakest by design, unknown ones last."""
    return [name for name in _BASELINES if name in names] + sorted(names - set(_BASELINES))


def curve(name: str) -> str:
    """The title of a training curve."""
    return _CURVES.get(name, plain(name))


def plain(name: str) -> str:
    """An identifier as words: `loss_image` -> `Loss image`."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
