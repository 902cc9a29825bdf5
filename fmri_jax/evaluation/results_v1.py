"""Reads `scores.json` of version 1: runs before notes had kinds and test sets a place of their own.

Test sets stood beside `baselines` and the other entries, and notes were sentences. This table of
their beginnings and words is the only place where the text of a note decides anything.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from fmri_jax.evaluation.notes import Note, Severity

# Entries beside the test sets, which could have none of these names.
_RESERVED = ("baselines", "differences", "per_image", "chance", "eight_numbers", "trust", "notes")
# Columns of an image's entry that were no scores.
_COLUMNS = ("index", "stimulus", "stimulus_name", "split", "fold")

# Words of each sentence that version 1 wrote -> what it was about.
_SENTENCES: dict[str, tuple[str, Severity, dict[str, Any]]] = {
    "was replaced by random numbers": ("noise_fmri", "warning", {}),
    "training stimuli were held out": ("held_out", "warning", {}),
    "fMRI is simulated": ("simulated", "warning", {}),
    "both in training and in testing": ("shared_images", "warning", {}),
    "no independent judges": ("circular_metric", "warning", {}),
    "nearly equal": ("near_duplicates", "warning", {}),
    "lacks just that image": ("left_out_mean", "info", {}),
    "identification is not above chance": ("chance", "warning", {"above": False}),
    "identification is above chance": ("chance", "info", {"above": True}),
    "weighted sums of training images": ("training_span", "info", {}),
    "Noise ceiling": ("noise_ceiling", "info", {}),
}
# Words by which any other sentence was made to stand out.
_WARNINGS = ("simulated", "in training", "training set", "trained on", "held out")


def upgraded(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a file of version 1 in the form of version 2, unchecked where it is odd."""
    rows = content.get("per_image") or []
    return {
        **{name: value for name, value in content.items() if name in _RESERVED},
        "sets": {name: value for name, value in content.items() if name not in _RESERVED},
        "diagnostics": content.get("trust") or {},
        "per_image": [_image(row) if isinstance(row, Mapping) else row for row in rows],
        "notes": [dataclasses.asdict(_note(str(text))) for text in content.get("notes") or []],
    }


def _image(row: Mapping[str, Any]) -> dict[str, Any]:
    """An image's entry, its scores apart from what says which image it is."""
    scores = {
        name: value
        for name, value in row.items()
        if name not in _COLUMNS and isinstance(value, (int, float))
    }
    return {name: row[name] for name in _COLUMNS if name in row} | {"scores": scores}


def _note(text: str) -> Note:
    """The note that a sentence of version 1 stands for.

    Its numbers are known by the sentence alone, which is why that is one of the values.
    """
    for words, (kind, severity, values) in _SENTENCES.items():
        if words in text:
            return Note(kind, severity, text, {**values, "sentence": text})
    stands_out = any(words in text for words in _WARNINGS)
    return Note("remark", "warning" if stands_out else "info", text, {"sentence": text})
