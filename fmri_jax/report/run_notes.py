"""The notes of a run: those that it stored, and those that its rows and data call for."""

import numpy as np

from fmri_jax.evaluation import notes
from fmri_jax.evaluation.notes import Note
from fmri_jax.report.io.workdir import Workdir
from fmri_jax.report.text.text_format import count

_FITS = ("image", "feature", "distortion")  # losses that say how close the training images are
_STILL = 0.10  # a fall over the last quarter from which on it is reported
_POINTS = 20


def of_run(run: Workdir) -> list[Note]:
    """What a careful reader keeps in mind: warnings first, the gravest before the others."""
    found = list(run.scores.notes)
    if run.simulated and not any(note.kind == "simulated" for note in found):
        text = (
            "The fMRI is simulated: the scores say how the method does on a model of visual "
            "cortex, and nothing about a brain."
        )
        found.append(Note("simulated", "warning", text))
    found += _still_learning(run)
    if not notes.know_test_images(found):
        found += _leaks(run)
    return notes.ordered(found)


def images_shared_by_folds(run: Workdir) -> bool:
    """Whether one image is tested in several folds, and so was in training in each of them.

    Cross-validation tests every trial once. An image whose trials are spread over the test sets
    of two folds is therefore in the training set of both. Stimuli held out for validation may be
    the same in several folds, and are in the training set of none that tests them.
    """
    if run.preparation.get("validation"):
        return False
    test = run.split == run.main
    pairs = set(zip(run.stimulus[test].tolist(), run.fold[test].tolist(), strict=True))
    return len(pairs) > len({stimulus for stimulus, _ in pairs})


def _still_learning(run: Workdir) -> list[Note]:
    """Whether the losses of the training images still fell when training ended."""
    falls = {}
    for loss in _FITS:
        last = [_last_fall(values) for _, values in run.curves.get(loss, {}).values()]
        known = [fall for fall in last if fall is not None]
        if known:
            falls[loss] = float(np.median(known))
    if not falls or max(falls.values()) < _STILL:
        return []
    loss, fall = max(falls.items(), key=lambda item: item[1])
    method = run.config.get("method")
    option = " (config.method.n_steps)" if isinstance(method, dict) and "n_steps" in method else ""
    text = (
        f"Still learning: over the last quarter of the training the loss {loss!r} fell by "
        f"{fall:.0%}. More steps{option} may well give other scores."
    )
    return [Note("still_learning", "warning", text, {"loss": loss, "fall": round(fall, 3)})]


def _last_fall(values: np.ndarray) -> float | None:
    """By which share a loss fell from the third to the last quarter of the training, or None.

    None where there are too few points, or the fall is within three standard errors of the noise.
    """
    if len(values) < _POINTS:
        return None
    *_, third, last = np.array_split(np.asarray(values, float), 4)
    noise = np.sqrt(third.var(ddof=1) / len(third) + last.var(ddof=1) / len(last))
    fall = third.mean() - last.mean()
    if not third.mean() > 0:
        return None
    return float(fall / third.mean()) if fall > 3 * noise else 0.0


def _leaks(run: Workdir) -> list[Note]:
    """Test images that the training set of the same fold also holds."""
    found = []
    if images_shared_by_folds(run):
        text = (
            "Folds share images: a test image was also shown in trials that its model was trained "
            "on. The scores say how well the method recognises images that it knows, not new ones."
        )
        found.append(Note("shared_images", "warning", text, {"folds": len(run.fold_names)}))
    leaked = {
        int(stimulus)
        for fold in run.fold_names
        for stimulus in np.intersect1d(
            run.stimulus[(run.fold == fold) & (run.split == "train")],
            run.stimulus[(run.fold == fold) & (run.split != "train")],
        )
    }
    if leaked:
        text = (
            f"{count(len(leaked), 'test image')} also stood in the training set of the same fold: "
            "the scores are too good."
        )
        found.append(Note("leaked_images", "warning", text, {"images": len(leaked)}))
    return found
