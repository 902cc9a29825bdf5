"""Notes on what a method puts into every image, and on how far its training went."""

from collections.abc import Mapping

import numpy as np

from fmri_jax.evaluation.notes import Note, Severity
from fmri_jax.evaluation.shared_patterns import Patterns, shared_patterns
from fmri_jax.pipeline.rows import METHOD, Rows

Found = tuple[dict[str, float], list[Note]]

# What is advised where a method has no advice of its own.
_GENERAL = {
    "untrained": "Train longer, or with another learning rate or penalty.",
    "overfitted": "A smaller model, or a stronger penalty, may serve new images better.",
    "stamped": "Longer training and more training images reduce it.",
}
SHARED = 0.25  # share of the fine structure common to all images, above which the page says it
MORE = 0.10  # than the target images and ridge have
UPSAMPLING = 4.0  # times the share of the target images at a period of two pixels
OVERFITTED = 0.3  # pixel correlation of training images above that of test images


def stamped(
    rows: Rows, advice: Mapping[str, str] = _GENERAL
) -> tuple[dict[str, float], list[Note]]:
    """Fine structure that all reconstructions share, beside that of the targets and of ridge."""
    test = rows.main_test_set()
    _, first = np.unique(test.stimulus, return_index=True)
    one = test.take(np.sort(first))  # trials of one image share its structure
    found: dict[str, Patterns] = {}
    for name in (METHOD, "ridge", "targets"):
        images = one.targets if name == "targets" else one.predictions.get(name)
        measured = None if images is None else shared_patterns(images, one.fold)
        if measured is not None:
            found[name] = measured
    if METHOD not in found or "targets" not in found:
        return {}, []
    numbers = {}
    for name, patterns in found.items():
        numbers[f"shared_pattern_{name}"] = patterns.shared
        numbers[f"upsampling_energy_{name}"] = patterns.upsampling
    ours, seen = found[METHOD], found["targets"]
    others = [patterns.shared for name, patterns in found.items() if name != METHOD]
    same = ours.shared > max(SHARED, *(other + MORE for other in others))
    raster = ours.upsampling > max(UPSAMPLING * seen.upsampling, 0.02)
    if not (same or raster):
        return numbers, []
    ridge = f", {found['ridge'].shared:.0%} in those of ridge" if "ridge" in found else ""
    text = (
        f"{ours.shared:.0%} of the fine structure of the reconstructions (periods below 8 pixels) "
        f"is the same in all of them ({seen.shared:.0%} in the target images{ridge}), and "
        f"{ours.upsampling:.1%} has the period of upsampling, two pixels ({seen.upsampling:.1%} in "
        "the target images): a texture of the method, not of what was seen. "
        + advice.get("stamped", _GENERAL["stamped"])
    )
    values = {"shared": ours.shared, "targets": seen.shared, "upsampling": ours.upsampling}
    return numbers, [Note("shared_pattern", "warning", text, values)]


def trained(
    rows: Rows, advice: Mapping[str, str] = _GENERAL
) -> tuple[dict[str, float], list[Note]]:
    """Whether the training images are reconstructed at all, and better than test images by far."""
    train, test = rows.take(rows.split == "train"), rows.main_test_set()
    means = train.predictions.get("mean_image")
    if not len(train.targets) or means is None:
        return {}, []
    seen = _correlation(train.targets, train.reconstructions)
    mean = _correlation(train.targets, means)
    new = _correlation(test.targets, test.reconstructions)
    numbers = {"training_pixel_correlation": seen, "training_pixel_correlation_mean_image": mean}
    if seen <= mean:
        text = (
            f"Not trained: training images are reconstructed no better (pixel correlation "
            f"{seen:.3f}) than by the mean image ({mean:.3f}). No score below says anything about "
            "the recording before this is mended. " + advice.get("untrained", _GENERAL["untrained"])
        )
        return numbers, [Note("untrained", "warning", text, {"training": seen, "mean": mean})]
    if seen - new > OVERFITTED:
        text = (
            f"Training images are reconstructed far better (pixel correlation {seen:.3f}) than "
            f"test images ({new:.3f}): the model has learned these images by heart. "
            + advice.get("overfitted", _GENERAL["overfitted"])
        )
        # A method that says nothing of it has chosen on left-out images: there is no more to do.
        severity: Severity = "info" if advice.get("overfitted") == "" else "warning"
        text = text.rstrip()
        return numbers, [Note("overfitted", severity, text, {"training": seen, "test": new})]
    return numbers, []


def _correlation(targets: np.ndarray, images: np.ndarray) -> float:
    """Mean pixel correlation; 0 for a constant image, as the metric has it."""
    x, y = (rows.reshape(len(rows), -1).astype(np.float64) for rows in (targets, images))
    x, y = (rows - rows.mean(axis=1, keepdims=True) for rows in (x, y))
    length = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    return float(np.mean(np.sum(x * y, axis=1) / np.where(length > 1e-6, length, np.inf)))
