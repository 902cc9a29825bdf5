"""Typed notes: what a reader must know before believing a score.

A note is shown by its text, and treated by its kind, severity and values alone: whether it stands
out, in which order notes are shown, whether a run is ranked, and which notes of several runs are
one. Any text may therefore be reworded.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from fmri_jax.config import unknown_name
from fmri_jax.errors import InputError

Severity = Literal["warning", "info"]


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of note.

    Attributes:
        meaning: when a run has such a note, and what its values are.
        in_general: what is shown of several notes of this kind whose values differ.
        knows_test_images: whether the method may recognise the test images from training, so that
            its scores are not ranked among those of methods that cannot.
    """

    meaning: str
    in_general: str = ""
    knows_test_images: bool = False


# Every kind that there is, in the order in which notes of one severity are shown.
KINDS = {
    "noise_fmri": Kind(
        "The responses were replaced by random numbers.",
        "All fMRI was replaced by random numbers: nothing here was decoded.",
    ),
    "untrained": Kind(
        "Training images are reconstructed no better than by their mean; values: `training`, "
        "`mean`, pixel correlations.",
        "Training images are reconstructed no better than by their mean.",
    ),
    "still_learning": Kind(
        "The losses still fell when training ended; values: `loss`, `fall`, relative.",
        "The losses still fell when training ended.",
    ),
    "overfitted": Kind(
        "Training images are reconstructed far better than test images; values: `training`, "
        "`test`, pixel correlations. A warning where an option of the method may mend it.",
        "Training images are reconstructed far better than test images.",
    ),
    "shared_images": Kind(
        "Images are shown both in training and in testing; values: `images` of `fold`, `folds`.",
        "Test images were also shown in training.",
        knows_test_images=True,
    ),
    "leaked_images": Kind(
        "The report found test images among the training rows of a fold; values: `images`.",
        "Test images were also in the training set of the same fold.",
        knows_test_images=True,
    ),
    "run_centring": Kind(
        "Runs without training trials were centred by their test trials; values: `runs`, `how`.",
        "Runs were centred by their test trials, which therefore know of one another.",
    ),
    "held_out": Kind(
        "Training stimuli stand in for the test set; values: `share`.",
        "Training stimuli were held out and stand in for the test set.",
    ),
    "simulated": Kind("No brain was scanned.", "The fMRI is simulated."),
    "recording_doubt": Kind(
        "The numbers of the recording look wrong; values: `doubt`, its kind, and what it rests on.",
        "Something is doubtful about the recording; `fmri-jax inspect` says what.",
    ),
    "collapse": Kind(
        "All reconstructions are nearly one picture; values: `spread`, `of_targets`.",
        "All reconstructions are nearly the same picture.",
    ),
    "discriminator_ahead": Kind(
        "A discriminator told all images apart to the end; values: `trainings`.",
        "The discriminator was so far ahead that the generator learned little from it.",
    ),
    "circular_metric": Kind(
        "Metrics use features of a network that the method was trained through, or of one like it; "
        "values: `metrics`, `network` of the metrics, `trained_through`.",
        "Metrics use features of a network that the method was trained through, or of one like it.",
    ),
    "no_other_network": Kind(
        "Metrics through a network are circular, and none uses another network.",
        "No score uses a network that the method was not trained through.",
    ),
    "few_images": Kind(
        "Fewer than 20 independent test images; values: `images`, `units`.",
        "So few test images prove little.",
    ),
    "shared_pattern": Kind(
        "All reconstructions share a texture that no image has; values: `shared`, `targets`, "
        "`upsampling`, shares of the fine structure's energy.",
        "All reconstructions share a texture of the method.",
    ),
    "near_duplicates": Kind(
        "Test images nearly equal images shown in training; values: `images`, `correlation`.",
        "Test images nearly equal images shown in training.",
    ),
    "chance": Kind(
        "Whether identification is above chance; values: `p`, `above`. A warning where it is not.",
        "2-way identification is not above chance.",
    ),
    "left_out_mean": Kind("Stimuli are left out, which pushes the mean image below chance."),
    "training_span": Kind(
        "Projection of the test images onto the span of the training images; values: "
        "`pixel_correlation`, `bounds_method`."
    ),
    "noise_ceiling": Kind(
        "The variance of a typical voxel that images explain; values: `explainable`, `fewest` and "
        "`most` trials averaged."
    ),
    "recovery_check": Kind(
        "What the renderer makes of true features; values: `pixel_correlation`."
    ),
    "controls": Kind(
        "What the method makes without brain input, or with embeddings of other images; values: "
        "each control's pairwise identification, `chance`.",
        "Controls say what the prior alone makes.",
    ),
    "samples": Kind(
        "How far several samples of one image differ; values: `standard_deviation` of a pixel.",
        "Several samples were drawn for each image.",
    ),
    "imagery": Kind(
        "A test set was imagined, not seen, and is scored apart; values: `images`, `p`, `above`. A "
        "warning where nothing else was tested.",
        "Imagined images are scored apart from seen ones.",
    ),
    "remark": Kind("Anything else, such as a note of an earlier version of this package."),
}


@dataclasses.dataclass(frozen=True)
class Note:
    """One note. Two notes are equal if all but their texts is.

    Attributes:
        kind: one of `KINDS`.
        severity: "warning" if the scores are not what they seem to be.
        text: for people.
        values: what the text rests on, as JSON values.

    Raises:
        InputError: the kind or severity is unknown.
    """

    kind: str
    severity: Severity
    text: str = dataclasses.field(compare=False)
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Rejects kinds and severities that are not known."""
        if self.kind not in KINDS:
            raise InputError(unknown_name(f"note kind {self.kind!r}", self.kind, KINDS, "kind"))
        if self.severity not in get_args(Severity):
            raise InputError(f"a note has severity {self.severity!r}: expected warning or info.")

    @property
    def is_warning(self) -> bool:
        """Whether it is to stand out."""
        return self.severity == "warning"


def ordered(notes: Iterable[Note]) -> list[Note]:
    """Warnings first, then by kind; notes of one kind stay in their order."""
    places = {kind: place for place, kind in enumerate(KINDS)}
    return sorted(notes, key=lambda note: (not note.is_warning, places[note.kind]))


def know_test_images(notes: Iterable[Note]) -> bool:
    """Whether any of the notes says that the method may recognise its test images."""
    return any(KINDS[note.kind].knows_test_images for note in notes)
