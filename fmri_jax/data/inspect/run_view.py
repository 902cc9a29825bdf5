"""One run of NIfTI as its reader takes it: events, volumes, and the voxels that respond most."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from fmri_jax.data.inspect.reliability import temporal_snr
from fmri_jax.data.readers import bids, nifti, runs, volumes
from fmri_jax.data.readers.delayed_mean import taken
from fmri_jax.data.readers.events import Event
from fmri_jax.data.readers.nifti_files import opened
from fmri_jax.data.readers.timing import Timing
from fmri_jax.errors import InputError

BEFORE, AFTER = 4.0, 18.0  # s around an onset that the locked response is shown for
_MOST_RESPONSIVE = 10  # voxels


@dataclasses.dataclass(frozen=True)
class RunView:
    """What one run shows.

    Attributes:
        name: of the file of volumes.
        events: every row of its table that has an onset.
        times: (volumes,) s, when each volume begins.
        step: s between volumes.
        taken: for each event that shows an image, the first volume that its response is the mean
            of, and the one after the last; the same one where the scans do not cover it.
        delay: s from an event to its response; None where responses are betas of a model.
        signal: (volumes,) the mean over all voxels, in per cent of its own mean.
        lags: (bins,) s after the onset, the middle of each bin.
        locked: (voxels, bins) responses of the most responsive voxels around onsets, in standard
            deviations of their signal; NaN where no volume falls into a bin.
        snr: (voxels,) temporal signal-to-noise ratio of every voxel of the masks.
        brain: (x, y, z) bool, where these voxels are.
        first: (x, y, z) the first volume, inside of the masks and outside.
    """

    name: str
    events: list[Event]
    times: np.ndarray
    step: float
    taken: list[tuple[int, int]]
    delay: float | None
    signal: np.ndarray
    lags: np.ndarray
    locked: np.ndarray
    snr: np.ndarray
    brain: np.ndarray
    first: np.ndarray

    @property
    def shown(self) -> list[Event]:
        """The events that show an image."""
        return [event for event in self.events if event.stimulus]


def view(path: str, options: dict[str, Any]) -> RunView | None:
    """Reads the first run of scans at a path.

    Args:
        path: a folder of NIfTI, or one 4-D file.
        options: of the reader, as `fmri_jax.data.readers.registry.Config` names them.

    Returns:
        The run, or None where there are only response estimates, which have no time.

    Raises:
        InputError: the run cannot be read.
    """
    wanted = {name: str(options.get(name) or "") for name in bids.CHOICES}
    root = pathlib.Path(path)
    found, _ = runs.find_runs(path, bids.find_volumes(path), options.get("events") or "", wanted)
    folder = root if root.is_dir() else root.parent
    masks = nifti.masks_of(options.get("masks") or "", folder, found)
    scanned = [run for run in found if not run.volumes.is_betas]
    if not scanned:
        return None
    run = scanned[0]
    delay = None if options.get("response") == "glm" else float(options.get("delay", 5.0))
    image = opened(run.volumes.path)
    scans = volumes.read_scans(run.volumes.path, image, masks)
    timing = runs.run_timing(run, image, float(options.get("repetition_time") or 0.0))
    times, step = np.asarray([float(time) for time in timing.times]), float(timing.step)
    onsets = np.asarray([event.onset for event in run.shown])
    lags, locked = _locked(scans, times, step, onsets)
    mean = scans.mean(axis=1, dtype=np.float64)
    return RunView(
        name=run.volumes.path.name,
        events=[event for event in run.events if np.isfinite(event.onset)],
        times=times,
        step=step,
        taken=[_taken(event, timing, delay, run.volumes.path) for event in run.shown],
        delay=delay,
        signal=100 * (mean / mean.mean() - 1) if mean.mean() else mean,
        lags=lags,
        locked=locked,
        snr=temporal_snr(scans),
        brain=masks.brain,
        first=np.asarray(image.dataobj[..., 0], np.float64),
    )


def _taken(
    event: Event, timing: Timing, delay: float | None, path: pathlib.Path
) -> tuple[int, int]:
    """As the reader takes them; none where the response is outside of the scans, or modelled."""
    try:
        return (0, 0) if delay is None else taken(event, timing, delay, path)
    except InputError:
        return 0, 0


def _locked(
    scans: np.ndarray, times: np.ndarray, step: float, onsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lags, and the mean around onsets of the voxels whose mean varies most over lags.

    Which voxels those are does not depend on the delay: of each, the variance over lags is set
    against that of the volumes within a lag, as in an analysis of variance.
    """
    z = _standardised(scans)
    width = max(step, 1.0)
    edges = np.arange(-BEFORE, AFTER + width, width)
    lag = times[None, :] - onsets[:, None]  # (events, volumes)
    place = np.digitize(lag, edges) - 1
    lags = (edges[:-1] + edges[1:]) / 2
    counts, sums, squares = (np.zeros((len(lags), n)) for n in (1, z.shape[1], z.shape[1]))
    for found in range(len(lags)):
        volume = np.nonzero(place == found)[1]
        counts[found] = len(volume)
        sums[found], squares[found] = z[volume].sum(axis=0), (z[volume] ** 2).sum(axis=0)
    means = sums / np.where(counts > 0, counts, np.nan)
    filled = counts[:, 0] > 0
    within = (squares[filled] - counts[filled] * means[filled] ** 2).sum(axis=0)
    centre = sums.sum(axis=0) / max(counts.sum(), 1)
    between = (counts[filled] * (means[filled] - centre) ** 2).sum(axis=0)
    ratio = between / np.where(within > 0, within, np.inf)
    return lags, means[:, np.argsort(-ratio, kind="stable")[:_MOST_RESPONSIVE]].T


def _standardised(scans: np.ndarray) -> np.ndarray:
    """Scans without linear trend, each voxel in its own standard deviations."""
    z = scans.astype(np.float64) - scans.mean(axis=0, dtype=np.float64)
    time = np.arange(len(z)) - (len(z) - 1) / 2
    z -= time[:, None] * (time @ z / max(float(time @ time), 1.0))
    spread = z.std(axis=0)
    return z / np.where(spread > 0, spread, 1)
