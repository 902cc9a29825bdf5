"""Every score of a set of reconstructions, image by image, then summarised with intervals."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from fmri_jax.arrays import in_blocks
from fmri_jax.config import OptionalInt, OptionalStr, unknown_name
from fmri_jax.errors import InputError
from fmri_jax.evaluation import binary, metrics, perceptual
from fmri_jax.evaluation.identification import Ranks, against_all, n_way, pairwise, ranks
from fmri_jax.evaluation.images import as_images, as_pair, is_binary
from fmri_jax.evaluation.intervals import Score, bootstrap, mean_interval
from fmri_jax.evaluation.perceptual import PerceptualWeights

PIXEL_METRICS = {
    "pixel_correlation": metrics.pixel_correlation,
    "ssim": metrics.ssim,
    "mse": metrics.mse,
    "detail_error": metrics.detail_error,
}
# Among the training images: whether the own image beats them all; its percentile rank, kinder.
VS_TRAIN = ("identification_vs_train", "identification_vs_train_rank")
IDENTIFICATION = ("identification_2way", "identification_10way", VS_TRAIN[0])
DEFAULT = (*PIXEL_METRICS, *IDENTIFICATION, *perceptual.NAMES)
METRICS = (*DEFAULT, VS_TRAIN[1], *binary.SCORES)

BLOCK = 256  # images whose pixels are compared at a time, which bounds memory


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """What to score and how."""

    metrics: tuple[str, ...] = ()  # names; () scores everything that applies to the images
    perceptual: bool = True  # AlexNet(2), AlexNet(5) and LPIPS: needs the pretrained weights
    perceptual_size: OptionalInt = None  # px, shorter side for AlexNet; None: as is, at least 64
    n_bootstrap: int = 1000  # resamples of the stimuli for the 95 % intervals
    seed: int = 0  # of the resampling
    # The row of NSD papers, beside the other scores; see `evaluation.eight_numbers`. Its networks'
    # weights are read from these files; None looks in the cache, then downloads.
    eight_numbers: bool = False
    inception_weights: OptionalStr = None  # torchvision's inception_v3_google-0cc3c7bd.pth
    clip_weights: OptionalStr = (
        None  # Hugging Face's openai/clip-vit-large-patch14, model.safetensors
    )
    efficientnet_weights: OptionalStr = None  # torchvision's efficientnet_b1-c27df63c.pth
    swav_weights: OptionalStr = None  # SwAV's swav_800ep_pretrain.pth.tar

    def __post_init__(self) -> None:
        """Refuses names that are no metric."""
        for name in self.metrics:
            if name not in METRICS:
                raise InputError(unknown_name(f"metric {name!r}", name, METRICS, "metric"))

    def wants(self, *names: str) -> bool:
        """Whether any of these metrics is to be computed."""
        return not self.metrics or any(name in self.metrics for name in names)


@dataclasses.dataclass(frozen=True)
class PerImage:
    """Scores image by image."""

    values: dict[str, np.ndarray]  # metric -> (n,)
    counts: np.ndarray | None  # (n, 4) binary counts, where the targets are binary
    pooled: tuple[str, ...] = ()  # the binary metrics asked for, functions of the summed counts


def score(
    targets: Any,
    reconstructions: Any,
    training_images: Any = None,
    weights: PerceptualWeights | None = None,
    config: EvaluationConfig | None = None,
) -> dict[str, float]:
    """Scores reconstructions against what was seen.

    Args:
        targets: (n, height, width, channels); uint8 or in [0, 1]. Rows with equal images are
            trials of one stimulus and no distractors of each other.
        reconstructions: the same shape, row by row.
        training_images: (m, height, width, channels); for `identification_vs_train`.
        weights: AlexNet and the LPIPS heads; for `alexnet2`, `alexnet5` and `lpips`.
        config: which metrics.

    Returns:
        metric -> mean over images (binary metrics: over the pixels of all images). A metric that
        needs what is not given, or is undefined for these images (identification of one stimulus,
        10-way of fewer than ten, precision where nothing was decoded as on), is left out.

    Raises:
        InputError: shapes do not match, values are outside [0, 1], or the config names a metric
            whose weights or training images are not given.
    """
    for name in config.metrics if config else ():
        if name in VS_TRAIN and training_images is None:
            raise InputError(f"metric {name!r} needs training_images: pass them, or leave it out.")
    per_image = score_images(targets, reconstructions, training_images, weights, config)
    summary = summarise(per_image, np.arange(len(targets)), n_bootstrap=0)
    return {name: found.value for name, found in summary.items()}


def score_images(
    targets: Any,
    reconstructions: Any,
    training_images: Any = None,
    weights: PerceptualWeights | None = None,
    config: EvaluationConfig | None = None,
) -> PerImage:
    """Scores each reconstruction by itself; arguments and errors as `score`.

    Without training images the metrics that need them are left out, even if the config names them:
    where folds have training images of their own, they are counted fold by fold.
    """
    config = config or EvaluationConfig()
    targets, reconstructions = as_pair(targets, reconstructions)
    _check_given(config, weights)
    wanted_pixels = [name for name in PIXEL_METRICS if config.wants(name)]
    values = in_blocks(
        lambda *pair: {name: PIXEL_METRICS[name](*pair) for name in wanted_pixels},
        (targets, reconstructions),
        min(BLOCK, len(targets)),
    )
    values |= _identification(targets, reconstructions, training_images, config)
    if weights is not None and config.perceptual and config.wants(*perceptual.NAMES):
        values |= perceptual.perceptual_values(
            targets, reconstructions, weights, size=config.perceptual_size
        )
    wanted = {
        name: np.asarray(values[name], np.float64)
        for name in METRICS
        if name in values and config.wants(name)
    }
    pooled = tuple(name for name in binary.SCORES if config.wants(name) and is_binary(targets))
    counts = np.asarray(binary.counts(targets, reconstructions)) if pooled else None
    return PerImage(wanted, counts, pooled)


def summarise(
    per_image: PerImage, stimulus: Any, n_bootstrap: int = 1000, seed: int = 0
) -> dict[str, Score]:
    """Means (or pooled scores) with 95 % bootstrap intervals over stimuli.

    Args:
        per_image: from `score_images`.
        stimulus: (n,) which stimulus each row shows.
        n_bootstrap: number of resamples; 0 leaves the intervals out.
        seed: of the resampling.

    Returns:
        metric -> score; undefined scores are left out.
    """
    found = {
        name: mean_interval(values, stimulus, n_bootstrap, seed)
        for name, values in per_image.values.items()
    }
    for name in per_image.pooled:
        found[name] = bootstrap(per_image.counts, binary.SCORES[name], stimulus, n_bootstrap, seed)
    return {name: score for name, score in found.items() if np.isfinite(score.value)}


def chance(n_stimuli: int, n_train: Any = 0) -> dict[str, float]:
    """What identification scores without any information.

    Args:
        n_stimuli: distinct test stimuli.
        n_train: distinct training images that are not the row's own; one number or (rows,).

    Returns:
        metric -> chance level, for those metrics that can be computed.
    """
    levels: dict[str, float] = {}
    if n_stimuli >= 2:
        levels |= {name: 0.5 for name in ("identification_2way", "alexnet2", "alexnet5")}
    if n_stimuli >= 10:
        levels["identification_10way"] = 0.1
    if np.min(n_train) > 0:
        levels["identification_vs_train"] = float(np.mean(1 / (np.asarray(n_train) + 1)))
        levels["identification_vs_train_rank"] = 0.5
    return levels


def _identification(
    targets: np.ndarray, reconstructions: np.ndarray, training: Any, config: EvaluationConfig
) -> dict[str, np.ndarray]:
    """The identification metrics that these images allow."""
    values: dict[str, np.ndarray] = {}
    if config.wants("identification_2way", "identification_10way"):
        among_test = ranks(targets, reconstructions)
        values |= _choices(among_test)
    if training is not None and config.wants(*VS_TRAIN):
        among_training = ranks(targets, reconstructions, as_images(training, "training_images"))
        if among_training.distractors.min() > 0:
            values[VS_TRAIN[0]] = against_all(among_training)
            if VS_TRAIN[1] in config.metrics:
                values[VS_TRAIN[1]] = pairwise(among_training)
    return values


def _choices(ranked: Ranks) -> Mapping[str, np.ndarray]:
    fewest = ranked.distractors.min()
    values = {}
    if fewest >= 1:
        values["identification_2way"] = pairwise(ranked)
    if fewest >= 9:
        values["identification_10way"] = n_way(ranked, 10)
    return values


def _check_given(config: EvaluationConfig, weights: PerceptualWeights | None) -> None:
    """Raises where a metric was named whose weights are missing."""
    for name in config.metrics:
        if name in perceptual.NAMES and weights is None:
            raise InputError(
                f"metric {name!r} needs AlexNet's weights: pass weights=PerceptualWeights(...), "
                "or leave it out."
            )
