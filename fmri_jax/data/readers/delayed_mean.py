"""The response of each trial: the mean of the volumes some seconds after its image."""

import pathlib
from fractions import Fraction

import numpy as np

from fmri_jax.data.readers.events import Event
from fmri_jax.data.readers.timing import Timing, seconds
from fmri_jax.errors import InputError


def delayed_means(
    scans: np.ndarray, events: list[Event], timing: Timing, delay: float, path: pathlib.Path
) -> np.ndarray:
    """Each voxel's mean from `onset + delay` to `onset + duration + delay`, without its trend.

    Args:
        scans: (volumes, voxels) float32.
        events: the rows that show an image.
        timing: of the volumes.
        delay: s from an event to its response.
        path: of the volumes, for messages.

    Returns:
        (events, voxels) float32, in the units of the scans.

    Raises:
        InputError: a response begins before the first volume or ends after the last.
    """
    flat = _detrended(scans)
    means = np.empty((len(events), scans.shape[1]), np.float32)
    for row, event in zip(means, events, strict=True):
        first, last = taken(event, timing, delay, path)
        row[...] = flat[first:last].mean(axis=0)
    return means


def taken(event: Event, timing: Timing, delay: float, path: pathlib.Path) -> tuple[int, int]:
    """The volumes that an event's response is the mean of: the first, and the one after the last.

    They are those at or after `onset + delay` and before `onset + duration + delay`; where there
    are none, the one nearest to the middle, of two equally near the earlier.

    Raises:
        InputError: the response begins before the first volume or ends after the last.
    """
    start = seconds(event.onset) + seconds(delay)
    stop = start + seconds(event.duration)
    first, last = timing.first_from(start), timing.first_from(stop)
    middle = (start + stop) / 2
    if last <= first:
        first = timing.nearest(middle)
        last = first + 1
        half = timing.step / 2
        early, late = middle < timing.times[0] - half, middle > timing.times[-1] + half
    else:
        early = start <= timing.times[0] - timing.step
        late = stop > timing.end
    if early:
        raise InputError(
            f"{path}: the response of its event at {event.onset:g} s begins at {_text(start)} s, "
            "before the first volume: expected onsets in seconds from the first volume on; drop "
            "that row or correct its onset."
        )
    if late:
        raise InputError(
            f"{path} ends after {_text(timing.end)} s, but its event at {event.onset:g} s has its "
            f"response until {_text(stop)} s: expected scans that cover every event; drop that row "
            "or lower delay."
        )
    return first, last


def _text(time: Fraction) -> str:
    return f"{float(time):g}"


def _detrended(scans: np.ndarray) -> np.ndarray:
    """Scans without each voxel's linear trend; its mean stays."""
    from nilearn.signal import clean

    if len(scans) == 1:  # has no trend, and would come back with its mean still in it
        return scans
    mean = scans.mean(axis=0)
    return clean(scans, detrend=True, standardize=None, filter=False) + mean
