"""Faults that leave a well-formed recording, and what its numbers say of them."""

import dataclasses
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fmri_jax.data import doubts
from fmri_jax.data.doubts import Doubt
from fmri_jax.data.recording import Recording

MakeSession = Callable[..., Recording]
IMAGES, SHOWN, RUNS = 30, 26, 4


def smooth_images(seed: int = 0) -> np.ndarray:
    """Random pictures with structure at a coarse scale, as photographs have."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (IMAGES, 5, 5), dtype=np.uint8)
    large = [Image.fromarray(x).resize((20, 20), Image.Resampling.BICUBIC) for x in small]
    return np.stack([np.asarray(picture) for picture in large])[..., None].copy()


def recording(noise: float = 1.5, late: int = 0, counted_from: int = 0) -> Recording:
    """Responses that follow the images, to labels that may be late or counted wrongly."""
    rng, images = np.random.default_rng(1), smooth_images()
    order = np.concatenate([rng.permutation(SHOWN) for _ in range(RUNS)])
    pixels = images.reshape(IMAGES, -1) / 255.0
    evoked = (pixels - pixels.mean(axis=0)) @ rng.normal(size=(pixels.shape[1], 80))
    evoked = evoked[np.roll(order, late)] / evoked.std()
    trials = len(order)
    return Recording(
        fmri=(evoked + noise * rng.normal(size=(trials, 80))).astype(np.float32),
        stimulus=(order + counted_from).astype(np.int32),
        images=images,
        run=np.repeat(np.arange(RUNS, dtype=np.int32), SHOWN),
        rois={},
        stimulus_names=tuple(f"{i}" for i in range(IMAGES)),
        split=np.full(trials, "train"),
    )


def kinds(found: list[Doubt]) -> dict[str, Doubt]:
    return {doubt.kind: doubt for doubt in found}


@pytest.mark.parametrize("noise", [0.5, 1.5, 3.0])
def test_a_right_recording_is_not_doubted(noise: float) -> None:
    found = kinds(doubts.find(recording(noise)))
    assert set(found) == {"unseen_images"}
    assert found["unseen_images"].values == {"unseen": 4, "beyond": 4, "images": 30}
    assert found["unseen_images"].severity == "info"


def test_runs_of_another_baseline_are_reported_and_do_not_hide_other_faults() -> None:
    for late, more in ((0, set()), (1, {"shifted_labels"})):
        good = recording(late=late)
        level = 6 * np.random.default_rng(3).normal(size=(RUNS, 80)).astype(np.float32)
        other = Recording(**{**vars(good), "fmri": good.fmri + level[good.run]})
        found = kinds(doubts.find(other))
        assert set(found) == {"unseen_images", "run_baselines", *more}
        assert 2 < found["run_baselines"].values["ratio"] < 4
        assert "--config.preparation.run_centring=centre" in found["run_baselines"].text


@pytest.mark.parametrize("counted_from", [1, 2])
def test_indices_that_count_from_elsewhere_are_found_by_similarity(counted_from: int) -> None:
    found = kinds(doubts.find(recording(counted_from=counted_from)))
    shifted = found["shifted_images"]
    assert shifted.values["shift"] == -counted_from and shifted.severity == "warning"
    assert ("image_0_unseen" in found) == (counted_from == 1)
    assert f"if indices are moved by {-counted_from:+d}" in shifted.text


@pytest.mark.parametrize("late", [-2, -1, 1, 2])
def test_labels_that_are_out_of_step_are_found_by_repeats(late: int) -> None:
    found = kinds(doubts.find(recording(late=late)))
    assert found["shifted_labels"].values["shift"] == -late
    assert "check the order of the trials" in found["shifted_labels"].text


@pytest.mark.parametrize("seed", range(5))
def test_noise_says_nothing_of_order(seed: int) -> None:
    good = recording()
    noise = np.random.default_rng(seed).normal(size=good.fmri.shape).astype(np.float32)
    found = doubts.find(
        Recording(**{**vars(good), "fmri": noise, "stimulus": good.stimulus[::-1].copy()})
    )
    assert set(kinds(found)) == {"unseen_images"}


def test_photographs_with_flipped_channels_are_bluer(recordings: Path) -> None:
    with zipfile.ZipFile(recordings / "photos_caltech101_128px.zip") as archive:
        names = sorted(n for n in archive.namelist() if n.lower().endswith((".jpg", ".png")))
        drawn = np.random.default_rng(0).permutation(len(names))[:240]
        photos = np.stack(
            [
                np.asarray(
                    Image.open(io.BytesIO(archive.read(names[i]))).convert("RGB").resize((24, 24))
                )
                for i in drawn
            ]
        )
    for part in np.split(photos, 3):
        assert not doubts._channels(part)
        (flipped,) = doubts._channels(part[..., ::-1])
        assert flipped.kind == "flipped_channels" and "images[..., ::-1]" in flipped.text
    assert not doubts._channels(photos[..., :1]) and not doubts._channels(photos[:11, ..., ::-1])


def test_random_colours_are_not_taken_for_flipped_photographs() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        assert not doubts._channels(rng.integers(0, 256, (40, 6, 6, 3), dtype=np.uint8))
    assert not doubts._channels(np.full((20, 2, 1, 3), 90, np.uint8))


def test_images_of_two_scales_in_one_bank(make_recording: MakeSession) -> None:
    images = make_recording().images.copy()
    images[2] = images[2] // 255
    images[4] = 0  # a black image may be meant
    (dark,) = [d for d in doubts.find(make_recording(images=images)) if d.kind == "dark_images"]
    assert dark.values == {"images": 1, "first": 2, "largest": 1}
    (dim,) = doubts._brightness(make_recording().images // 4)
    assert "none has a value above 63 of 255" in dim.text
    assert not doubts._brightness(np.zeros((3, 4, 4, 1), np.uint8))


def test_responses_that_cannot_be_right(make_recording: MakeSession) -> None:
    fmri = make_recording().fmri
    fmri[:, 3] = 7
    fmri[5, 8] = 1e12
    fmri[20:22] = fmri[10:12]
    found = kinds(doubts.find(make_recording(fmri=fmri)))
    assert found["constant_voxels"].values == {"voxels": 1}
    assert found["extreme_voxels"].values == {"voxels": 1}
    assert found["equal_trials"].values == {"trials": 2, "first": 20}
    assert "trial 20 those of trial 10" in found["equal_trials"].text
    assert [d.severity for d in doubts.find(make_recording(fmri=fmri))][0] == "warning"


def test_what_a_reader_noticed_comes_along(make_recording: MakeSession) -> None:
    dropped = Doubt("dropped_rows", "info", "run 1: 2 rows show no image", {"rows": [3, 7]})
    noticed = make_recording(doubts=(dropped,))
    assert dropped in doubts.find(noticed)
    assert noticed.fingerprint() == make_recording().fingerprint()


def test_one_image_and_equal_images(make_recording: MakeSession) -> None:
    same = np.repeat(make_recording().images[:1], 6, axis=0)
    found = kinds(doubts.find(make_recording(images=same, split=np.full(24, "train"))))
    assert found["equal_images"].values == {"images": 5} and "one_image" in found


def test_images_of_one_colour_are_doubtful() -> None:
    good = recording()
    images = good.images.copy()
    images[3] = 90
    found = [d for d in doubts.find(dataclasses.replace(good, images=images)) if "flat" in d.kind]
    assert [d.values for d in found] == [{"images": 1, "first": 3}]
    assert not [d for d in doubts.find(good) if d.kind == "flat_images"]
