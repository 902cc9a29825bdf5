"""Plain sentences from the numbers of a run: what was decoded, how well, and what to doubt."""

from typing import Any

import numpy as np

from fmri_jax.evaluation import registry
from fmri_jax.report.io.workdir import Workdir
from fmri_jax.report.text import baseline_text
from fmri_jax.report.text.text_format import count

# What makes a remark a warning: it says that the scores are not what they seem to be.
_WARNINGS = (
    *("simulated", "random numbers", "held out", "is not above chance"),
    *("in training", "training set", "trained on"),
)

# How a run says that its test images are known: `fmri_jax.pipeline.diagnostics` writes this note.
SHARED = "both in training and in testing"


def summary(run: Workdir) -> list[str]:
    """A paragraph, sentence by sentence, for a reader who sees nothing else."""
    sentences = [_what(run)]
    if "pixel_correlation" in run.scores.test:
        sentences.append(_pixel_correlation(run))
    if "identification_2way" in run.scores.test:
        sentences.append(_identification(run))
    if "accuracy" in run.scores.test:
        sentences.append(_accuracy(run))
    return sentences + baseline_text.victories(run)


def remarks(run: Workdir) -> list[str]:
    """What a careful reader keeps in mind: origin of the data, leaks, baselines not beaten.

    Warnings come first, then the run's other notes; what these already say is not said again.
    """
    found = list(run.scores.notes)
    if run.simulated and not any("simulated" in note for note in found):
        found.append(
            "The fMRI is simulated: the scores say how the method does on a model of visual "
            "cortex, and nothing about a brain."
        )
    if not any("in training" in note for note in found):
        found += _leaks(run)
    return [
        *sorted(found, key=lambda remark: not is_warning(remark)),
        *baseline_text.shortfalls(run),
    ]


def is_warning(remark: str) -> bool:
    """Whether a remark is to stand out: simulated data, leaks, shared images, no fMRI."""
    return any(sign in remark for sign in _WARNINGS)


def warnings(run: Workdir) -> list[str]:
    """The remarks that are to stand out."""
    return [remark for remark in remarks(run) if is_warning(remark)]


def knows_test_images(run: Workdir) -> bool:
    """Whether test images were also shown in training, as the run says or its rows show."""
    return any(SHARED in note for note in run.scores.notes) or bool(_leaks(run))


def n_stimuli(run: Workdir, split: str) -> int:
    """How many different images a test set holds."""
    return len(np.unique(run.stimulus[run.rows(split)]))


def score_text(run: Workdir, metric: str) -> str:
    """A test score with its interval: `0.273 (95 % interval 0.24 to 0.30)`."""
    name, score = registry.metric(metric), run.scores.test[metric]
    text = name.text(score.value)
    if score.has_interval:
        text += f" (95 % interval {name.text(score.low)} to {name.text(score.high)})"
    return text


def _what(run: Workdir) -> str:
    """What was reconstructed from what."""
    images = count(n_stimuli(run, run.main), "test image")
    voxels = run.data.get("voxels")
    source = count(voxels, "voxel") if isinstance(voxels, int) else "the voxels"
    region = str(run.data.get("roi") or "all")
    place = "" if region == "all" else f" in {region}"
    kind = "simulated fMRI" if run.simulated else "fMRI"
    random = "random numbers in place of " if _option(run, "fmri") == "noise" else ""
    sentence = f"{images} reconstructed from {random}{source}{place} of {kind}"
    if run.run.get("method"):
        sentence += f" by the method {run.run['method']}"
    if len(run.fold_names) > 1:
        unseen = "" if _images_shared_by_folds(run) else ", each by a model trained without it"
        sentence += f"{unseen}, in {len(run.fold_names)} folds"
    return sentence + "."


def _pixel_correlation(run: Workdir) -> str:
    """Mean pixel correlation beside the baselines."""
    sentence = (
        "A reconstruction correlates with the image that was seen at "
        f"{score_text(run, 'pixel_correlation')} on average"
    )
    others = baseline_text.values(run, "pixel_correlation", baseline_text.FIRST)
    return f"{sentence}; {others}." if others else f"{sentence}."


def _identification(run: Workdir) -> str:
    """Pairwise identification beside chance."""
    name = registry.metric("identification_2way")
    chance = name.text(run.scores.chance.get("identification_2way", 0.5))
    sentence = (
        "Asked which of two images was seen, the reconstruction points to the right one in "
        f"{score_text(run, 'identification_2way')} of pairs, where guessing gives {chance}"
    )
    others = baseline_text.values(run, "identification_2way", ("shuffled_fmri", "ridge"))
    return f"{sentence}; {others}." if others else f"{sentence}."


def _accuracy(run: Workdir) -> str:
    """Pixel accuracy beside an all-black image, which is a strong guess on sparse figures."""
    sentence = f"Cut at 0.5, {score_text(run, 'accuracy')} of the pixels are right"
    others = baseline_text.values(run, "accuracy", ("shuffled_fmri", "all_black"))
    sentence += f" ({others})" if others else ""
    if "f1" in run.scores.test:
        sentence += f", with an F1 of {score_text(run, 'f1')}"
    return sentence + "."


def _leaks(run: Workdir) -> list[str]:
    """Test images that the training set of the same fold also holds."""
    sentences = []
    if _images_shared_by_folds(run):
        sentences.append(
            "Folds share images: a test image was also shown in trials that its model was trained "
            "on. The scores say how well the method recognises images that it knows, not new ones."
        )
    leaked = {
        int(stimulus)
        for fold in run.fold_names
        for stimulus in np.intersect1d(
            run.stimulus[(run.fold == fold) & (run.split == "train")],
            run.stimulus[(run.fold == fold) & (run.split != "train")],
        )
    }
    if leaked:
        sentences.append(
            f"{count(len(leaked), 'test image')} also stood in the training set of the same fold: "
            "the scores are too good."
        )
    return sentences


def _option(run: Workdir, name: str) -> Any:
    """How the trials were prepared; None where the config does not say."""
    preparation = run.config.get("preparation")
    return preparation.get(name) if isinstance(preparation, dict) else None


def _images_shared_by_folds(run: Workdir) -> bool:
    """Whether one image is tested in several folds, and so was in training in each of them.

    Cross-validation tests every trial once. An image whose trials are spread over the test sets
    of two folds is therefore in the training set of both. Stimuli held out for validation may be
    the same in several folds, and are in the training set of none that tests them.
    """
    if _option(run, "validation"):
        return False
    test = run.split == run.main
    pairs = set(zip(run.stimulus[test].tolist(), run.fold[test].tolist(), strict=True))
    return len(pairs) > len({stimulus for stimulus, _ in pairs})
