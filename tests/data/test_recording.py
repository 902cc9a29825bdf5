import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError

MakeSession = Callable[..., Recording]


def with_value(array: np.ndarray, index: Any, value: float) -> np.ndarray:
    array = array.copy()
    array[index] = value
    return array


BAD_FIELDS: list[tuple[str, Callable[[Recording], Any], str]] = [
    ("fmri", lambda s: s.fmri.astype(np.float64), "fmri is float64: expected float32; convert it."),
    ("fmri", lambda s: s.fmri.tolist(), "fmri is a list: expected an array of float32."),
    ("fmri", lambda s: s.fmri[0], r"fmri has shape \(10,\): expected \(trials, voxels\)."),
    ("fmri", lambda s: s.fmri[:0], r"shape \(0, 10\): expected at least one trial and one voxel"),
    ("fmri", lambda s: s.fmri[:, :0], "expected at least one trial and one voxel"),
    ("fmri", lambda s: with_value(s.fmri, (3, 7), np.nan), "1 values .* at trial 3, voxel 7"),
    ("fmri", lambda s: with_value(s.fmri, (0, 0), -np.inf), "not finite"),
    ("images", lambda s: s.images / 255.0, "images is float64: expected uint8"),
    ("images", lambda s: s.images[..., 0], r"expected \(stimuli, height, width, channels\)"),
    ("images", lambda s: s.images[..., :2], "so 2 channels: expected .* 3 channels"),
    ("images", lambda s: s.images[:, :0], "expected at least one non-empty image"),
    ("stimulus", lambda s: s.stimulus + 1, "from 1 to 6 for 6 images: .* count from 1, so subtr"),
    ("stimulus", lambda s: s.stimulus - 1, "from -1 to 4 for 6 images: expected 0 to 5; corr"),
    ("stimulus", lambda s: s.stimulus[1:], "stimulus has 23 entries, but fmri has 24 trials"),
    ("stimulus", lambda s: s.stimulus.astype(np.int64), "stimulus is int64: expected int32"),
    ("run", lambda s: s.run[None], r"run has shape \(1, 24\): expected \(trials,\)"),
    ("rois", lambda s: {"V1": np.ones(9, bool)}, r"rois\['V1'\] has 9 entries for 10 voxels"),
    ("rois", lambda s: {"V1": np.ones(10)}, r"rois\['V1'\] is float64: expected bool"),
    ("stimulus_names", lambda s: ("a",), "stimulus_names holds 1 names for 6 images"),
    ("split", lambda s: s.split[1:], "split has 23 entries for 24 trials"),
    ("split", lambda s: s.run, "split is int32: expected str"),
    ("split", lambda s: np.full(24, "test"), r"split holds \['test'\]: expected some .* 'train'"),
]


@pytest.mark.parametrize(("field", "change", "message"), BAD_FIELDS)
def test_a_bad_field_is_rejected(
    make_recording: MakeSession, field: str, change: Callable[[Recording], Any], message: str
) -> None:
    good = make_recording()
    with pytest.raises(InputError, match=message):
        dataclasses.replace(good, **{field: change(good)})


def test_a_test_stimulus_that_is_in_training_is_rejected(make_recording: MakeSession) -> None:
    split = make_recording().split.copy()
    split[0] = "test"  # stimulus 0, whose other trials are training trials
    with pytest.raises(InputError, match=r"trial 0 into 'test', but its stimulus 0 \(a\) is also"):
        make_recording(split=split)


def test_an_image_that_is_in_both_sets_under_two_numbers_is_rejected(
    make_recording: MakeSession,
) -> None:
    images = make_recording().images.copy()
    images[5] = images[2]
    with pytest.raises(InputError, match=r"stimulus 5 \(f\) is also in training \(stimulus 2, a s"):
        make_recording(images=images)
    everything = make_recording(images=images, split=np.full(24, "train"))
    assert everything.distinct_images.tolist() == [0, 1, 2, 3, 4, 2]
    assert everything.distinct_images is everything.distinct_images  # 10,000 images hash slowly


@pytest.mark.parametrize("name", ["hemi-L_label-V1_mask", "lh-V1", "V1+V2", "left V1", "V1 (left)"])
def test_a_region_of_the_very_name_is_selected(make_recording: MakeSession, name: str) -> None:
    """Names as BIDS and labs give them, beside regions that they could be operations on."""
    others = {part: np.arange(10) < 3 + i for i, part in enumerate(("lh", "V1", "V2"))}
    recording = make_recording(rois={**others, name: np.arange(10) > 7})
    assert np.flatnonzero(recording.roi(name)).tolist() == [8, 9]


def test_roi_selects_voxels(make_recording: MakeSession) -> None:
    recording = make_recording()
    for expression in ("", "all", "V1 + V2", "V*", "all - V1 + V1"):
        assert recording.roi(expression).all(), expression
    assert np.flatnonzero(recording.roi("V1 - V1v")).tolist() == [2, 3, 4]
    with pytest.raises(InputError, match=r"selects no voxel: choose among V1 \(5\), V1v \(2\), V2"):
        recording.roi("V1 & V2")
    with pytest.raises(InputError, match="'LOC' does not exist .* choose among V1, V1v, V2"):
        recording.roi("V1 + LOC")


@pytest.mark.parametrize(
    "change",
    [
        {"fmri": np.zeros((24, 10), np.float32)},
        {"images": np.zeros((6, 8, 8, 3), np.uint8), "split": np.full(24, "train")},
        {"run": np.zeros(24, np.int32)},
        {"rois": {}},
        {"stimulus_names": tuple("abcdeg")},
        {"simulated": True},
    ],
)
def test_the_fingerprint_follows_the_content(
    make_recording: MakeSession, change: dict[str, Any]
) -> None:
    recording = make_recording()
    assert make_recording(**change).fingerprint() != recording.fingerprint()
    assert make_recording(description="other words").fingerprint() == recording.fingerprint()
    fortran = np.asfortranarray(recording.fmri)
    assert make_recording(fmri=fortran).fingerprint() == recording.fingerprint()


def test_a_response_whose_square_overflows_is_rejected(make_recording) -> None:
    """It would make the variance of its voxel infinite, and every weight NaN."""
    fmri = make_recording().fmri.copy()
    fmri[3, 4] = 1e30
    with pytest.raises(InputError, match=r"fmri holds 1e\+30 in voxel 4, one of 1 voxels beyond"):
        make_recording(fmri=fmri)
