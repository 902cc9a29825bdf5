"""What a run says of chance and of few images, on rows whose answers are known."""

import dataclasses

import numpy as np
import pytest

from fmri_jax.evaluation.baselines import BASELINES, questions
from fmri_jax.evaluation.units import independent_units
from fmri_jax.pipeline import chance
from fmri_jax.pipeline.evidence import Labels, units
from fmri_jax.pipeline.rows import METHOD, Rows


def rows(answer, n=12, shuffled=None, seed=0) -> Rows:
    """One fold for each left-out image, of `answer(rng, training, mean, image)`."""
    rng = np.random.default_rng(seed)
    shown = 0.5 * rng.uniform(size=(1, 5, 5, 1)) + 0.4 * rng.uniform(size=(n, 5, 5, 1))
    training = [np.delete(shown, i, axis=0) for i in range(n)]
    means = np.stack([images.mean(axis=0) for images in training])

    def made(how):
        parts = zip(training, means, shown, strict=True)
        return np.clip([how(rng, images, mean, x) for images, mean, x in parts], 0, 1)

    predictions = {
        METHOD: made(answer),
        "mean_image": means,
        "shuffled_fmri": made(shuffled or answer),
    }
    return Rows(
        targets=shown,
        predictions=predictions,
        vs_train={},
        stimulus=np.arange(n, dtype=np.int32),
        split=np.full(n, "test"),
        fold=np.array([f"stimulus {i}" for i in range(n)]),
    )


def noise(rng, training, mean, x):
    return mean + rng.normal(0, 0.03, mean.shape)


def faint(rng, training, mean, x):
    return noise(rng, training, mean, x) + 0.2 * (x - mean)


def against_the_median(rng, training, mean, x):
    """Blind, and yet it tells which image its training lacked."""
    return 2 * mean - np.median(training, axis=0) + rng.normal(0, 0.001, mean.shape)


def verdict(found: Rows):
    numbers, notes = chance.against_chance(found)
    (note,) = (note for note in notes if note.kind == "chance")
    return numbers, note


def test_a_decoder_is_above_chance_though_its_raw_score_is_below_one_half():
    numbers, note = verdict(rows(faint, shuffled=noise))
    assert numbers["identification_2way_blind"] < 0.4
    assert numbers["identification_centred_p"] < 0.05
    assert note.values["above"] and not note.is_warning and "not 50 %" in note.text


@pytest.mark.parametrize("answer", [noise, against_the_median])
def test_a_blind_decoder_is_not(answer):
    numbers, note = verdict(rows(answer, n=20))
    assert numbers["identification_centred_p"] > 0.05
    assert not note.values["above"] and note.is_warning


@pytest.mark.parametrize(("n", "words"), [(5, "cannot be significant"), (12, "leave out more")])
def test_few_images_are_said_to_prove_little(n, words):
    _, notes = chance.against_chance(rows(noise, n))
    (few,) = (note for note in notes if note.kind == "few_images")
    assert few.is_warning and few.values == {"images": n, "units": n} and words in few.text
    assert not chance.few(rows(noise, 20))


def test_near_copies_and_groups_are_one_unit():
    shown = np.random.default_rng(1).uniform(size=(6, 8, 8, 1))
    shown[3] = np.clip(shown[0] + 0.01, 0, 1)
    stimulus = np.array([0, 1, 2, 3, 4, 5, 1])
    targets = shown[stimulus]
    assert len(np.unique(independent_units(targets, stimulus))) == 5
    movies = np.array([0, 0, 1, 1, -1, -1, 0])
    found = independent_units(targets, stimulus, movies)
    assert found[0] == found[1] == found[2] == found[3] == found[6]  # joined by the copy
    assert len(np.unique(found)) == 3


def test_crops_of_four_photographs_are_four_pieces_of_evidence():
    """An answer that tells some photographs apart: certain by crops, not by photographs."""
    rng = np.random.default_rng(2)
    photograph = np.repeat(np.arange(4), 10)
    likeness = 0.5 * rng.uniform(size=(4, 5, 5, 1))[photograph]
    shown = likeness + 0.5 * rng.uniform(size=(40, 5, 5, 1))
    mean = np.broadcast_to(shown.mean(axis=0), shown.shape)
    swapped = likeness[np.array([1, 0, 2, 3])[photograph] * 10]  # two of the four are confused
    found = Rows(
        targets=shown,
        predictions={METHOD: np.clip(swapped, 0, 1), "mean_image": mean},
        vs_train={},
        stimulus=np.arange(40, dtype=np.int32),
        split=np.full(40, "test"),
        fold=np.full(40, "all"),
    )
    numbers, notes = chance.against_chance(found, 1000)
    assert numbers["independent_units"] == 40 and numbers["identification_centred_p"] < 0.05
    numbers, notes = chance.against_chance(found, labels=Labels(groups=photograph))
    assert numbers["independent_units"] == 4 and numbers["identification_centred_p"] > 0.05
    few, chance_note = notes
    assert few.values == {"images": 40, "units": 4} and "so few groups prove little" in few.text
    assert not chance_note.values["above"] and "least p is 0.062" not in few.text
    folds = dataclasses.replace(found, fold=(np.arange(40) % 5).astype(str))
    (few,) = chance.few(folds, photograph)  # each of five decoders beside itself on shuffled fMRI
    assert "Nor can identification be found above chance: its least p is 0.062" in few.text
    categories = Labels(groups=np.full(40, -1), categories=photograph)
    assert len(np.unique(units(found, categories))) == 4


def test_which_baselines_question_a_lead():
    assert questions("shuffled_fmri", "ridge") and questions("shuffled_fmri", "mean_image")
    assert questions("mean_image", "ridge") and not questions("mean_image", "shuffled_fmri")
    assert not any(questions("ridge", other) for other in BASELINES)
    assert not any(questions(name, name) for name in BASELINES)
