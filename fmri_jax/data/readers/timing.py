"""When each volume of a run was taken, in exact arithmetic.

Times are fractions. A header keeps the repetition time as float32, in which 1.4 s is 1.39999998:
over 27 volumes the error moves an event from one volume to the next. So what was rounded is
restored (`exact_seconds`), onsets are taken to the microsecond, and all else is exact.

Sidecars come first (`RepetitionTime`, `VolumeTiming`, `StartTime`), the header second; if they
disagree, neither is believed.
"""

import bisect
import dataclasses
import math
import warnings
from fractions import Fraction
from typing import Any

from fmri_jax.errors import InputError

_MICROSECOND = Fraction(1, 10**6)
_SAME = 2 * _MICROSECOND  # times closer than this are one: onset, duration, delay were rounded
_AGREE = Fraction(1, 10**4)  # relative difference up to which two repetition times are one, rounded
_FLOAT32 = Fraction(1, 10**7)  # relative error of a number that was a float32 once
_UNITS = {"sec": Fraction(1), "msec": Fraction(1, 1000), "usec": _MICROSECOND}
_SHORTEST, _LONGEST = Fraction(1, 10), Fraction(20)  # s, of a repetition time


@dataclasses.dataclass(frozen=True)
class Timing:
    """When the volumes of a run were taken.

    Attributes:
        times: s from the first volume's acquisition on, one per volume, increasing.
        step: s between the starts of volumes; of irregular ones, between the last two.
    """

    times: tuple[Fraction, ...]
    step: Fraction

    def first_from(self, time: Fraction) -> int:
        """The index of the first volume that is not before `time`; the count of volumes if none."""
        return bisect.bisect_left(self.times, time - _SAME)

    def nearest(self, time: Fraction) -> int:
        """The index of the volume nearest to `time`, of two the earlier."""
        later = min(self.first_from(time), len(self.times) - 1)
        earlier = max(later - 1, 0)
        closer = abs(self.times[earlier] - time) <= abs(self.times[later] - time)
        return earlier if closer else later

    @property
    def end(self) -> Fraction:
        """s, when the last volume ends."""
        return self.times[-1] + self.step


def seconds(value: float) -> Fraction:
    """A time as people and programs write it, to the microsecond."""
    return Fraction(round(Fraction(value) * 10**6), 10**6)


def exact_seconds(value: Fraction, error: Fraction) -> Fraction:
    """What a repetition time was before it was rounded.

    Args:
        value: s.
        error: the relative error that it may have.

    Returns:
        `value` if it has at most six digits after the point; else the simple fraction (1 1/3 s) or
        the microseconds that lie within its error, if any.
    """
    if (value * 10**6).denominator == 1:
        return value
    for candidate in (value.limit_denominator(60), Fraction(round(value * 10**6), 10**6)):
        if abs(candidate - value) <= error * value:
            return candidate
    return value


def timing(
    what: str, volumes: int, metadata: dict[str, Any], header: Any, repetition_time: float = 0.0
) -> Timing:
    """When the volumes of a run were taken.

    Volume i is taken at `StartTime` + i `RepetitionTime`, or at `VolumeTiming[i]`. `StartTime` is
    the moment to which slices were interpolated (`SliceTimingCorrected`), 0 without correction.
    `DelayTime` is part of `RepetitionTime`.

    Args:
        what: the file, for messages.
        volumes: how many there are.
        metadata: of its sidecars, see `sidecars.metadata`.
        header: of the NIfTI file.
        repetition_time: s, where the user has decided; 0: what the files state.

    Raises:
        InputError: no source states a usable time, or two disagree.
    """
    start = _start(what, metadata, header)
    by_header = _header_seconds(header, header["pixdim"][4])
    stated = () if repetition_time else _volume_timing(what, volumes, metadata)
    if stated:
        _check_volume_timing(what, stated, metadata, by_header)
        last = stated[-1] - stated[-2] if len(stated) > 1 else by_header or Fraction(0)
        return Timing(tuple(start + time for time in stated), last)
    if repetition_time:
        step = exact_seconds(Fraction(repetition_time), _FLOAT32)
    else:
        step = _stated_step(what, metadata, header, by_header)
    if not _SHORTEST <= step <= _LONGEST:
        raise InputError(
            f"{what} states a repetition time of {float(step):g} s: expected 0.1 to 20 s; correct "
            "it in its sidecar, or pixdim or the unit of time in its header."
        )
    delay = _positive(what, metadata, "DelayTime", zero=True)
    if delay is not None and delay >= step:
        raise InputError(
            f"{what}: its sidecar states a DelayTime of {float(delay):g} s within a RepetitionTime "
            f"of {float(step):g} s: expected a shorter delay; correct one of them."
        )
    return Timing(tuple(start + i * step for i in range(volumes)), step)


