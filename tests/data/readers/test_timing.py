"""When volumes are taken: against exact fractions, for every repetition time a scanner may have."""

import math
from fractions import Fraction
from pathlib import Path

import nibabel
import numpy as np
import pytest

from fmri_jax.data.readers.delayed_mean import taken
from fmri_jax.data.readers.events import Event
from fmri_jax.data.readers.timing import Timing, exact_seconds, timing
from fmri_jax.errors import InputError

VOLUMES = 150
ALL_TIMES = [Fraction(hundredths, 100) for hundredths in range(30, 401)]


def header(seconds: float, unit: str = "sec", toffset: float = 0.0) -> nibabel.Nifti1Header:
    made = nibabel.Nifti1Header()
    made.set_data_shape((2, 2, 2, VOLUMES))
    made.set_zooms((1, 1, 1, seconds))
    made.set_xyzt_units("mm", unit)
    made["toffset"] = toffset
    return made


def event(onset: float, duration: float) -> Event:
    return Event(onset, duration, "a.png", "")


def indices(onset: float, duration: float, delay: float, step: Fraction) -> tuple[int, int]:
    """The volumes of an event in whole fractions of what its table says in decimals."""
    start = Fraction(repr(round(onset, 6))) + Fraction(repr(round(delay, 6)))
    stop = start + Fraction(repr(round(duration, 6)))
    return math.ceil(start / step), math.ceil(stop / step)


@pytest.mark.parametrize(("unit", "factor"), [("sec", 1), ("msec", 1000), ("usec", 10**6)])
def test_headers_give_every_repetition_time_exactly(unit: str, factor: int) -> None:
    for step in ALL_TIMES:
        found = timing("x", VOLUMES, {}, header(float(step) * factor, unit))
        assert found.step == step and found.times[-1] == (VOLUMES - 1) * step


def test_events_locked_to_volumes_get_these_volumes_at_every_repetition_time() -> None:
    for step in ALL_TIMES:
        times = timing("x", VOLUMES, {}, header(float(step)))
        for start in range(1, VOLUMES - 10, 13):
            onset = start * float(step)  # 37.8 or 37.800000000000004, as programs write it
            found = taken(event(onset, 4 * float(step)), times, 3 * float(step), Path("x"))
            assert found == (start + 3, start + 7), (step, start)


def test_events_at_whole_seconds_get_what_exact_fractions_give_at_every_repetition_time() -> None:
    for step in ALL_TIMES:
        times = timing("x", VOLUMES, {"RepetitionTime": step}, header(0))
        for onset in np.arange(0, int((VOLUMES - 1) * step) - 9, 7.25).tolist():
            found = taken(event(onset, 4.0), times, 5.0, Path("x"))
            assert found == indices(onset, 4.0, 5.0, step), (step, onset)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1.399999976158142", "7/5"),  # a float32, printed as a double
        ("0.30000000000000004", "3/10"),
        ("0.7333333333", "11/15"),
        ("1.3333334", "4/3"),
        ("0.720", "18/25"),
        ("1.793548", "1793548/1000000"),
        ("2.000001", "2000001/1000000"),
    ],
)
def test_what_was_rounded_is_restored(written: str, meant: str) -> None:
    assert exact_seconds(Fraction(written), Fraction(1, 10**7)) == Fraction(meant)


@pytest.mark.parametrize(
    "step", [Fraction(4, 3), Fraction(2, 3), Fraction(11, 15), Fraction(25, 3)]
)
def test_thirds_of_seconds_keep_volumes_and_events_together(step: Fraction) -> None:
    times = timing("x", VOLUMES, {}, header(float(step)))
    for start in range(0, VOLUMES - 5, 7):
        onset = float(f"{float(start * step):.6f}")
        assert taken(event(onset, 2 * float(step)), times, 0.0, Path("x")) == (start, start + 2)


def test_the_sidecar_comes_first_and_the_header_second() -> None:
    two = {"RepetitionTime": Fraction(2)}
    assert timing("x", VOLUMES, two, header(0)).step == 2
    assert timing("x", VOLUMES, two, header(2.00001)).step == 2  # rounded somewhere
    assert timing("x", VOLUMES, {}, header(1.5)).step == Fraction(3, 2)
    assert timing("x", VOLUMES, two, header(1.0), repetition_time=1.5).step == Fraction(3, 2)
    assert timing("x", VOLUMES, two, header(99, "hz")).step == 2  # no unit of time


