"""`scores.json` is read as it was written, by this version and the one before."""

import dataclasses
import json
import math

import pytest

from fmri_jax.errors import InputError
from fmri_jax.evaluation.intervals import Score
from fmri_jax.evaluation.notes import Note
from fmri_jax.evaluation.permutation import Difference
from fmri_jax.evaluation.results import ImageScores, Results, parse

RESULTS = Results(
    sets={"test": {"ssim": Score(0.5, 0.4, 0.6), "mse": Score(0.25)}, "train": {"ssim": Score(1)}},
    baselines={"ridge": {"ssim": Score(0.25)}},
    differences={"ridge": {"ssim": Difference(0.25, 0.125, 0.375, 0.01, 0.04)}},
    without_brain={"mean_image": {"ssim": "shuffled_fmri"}},
    chance={"identification_2way": 0.5},
    per_image=(ImageScores(0, {"ssim": 0.5}, 3, "owl", "test", "all", 2), ImageScores(1, {})),
    notes=(Note("chance", "warning", "Not above.", {"p": 0.5, "above": False}),),
    diagnostics={"noise_ceiling": 0.75},
    eight_numbers={"pixcorr": Score(0.5)},
    not_computed={"swav": "No weights."},
)


def read_back(content, n_rows=2, main="test"):
    return parse(json.loads(json.dumps(content, allow_nan=False)), n_rows, "scores.json", main)


def test_what_was_written_is_read():
    found = read_back(RESULTS.to_json())
    assert found.to_json() == RESULTS.to_json()
    assert (found.baselines, found.differences) == (RESULTS.baselines, RESULTS.differences)
    assert found.notes[0].text == "Not above." and found.notes == RESULTS.notes
    assert found.test["ssim"] == RESULTS.test["ssim"] and not found.test["mse"].has_interval


def test_a_lead_holds_over_all_comparisons_and_is_no_decoding_where_a_blind_answer_has_it():
    def significance(p, blind):
        gap = {"ridge": {"ssim": Difference(0.25, 0.125, 0.375, 0.001, p)}}
        results = dataclasses.replace(RESULTS, differences=gap, without_brain={"ridge": blind})
        return results.significance("ssim", "ridge")

    assert significance(0.04, {}) == "beaten"
    assert significance(0.06, {}) == "open"  # though p alone is .001
    assert significance(0.04, {"ssim": "shuffled_fmri"}) == "blind lead"
    assert significance(0.04, {"mse": "shuffled_fmri"}) == "beaten"


def test_undefined_scores_are_not_written():
    content = Results({"test": {"ssim": Score(0.5), "f1": Score(math.nan)}}).to_json()
    assert content["sets"] == {"test": {"ssim": {"value": 0.5}}}


@pytest.mark.parametrize("name", ["baselines", "version", "notes", "per_image", "sets"])
def test_a_test_set_may_have_any_name(name):
    results = Results({name: {"ssim": Score(0.5)}})
    assert read_back(results.to_json(), main=name).sets == results.sets


OLD = {
    "letters": {"ssim": {"value": 0.25}},
    "test": {"ssim": {"value": 0.5, "low": 0.4, "high": 0.6}},
    "train": {"ssim": {"value": 1}},
    "baselines": {"mean_image": {"ssim": 0.125}, "ridge": {"ssim": 0.25}},
    "per_image": [
        {"index": 1, "stimulus": 7, "stimulus_name": "owl", "split": "test", "ssim": 0.5}
    ],
    "trust": {"noise_ceiling": 0.75},
    "notes": ["Noise ceiling: images explain 75%.", "Somebody's own words."],
}


def test_a_file_of_version_1_is_read():
    found = read_back(OLD)
    assert list(found.sets) == ["test", "letters", "train"]
    assert found.baselines["ridge"]["ssim"].value == 0.25
    assert found.per_image == (ImageScores(1, {"ssim": 0.5}, 7, "owl", "test"),)
    assert found.diagnostics == OLD["trust"]
    assert [note.text for note in found.notes] == OLD["notes"]
    assert [note.kind for note in found.notes] == ["noise_ceiling", "remark"]
    assert read_back(found.to_json()).to_json() == found.to_json()


@pytest.mark.parametrize(
    ("sentence", "kind", "severity"),
    [
        ("The fMRI is simulated: scores say how the method works.", "simulated", "warning"),
        ("All fMRI was replaced by random numbers: nothing.", "noise_fmri", "warning"),
        ("20% of the training stimuli were held out and stand in.", "held_out", "warning"),
        ("2 images are shown both in training and in testing.", "shared_images", "warning"),
        ("LPIPS looks through it: they are no independent judges.", "circular_metric", "warning"),
        ("1 test image nearly equals an image seen in training.", "near_duplicates", "warning"),
        ("2-way identification is not above chance (p = 0.3).", "chance", "warning"),
        ("2-way identification is above chance (p = 0.01).", "chance", "info"),
        ("The mean of the others lacks just that image.", "left_out_mean", "info"),
        ("The best weighted sums of training images reach .9.", "training_span", "info"),
        ("I looked at images in training, too.", "remark", "warning"),
    ],
)
def test_sentences_of_version_1_have_their_kinds(sentence, kind, severity):
    (note,) = read_back({**OLD, "notes": [sentence]}).notes
    assert (note.kind, note.severity, note.text) == (kind, severity, sentence)


def test_old_notes_of_other_numbers_are_not_the_same():
    first, second = (
        read_back({**OLD, "notes": [f"Noise ceiling: {share} %."]}).notes[0] for share in (40, 60)
    )
    assert first != second


def test_a_file_of_a_later_version_is_rejected():
    with pytest.raises(InputError, match="has version 9: .* reads versions 1 to 2; update it"):
        parse({"version": 9, "sets": {}}, 1, "scores.json")
