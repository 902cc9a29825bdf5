"""A run in plain sentences: what was decoded, how well, and what to doubt."""

import numpy as np

from fmri_jax.evaluation import registry
from fmri_jax.report import run_notes
from fmri_jax.report.io.workdir import Workdir
from fmri_jax.report.text import baseline_text
from fmri_jax.report.text.text_format import count


def summary(run: Workdir) -> list[str]:
    """A paragraph, for a reader who reads nothing else."""
    sentences = [_what(run)]
    if "pixel_correlation" in run.scores.test:
        sentences.append(_pixel_correlation(run))
    if "identification_2way" in run.scores.test:
        sentences.append(_identification(run))
    if "accuracy" in run.scores.test:
        sentences.append(_accuracy(run))
    return sentences + baseline_text.victories(run)


def remarks(run: Workdir) -> list[tuple[str, bool]]:
    """Text of each note and whether it stands out; then the baselines that are not beaten."""
    noted = [(note.text, note.is_warning) for note in run_notes.of_run(run)]
    return noted + [(text, False) for text in baseline_text.shortfalls(run)]


def n_stimuli(run: Workdir, split: str) -> int:
    """How many different images a test set holds."""
    return len(np.unique(run.stimulus[run.rows(split)]))


def n_units(run: Workdir) -> int:
    """How many independent images, or groups of dependent ones, the main test set holds."""
    return len(np.unique(run.scores.units(run.stimulus)[run.rows(run.main)]))


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
    units = n_units(run)
    if units < n_stimuli(run, run.main):
        images += f" of {count(units, 'independent group')}"
    voxels = run.data.get("voxels")
    source = count(voxels, "voxel") if isinstance(voxels, int) else "the voxels"
    region = str(run.data.get("roi") or "all")
    place = "" if region == "all" else f" in {region}"
    kind = "simulated fMRI" if run.simulated else "fMRI"
    random = "random numbers in place of " if run.preparation.get("fmri") == "noise" else ""
    sentence = f"{images} reconstructed from {random}{source}{place} of {kind}"
    if run.run.get("method"):
        sentence += f" by the method {run.run['method']}"
    if len(run.fold_names) > 1:
        unseen = (
            "" if run_notes.images_shared_by_folds(run) else ", each by a model trained without it"
        )
        sentence += f"{unseen}, in {len(run.fold_names)} folds"
    return sentence + "."


def _pixel_correlation(run: Workdir) -> str:
    """Mean pixel correlation beside the baselines."""
    sentence = (
        "A reconstruction correlates with its target image at "
        f"{score_text(run, 'pixel_correlation')} on average"
    )
    others = baseline_text.values(run, "pixel_correlation", baseline_text.named(run))
    return f"{sentence}; {others}." if others else f"{sentence}."


def _identification(run: Workdir) -> str:
    """Pairwise identification beside chance; without the mean where the raw score misleads."""
    metric = run.scores.identification
    raw, name = registry.metric("identification_2way"), registry.metric(metric)
    chance = name.text(run.scores.chance.get(metric, 0.5))
    removed = "" if name is raw else ", with the mean of the training images removed from both"
    sentence = (
        f"Asked which of two images is the target{removed}, the reconstruction points to the right "
        f"one in {score_text(run, metric)} of pairs, where guessing gives {chance}"
    )
    others = baseline_text.values(run, metric, ("shuffled_fmri", "ridge", "ridge_identification"))
    sentence += f"; {others}." if others else "."
    if name is raw:
        return sentence
    level = raw.text(run.scores.diagnostics["identification_2way_blind"])
    return (
        f"{sentence} With the mean it is {score_text(run, 'identification_2way')}, where a decoder "
        f"without information reaches {level}, as the mean of each fold lacks the images left out."
    )


def _accuracy(run: Workdir) -> str:
    """Pixel accuracy beside an all-black image, which is a strong guess on sparse figures."""
    sentence = f"Cut at 0.5, {score_text(run, 'accuracy')} of the pixels are right"
    others = baseline_text.values(run, "accuracy", ("shuffled_fmri", "all_black"))
    sentence += f" ({others})" if others else ""
    if "f1" in run.scores.test:
        sentence += f", with an F1 of {score_text(run, 'f1')}"
    return sentence + "."
