"""A run beside its baselines in words: what is beaten, what is not, and what says little."""

import math
from collections.abc import Sequence

import numpy as np

from fmri_jax.evaluation import registry
from fmri_jax.evaluation.baselines import baseline, by_importance
from fmri_jax.report.io.workdir import Workdir
from fmri_jax.report.text.text_format import capitalised, count, joined

# Where a lead is not certain, by what the significance rests on (`Results.evidence`).
_OPEN = {
    "together": "where p over all comparisons of this page is .05 or more",
    "difference": "where the 95 % interval of the paired difference holds 0",
    "interval": "where it lies inside the 95 % interval of this run",
    "": "where there is no interval",
}


def named(run: Workdir) -> list[str]:
    """The baselines of a run that its summary names, the one that matters most first."""
    return [name for name in by_importance(run.scores.baselines) if baseline(name).in_summary]


def victories(run: Workdir) -> list[str]:
    """How much is clearly beaten, and which baselines are too weak for that to say anything."""
    compared = [name for name in named(run) if _comparable(run, name)]
    weak = [name for name in compared if _below_chance(run, name)]
    strong = [name for name in compared if name not in weak]
    counts = [_beaten(run, name) for name in strong]
    if _none_beaten(run, strong):
        counts = ["no baseline on any score"]
    sentences = [f"It clearly beats {joined(counts)}."] if counts else []
    for name in weak:
        metric = run.scores.identification
        shown = registry.metric(metric).text(run.scores.baselines[name][metric].value)
        sentences.append(
            f"{capitalised(with_article(name))} is itself below chance in identification "
            f"({shown}): beating it says little."
        )
    return sentences


def shortfalls(run: Workdir) -> list[str]:
    """One sentence per baseline that is not clearly beaten; one in all where every one is."""
    compared = [name for name in by_importance(run.scores.baselines) if _comparable(run, name)]
    brief = _none_beaten(run, compared)
    found = [_shortfall(run, name, brief) for name in compared if _unbeaten(run, name)]
    if brief:  # a list of all scores for every baseline would bury what it is behind in
        found = ["No lead over a baseline is certain on any score.", *filter(None, found)]
    if found or not compared:
        return found
    evidence = {run.scores.evidence(m, name) for name in compared for m in _comparable(run, name)}
    reasons = {
        "together": "p over all comparisons of this page is below .05",
        "difference": "no 95 % interval of a paired difference holds 0",
        "interval": "none lies inside the 95 % interval of this run",
    }
    found = [reason for kind, reason in reasons.items() if kind in evidence]
    return [f"Every baseline is beaten on every score: {', or where there is none, '.join(found)}."]


def values(run: Workdir, metric: str, names: Sequence[str]) -> str:
    """`ridge reaches 0.22, the mean image 0.05`, of the baselines that have the metric."""
    parts: list[str] = []
    for name in names:
        score = run.scores.baselines.get(name, {}).get(metric)
        if score is not None and math.isfinite(score.value):
            verb = "" if parts else " reaches"
            value = registry.metric(metric).text(score.value)
            parts.append(f"{with_article(name)}{verb} {value}")
    return joined(parts)


def with_article(name: str) -> str:
    """A baseline's name inside a sentence."""
    known = baseline(name)
    return known.in_sentence or known.label


def _comparable(run: Workdir, baseline: str) -> list[str]:
    """The metrics on which a baseline can be compared."""
    return [m for m in run.scores.metrics if run.scores.significance(m, baseline)]


def _unbeaten(run: Workdir, baseline: str) -> list[str]:
    """The metrics on which a baseline is not clearly beaten."""
    return [
        m for m in _comparable(run, baseline) if run.scores.significance(m, baseline) != "beaten"
    ]


def _beaten(run: Workdir, baseline: str) -> str:
    """On how many scores one baseline is clearly beaten."""
    compared = _comparable(run, baseline)
    beaten = len(compared) - len(_unbeaten(run, baseline))
    return f"{with_article(baseline)} on {beaten or 'none'} of {count(len(compared), 'score')}"


def _below_chance(run: Workdir, name: str) -> bool:
    """Whether a baseline identifies worse than a guess does, luck apart.

    A guess's rank among the images is uniform, with variance 1 / 12: over n of them its mean is
    seldom two standard errors below chance. Answers without fMRI have no luck, but for rounding.
    """
    metric = run.scores.identification
    score = run.scores.baselines[name].get(metric)
    if score is None:
        return False
    n = len(np.unique(run.stimulus[run.rows(run.main)]))
    luck = 2 / math.sqrt(12 * n) if baseline(name).needs_fmri else 0.005
    return score.value < run.scores.chance.get(metric, 0.5) - luck


def _none_beaten(run: Workdir, baselines: Sequence[str]) -> bool:
    """Whether there are several, and no score of any of them is clearly beaten."""
    return len(baselines) > 1 and all(
        len(_unbeaten(run, b)) == len(_comparable(run, b)) for b in baselines
    )


def _shortfall(run: Workdir, baseline: str, brief: bool = False) -> str:
    """On which scores a baseline is not clearly beaten, and why not.

    The brief form leaves out leads that are not certain, and is empty where there are no others.
    """
    lost: list[str] = []
    uncertain: dict[str, list[str]] = {where: [] for where in _OPEN.values()}
    blind: dict[str, list[str]] = {}
    for metric in _unbeaten(run, baseline):
        if run.scores.significance(metric, baseline) == "blind lead":
            blind.setdefault(run.scores.without_brain[baseline][metric], []).append(_listed(metric))
            continue
        where = _OPEN[run.scores.evidence(metric, baseline)]
        beaten = run.scores.significance(metric, baseline) == "open"
        (uncertain[where] if beaten else lost).append(_listed(metric))
    parts = [f"not beaten on {len(lost)} ({', '.join(lost)})"] if lost else []
    parts += [
        f"lead not certain on {len(names)} ({', '.join(names)}), {where}"
        for where, names in ({} if brief else uncertain).items()
        if names
    ]
    parts += [
        f"{with_article(who)} leads over it on {len(names)} as well ({', '.join(names)}), so that "
        "this run's lead there is no decoding"
        for who, names in blind.items()
    ]
    if not parts:
        return ""
    total = count(len(_comparable(run, baseline)), "score")
    return f"{capitalised(with_article(baseline))}, {total}: {'; '.join(parts)}."


def _listed(metric: str) -> str:
    """A score's name in a list, where a comma of its own would part it."""
    return registry.metric(metric).in_sentence.replace(",", "")