def test_slices_corrected_to_a_moment_move_every_volume_there() -> None:
    stated = {
        "RepetitionTime": Fraction(2),
        "StartTime": Fraction("0.96"),
        "SliceTimingCorrected": True,
    }
    times = timing("x", VOLUMES, stated, header(2.0))
    assert times.times[:3] == (Fraction("0.96"), Fraction("2.96"), Fraction("4.96"))
    assert taken(event(1.0, 2.0), times, 0.0, Path("x")) == (1, 2)
    assert timing("x", VOLUMES, {**stated, "StartTime": None}, header(2.0)).times[0] == 0


def test_sparse_volumes_are_taken_at_their_own_times() -> None:
    moments = [Fraction(t) for t in ("0", "2", "7.5", "9.5", "15")]
    times = timing("x", 5, {"VolumeTiming": moments}, header(1.0))
    assert times.times == tuple(moments)
    assert taken(event(0.0, 3.0), times, 7.0, Path("x")) == (2, 4)
    assert taken(event(4.0, 0.5), times, 0.0, Path("x")) == (1, 2)  # nearest to 4.25 s


def test_of_two_volumes_equally_near_the_earlier_is_taken() -> None:
    times = Timing(tuple(Fraction(2 * i) for i in range(30)), Fraction(2))
    for onset in (10.0, 12.0, 14.0):  # the middle lies between two volumes
        first, _ = taken(event(onset, 0.0), times, 5.0, Path("x"))
        assert times.times[first] == onset + 4


@pytest.mark.parametrize(
    ("stated", "seconds", "message"),
    [
        ({"RepetitionTime": Fraction(2)}, 1.0, "2 s by its sidecar and 1 s by its header"),
        ({"RepetitionTime": Fraction("1.79")}, 1.793548, "1.79 s by .* and 1.793548 s by"),
        ({"RepetitionTime": Fraction(2)}, 2000.0, "2 s by its sidecar and 2000 s by its header"),
        ({"RepetitionTime": Fraction(2000)}, 0.0, "repetition time of 2000 s: expected 0.1 to 20"),
        ({"RepetitionTime": "2.0"}, 2.0, "RepetitionTime '2.0': expected a number of seconds"),
        ({"RepetitionTime": Fraction(-2)}, 2.0, "RepetitionTime -2: expected a number"),
        ({"RepetitionTime": True}, 2.0, "RepetitionTime True: expected a number"),
        ({}, 0.0, "states no repetition time: its header has 0"),
        ({"VolumeTiming": [Fraction(i) for i in range(9)]}, 1.0, "150 volumes, and .* 9 entries"),
        ({"VolumeTiming": "0, 2"}, 1.0, "expected a list of seconds"),
        ({"VolumeTiming": [Fraction(0)] * VOLUMES}, 1.0, "does not increase"),
        (
            {"VolumeTiming": [Fraction(2 * i) for i in range(VOLUMES)]},
            1.0,
            "2 s by VolumeTiming of its sidecar and 1 s by its header",
        ),
        (
            {
                "VolumeTiming": [Fraction(2 * i) for i in range(VOLUMES)],
                "RepetitionTime": Fraction(1),
            },
            0.0,
            "2 s by VolumeTiming and 1 s by RepetitionTime",
        ),
        (
            {"StartTime": Fraction(1), "SliceTimingCorrected": False},
            2.0,
            "StartTime of 1 s and that slice timing was not corrected",
        ),
        ({"StartTime": Fraction(-1)}, 2.0, "StartTime -1: expected a number of seconds"),
        ({"DelayTime": Fraction(3)}, 2.0, "DelayTime of 3 s within a RepetitionTime of 2 s"),
    ],
)
def test_contradictions_are_rejected_with_both_numbers(
    stated: dict, seconds: float, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        timing("x", VOLUMES, stated, header(seconds))


def test_a_shifted_header_needs_a_sidecar_that_agrees() -> None:
    with pytest.raises(InputError, match=r"puts the first volume at 1 s \(toffset\), .* none"):
        timing("x", VOLUMES, {}, header(2.0, toffset=1.0))
    stated = {"StartTime": Fraction(1)}
    assert timing("x", VOLUMES, stated, header(2.0, toffset=1.0)).times[0] == 1


def test_one_second_that_nobody_asked_for_is_doubted() -> None:
    with pytest.warns(UserWarning, match="1 s between volumes, without a unit"):
        timing("x", VOLUMES, {}, header(1.0, "unknown"))