def _stated_step(
    what: str, metadata: dict[str, Any], header: Any, by_header: Fraction | None
) -> Fraction:
    """The repetition time that sidecar and header agree on, or the one that is stated."""
    by_sidecar = _positive(what, metadata, "RepetitionTime")
    if by_sidecar is not None:
        if by_header is not None:
            _check_same(what, "sidecar", by_sidecar, "header", by_header)
        return by_sidecar
    if by_header is None:
        raise InputError(
            f"{what} states no repetition time: its header has 0 and no sidecar has "
            "RepetitionTime; add a sidecar of the volumes' name that ends in .json with "
            '{"RepetitionTime": 2.0}, or give repetition_time.'
        )
    if by_header == 1 and header.get_xyzt_units()[1] == "unknown":
        warnings.warn(
            f"{what}: its header states 1 s between volumes, without a unit, and no sidecar says "
            "more: programs write that unasked; if it is wrong, give repetition_time.",
            stacklevel=3,
        )
    return by_header


def _check_volume_timing(
    what: str, times: tuple[Fraction, ...], metadata: dict[str, Any], by_header: Fraction | None
) -> None:
    """Rejects `VolumeTiming` beside another repetition time; an irregular one has no header's."""
    step = _regular(times)
    by_sidecar = _positive(what, metadata, "RepetitionTime")
    if by_sidecar is not None:
        _check_same(what, "VolumeTiming", step or Fraction(0), "RepetitionTime", by_sidecar)
    if step and by_header:
        _check_same(what, "VolumeTiming of its sidecar", step, "header", by_header)


def _check_same(what: str, one: str, a: Fraction, other: str, b: Fraction) -> None:
    if abs(a - b) > _AGREE * max(a, b):
        raise InputError(
            f"{what}: the repetition time is {float(a):g} s by {_its(one)} and {float(b):.7g} s by "
            f"{_its(other)}: expected one; correct the wrong one, or give the right one as "
            f"repetition_time, such as repetition_time={float(a):g}."
        )


def _its(source: str) -> str:
    return source if source[0].isupper() else f"its {source}"


def _header_seconds(header: Any, value: Any) -> Fraction | None:
    """A time in a header, in s; None where it states none (0, or a unit that is no time's)."""
    unit = header.get_xyzt_units()[1]
    factor = _UNITS.get(unit, Fraction(1) if unit in ("unknown", "") else None)
    if factor is None or not math.isfinite(value) or value <= 0:
        return None
    return exact_seconds(Fraction(float(value)) * factor, _FLOAT32)


def _volume_timing(what: str, volumes: int, metadata: dict[str, Any]) -> tuple[Fraction, ...]:
    values = metadata.get("VolumeTiming")
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(v, Fraction) for v in values):
        raise InputError(
            f"{what}: its sidecar has VolumeTiming {values!r}: expected a list of seconds, one per "
            "volume; correct it."
        )
    if len(values) != volumes:
        raise InputError(
            f"{what} holds {volumes} volumes, and VolumeTiming of its sidecar has {len(values)} "
            "entries: expected one per volume; correct it."
        )
    times = tuple(Fraction(round(v * 10**6), 10**6) for v in values)
    if any(b <= a for a, b in zip(times, times[1:], strict=False)) or times[0] < 0:
        raise InputError(
            f"{what}: VolumeTiming of its sidecar does not increase from 0 on: expected the "
            "seconds at which each volume begins; correct it."
        )
    return times


def _regular(times: tuple[Fraction, ...]) -> Fraction | None:
    """The step of evenly spaced times, which may have been rounded; None if there is none."""
    if len(times) < 2:
        return None
    step = (times[-1] - times[0]) / (len(times) - 1)
    even = all(abs(times[0] + i * step - t) <= _AGREE * step for i, t in enumerate(times))
    return step if even else None


def _start(what: str, metadata: dict[str, Any], header: Any) -> Fraction:
    """s, the moment that the first volume shows, by `StartTime` or the header's `toffset`."""
    stated = _positive(what, metadata, "StartTime", zero=True)
    by_header = _header_seconds(header, header["toffset"]) or Fraction(0)
    if stated and metadata.get("SliceTimingCorrected") is False:
        raise InputError(
            f"{what}: its sidecar states a StartTime of {float(stated):g} s and that slice timing "
            "was not corrected (SliceTimingCorrected is false): expected one or the other; "
            "correct it."
        )
    if by_header and (stated is None or abs(by_header - stated) > _AGREE * by_header):
        said = "states none" if stated is None else f"has {float(stated):g} s"
        raise InputError(
            f"{what}: its header puts the first volume at {float(by_header):g} s (toffset), and "
            f"its sidecar {said} as StartTime: expected them to agree; correct one of them."
        )
    return Fraction(round((stated or 0) * 10**6), 10**6)


def _positive(what: str, metadata: dict[str, Any], key: str, zero: bool = False) -> Fraction | None:
    """A time of a sidecar in s; None where it states none."""
    value = metadata.get(key)
    if value is None:
        return None
    if not isinstance(value, Fraction) or value < 0 or (value == 0 and not zero):
        found = f"{float(value):g}" if isinstance(value, Fraction) else repr(value)
        raise InputError(
            f"{what}: its sidecar has {key} {found}: expected a number of seconds, such as 2.0; "
            "correct it."
        )
    return exact_seconds(value, _FLOAT32) if key == "RepetitionTime" else value
