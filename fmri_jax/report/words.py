"""Plain sentences from the numbers of a run: what was decoded, how well, and what to doubt."""

import math
from typing import Any

import numpy as np

from fmri_jax.report import metric_names
from fmri_jax.report.workdir import Workdir


def summary(run: Workdir) -> list[str]:
    """A paragraph, sentence by sentence, for a reader who sees nothing else."""
    sentences = [_what(run)]
    if "pixel_correlation" in run.scores.test:
        sentences.append(_pixel_correlation(run))
    if "identification_2way" in run.scores.test:
        sentences.append(_identification(run))
    if "accuracy" in run.scores.test:
        sentences.append(_accuracy(run))
    beaten = [_beaten(run, name) for name in ("mean_image", "ridge") if _judged(run, name)]
    if beaten:
        sentences.append(f"It clearly beats {joined(beaten)}.")
    return sentences


def remarks(run: Workdir) -> list[str]:
    """What a careful reader keeps in mind: origin of the data, leaks, baselines not beaten.

    The run's own notes come first; what they already say is not said again.
    """
    found = list(run.scores.notes)
    if run.simulated and not any("simulated" in note for note in found):
        found.append(
            "The fMRI is simulated: the scores say how the method does on a model of visual "
            "cortex, and nothing about a brain."
        )
    if not any("in training" in note for note in found):
        found += _leaks(run)
    for name in run.scores.baselines:
        found += _against(run, name)
    judged = [name for name in run.scores.baselines if _judged(run, name)]
    if judged and not any(_unbeaten(run, name) for name in judged):
        found.append("Every baseline is beaten on every score, and lies outside the 95 % interval.")
    return found


def n_stimuli(run: Workdir, split: str) -> int:
    """How many different images a test set holds."""
    return len(np.unique(run.stimulus[run.rows(split)]))


def count(number: Any, noun: str, plural: str = "") -> str:
    """`1 image`, `1,200 images`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def score_text(run: Workdir, metric: str) -> str:
    """A test score with its interval: `0.273 (95 % interval 0.24 to 0.30)`."""
    name, score = metric_names.metric(metric), run.scores.test[metric]
    text = name.text(score.value)
    if score.has_interval:
        text += f" (95 % interval {name.text(score.low)} to {name.text(score.high)})"
    return text


def joined(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


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
    others = _baseline_values(run, "pixel_correlation", ("ridge", "mean_image", "shuffled_fmri"))
    return f"{sentence}; {others}." if others else f"{sentence}."


def _identification(run: Workdir) -> str:
    """Pairwise identification beside chance."""
    name = metric_names.metric("identification_2way")
    chance = name.text(run.scores.chance.get("identification_2way", 0.5))
    sentence = (
        "Asked which of two images was seen, the reconstruction points to the right one in "
        f"{score_text(run, 'identification_2way')} of pairs, where guessing gives {chance}"
    )
    others = _baseline_values(run, "identification_2way", ("ridge", "shuffled_fmri"))
    return f"{sentence}; {others}." if others else f"{sentence}."


def _accuracy(run: Workdir) -> str:
    """Pixel accuracy beside an all-black image, which is a strong guess on sparse figures."""
    sentence = f"Cut at 0.5, {score_text(run, 'accuracy')} of the pixels are right"
    others = _baseline_values(run, "accuracy", ("all_black",))
    sentence += f" ({others})" if others else ""
    if "f1" in run.scores.test:
        sentence += f", with an F1 of {score_text(run, 'f1')}"
    return sentence + "."


def _baseline_values(run: Workdir, metric: str, names: tuple[str, ...]) -> str:
    """`ridge reaches 0.22, the mean image 0.05`, of the baselines that have the metric."""
    parts: list[str] = []
    for name in names:
        score = run.scores.baselines.get(name, {}).get(metric)
        if score is not None and math.isfinite(score.value):
            verb = "" if parts else " reaches"
            value = metric_names.metric(metric).text(score.value)
            parts.append(f"{_with_article(name)}{verb} {value}")
    return joined(parts)


def _with_article(baseline: str) -> str:
    """A baseline's name inside a sentence."""
    articles = {"mean_image": "the mean image", "all_black": "an all-black image"}
    return articles.get(baseline, metric_names.baseline(baseline))


def _judged(run: Workdir, baseline: str) -> list[str]:
    """The metrics on which a baseline can be compared."""
    if baseline not in run.scores.baselines:
        return []
    return [m for m in run.scores.metrics if run.scores.verdict(m, baseline)]


def _unbeaten(run: Workdir, baseline: str) -> list[str]:
    """The metrics on which a baseline is not clearly beaten."""
    return [m for m in _judged(run, baseline) if run.scores.verdict(m, baseline) != "beaten"]


def _beaten(run: Workdir, baseline: str) -> str:
    """On how many scores one baseline is clearly beaten."""
    judged = _judged(run, baseline)
    beaten = len(judged) - len(_unbeaten(run, baseline))
    return f"{_with_article(baseline)} on {beaten or 'none'} of {count(len(judged), 'score')}"


def _against(run: Workdir, baseline: str) -> list[str]:
    """One sentence on the scores where a baseline is not beaten, others on those that stay open."""
    name = _with_article(baseline)
    label = name[:1].upper() + name[1:]
    openings = {
        "not beaten": f"{label} is not beaten on",
        "open": f"{label} lies inside the 95 % interval, so the lead is not certain, on",
        "no interval": f"Without an interval the lead over {name} is not certain on",
    }
    found: dict[str, list[str]] = {verdict: [] for verdict in openings}
    for metric in _unbeaten(run, baseline):
        verdict: str = run.scores.verdict(metric, baseline)
        if verdict == "open" and not run.scores.test[metric].has_interval:
            verdict = "no interval"
        found[verdict].append(_pair(run, metric, baseline))
    return [f"{openings[verdict]} {joined(pairs)}." for verdict, pairs in found.items() if pairs]


def _pair(run: Workdir, metric: str, baseline: str) -> str:
    """`SSIM (0.281 against 0.302)`."""
    name = metric_names.metric(metric)
    ours = name.text(run.scores.test[metric].value)
    theirs = name.text(run.scores.baselines[baseline][metric].value)
    return f"{name.in_sentence} ({ours} against {theirs})"


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
