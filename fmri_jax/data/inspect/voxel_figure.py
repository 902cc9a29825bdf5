"""The picture of the responses: their values, drift over trials, spread, and reliability."""

import pathlib
from typing import TYPE_CHECKING

import numpy as np

from fmri_jax.data.inspect.reliability import split_half
from fmri_jax.data.recording import Recording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _ORANGE = "#3b6ea5", "#a5623b"


def draw(
    fmri: np.ndarray,
    path: pathlib.Path,
    recording: Recording | None = None,
    snr: np.ndarray | None = None,
) -> None:
    """Writes what the responses look like.

    A spike at 0, values far from the rest, voxels without any spread, runs of another baseline, and
    responses that do not repeat are seen at a glance.

    Args:
        fmri: (trials, voxels).
        path: the PNG to write.
        recording: whose runs and repeats are drawn, if it can be used.
        snr: (voxels,) temporal signal-to-noise ratio, where there are scans.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.4), layout="constrained")
    (values, spreads), (course, repeats) = figure.subplots(2, 2)
    finite = fmri[np.isfinite(fmri)]
    values.hist(finite, bins=100, color=_BLUE)
    values.set(xlabel="response (units of the recording)", ylabel="values", yscale="log")
    spread = fmri.std(axis=0, dtype=np.float64)
    spreads.hist(spread[np.isfinite(spread)], bins=60, color=_ORANGE)
    spreads.set(xlabel="standard deviation over trials", ylabel="voxels")
    _course(course, fmri, recording)
    _repeats(repeats, recording, snr)
    figure.suptitle(f"{fmri.shape[0]} trials x {fmri.shape[1]} voxels")
    figure.savefig(path, dpi=100)


def _course(axes: "Axes", fmri: np.ndarray, recording: Recording | None) -> None:
    """The mean over voxels of each trial, runs in alternating colours."""
    mean = fmri.mean(axis=1, dtype=np.float64)
    run = recording.run if recording else np.zeros(len(fmri), np.int32)
    trial = np.arange(len(mean))
    for place, number in enumerate(np.unique(run)):
        of_run = run == number
        axes.plot(trial[of_run], mean[of_run], ".", ms=4, color=(_BLUE, _ORANGE)[place % 2])
    runs = len(np.unique(run))
    what = f"{runs} runs, in alternating colours" if runs > 1 else "one run"
    axes.set(xlabel=f"trial ({what})", ylabel="mean over voxels")


def _repeats(axes: "Axes", recording: Recording | None, snr: np.ndarray | None) -> None:
    """Histogram of split-half reliability, or of tSNR where nothing repeats."""
    reliability = split_half(recording) if recording else None
    if reliability is not None:
        found = reliability[np.isfinite(reliability)]
        axes.hist(found, bins=np.linspace(-1, 1, 61).tolist(), color=_BLUE)
        axes.axvline(0, color="black", lw=1)
        middle = f", median {np.median(found):.2f}" if len(found) else ""
        axes.set(xlabel=f"split-half reliability over images (r{middle})", ylabel="voxels")
    elif snr is not None:
        axes.hist(snr[np.isfinite(snr)], bins=60, color=_BLUE)
        axes.set(xlabel="temporal signal-to-noise ratio", ylabel="voxels")
    else:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no three images are repeated:\nno reliability", ha="center")
