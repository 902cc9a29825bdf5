"""The picture of one run: when what was shown, which volumes were taken, how voxels responded."""

import pathlib
from typing import TYPE_CHECKING

import numpy as np

from fmri_jax.data.inspect.run_view import BEFORE, RunView

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _ORANGE, _GREY = "#3b6ea5", "#c9722f", "#9a9a9a"
_CLOSE_UP = 6  # events whose volumes are drawn one by one


def draw(view: RunView, path: pathlib.Path) -> None:
    """Writes the timeline of a run and the response locked to onset.

    From the top: the whole run, events against the mean signal, so that events that outlast the
    scans, drift and jumps are seen; its first events beside the volumes, with those filled that
    each response is the mean of; and the ten most responsive voxels around onsets, in which a wrong
    delay, repetition time or table shows as a peak beside the shaded window.

    Args:
        view: the run.
        path: the PNG to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 9.5), layout="constrained")
    whole, close, locked = figure.subplots(3, 1, height_ratios=(1, 1.25, 1.4))
    _draw_whole(whole, view)
    _draw_close_up(close, view)
    _draw_locked(locked, view)
    blank = len(view.events) - len(view.shown)
    rows = f"{len(view.shown)} events with an image" + (f", {blank} rows without" if blank else "")
    how = "betas of a model" if view.delay is None else f"delay {view.delay:g} s"
    figure.suptitle(
        f"{view.name}\n{len(view.times)} volumes, repetition time {view.step:g} s, {how}, {rows}",
        fontsize=11,
    )
    figure.savefig(path, dpi=100)


def _draw_whole(axes: "Axes", view: RunView) -> None:
    end = view.times[-1] + view.step
    for event in view.events:
        colour = _ORANGE if event.stimulus else "#dddddd"
        axes.axvspan(event.onset, event.onset + max(event.duration, end / 400), color=colour, lw=0)
    axes.plot(view.times, view.signal, color="black", lw=0.9)
    axes.axvline(end, color="black", lw=1, ls=":")
    last = max([end, *(event.onset + event.duration for event in view.events)])
    axes.set(
        xlim=(min(0.0, view.times[0]), last * 1.01),
        xlabel="s from the first volume (dotted: the scans end)",
        ylabel="mean signal (%)",
        title="The run: images (orange) and rows without one (grey) behind the mean of all voxels",
    )
    axes.title.set_fontsize(10)


def _draw_close_up(axes: "Axes", view: RunView) -> None:
    """Events above, volumes below, each response's volumes in the colour of its event."""
    from matplotlib import colormaps

    shown = view.shown[:_CLOSE_UP]
    colours = [colormaps["tab10"](i) for i in range(len(shown))]
    left = min([event.onset for event in shown], default=0.0) - 2 * view.step
    ends = [event.onset + event.duration + (view.delay or 0.0) for event in shown]
    right = max(ends, default=view.times[-1]) + 2 * view.step
    for volume, time in enumerate(view.times):
        if left <= time + view.step and time <= right:
            axes.barh(0, view.step, left=time, height=0.8, fc="white", ec=_GREY, lw=0.6)
            middle = time + view.step / 2
            if view.step > (right - left) / 60 and left < middle < right:
                axes.text(middle, -0.62, str(volume), ha="center", fontsize=7, color=_GREY)
    for event in view.events:
        if not event.stimulus and left <= event.onset <= right:
            axes.barh(2, event.duration, left=event.onset, height=0.8, fc="#dddddd", lw=0)
    for i, (event, colour) in enumerate(zip(shown, colours, strict=True)):
        width = max(event.duration, (right - left) / 300)
        axes.barh(2, width, left=event.onset, height=0.8, fc=colour, lw=0)
        where = 2.5 + 0.32 * (i % 2)
        axes.text(event.onset, where, _short(event.stimulus), fontsize=8, color=colour)
        start, stop = view.taken[i]
        for volume in range(start, stop):
            shift = 0.4 if _is_shared(view.taken[:_CLOSE_UP], volume, i) else 0.0
            axes.barh(
                shift / 2, view.step, left=view.times[volume], height=0.8 - shift, fc=colour,
                ec="white", lw=0.6, alpha=0.85,
            )  # fmt: skip
        if start == stop:
            continue
        middle = (view.times[start] + view.times[stop - 1] + view.step) / 2
        axes.annotate(
            "", xy=(middle, 0.45), xytext=(event.onset + event.duration / 2, 1.55),
            arrowprops={"arrowstyle": "->", "color": colour, "lw": 1},
        )  # fmt: skip
    axes.set(
        xlim=(left, right),
        ylim=(-0.9, 3.2),
        yticks=[0, 2],
        yticklabels=["volumes", "events"],
        xlabel="s from the first volume",
        title=f"The first {len(shown)} events and the volumes"
        + (" that their responses are the mean of" if view.delay is not None else ""),
    )
    axes.title.set_fontsize(10)


def _is_shared(taken: list[tuple[int, int]], volume: int, mine: int) -> bool:
    """Whether an earlier event has taken a volume as well."""
    return any(start <= volume < stop for start, stop in taken[:mine])


def _draw_locked(axes: "Axes", view: RunView) -> None:
    durations = [event.duration for event in view.shown]
    typical = float(np.median(durations)) if durations else 0.0
    title = "Response around onset: a model takes the dashed shape for it"
    if view.delay is not None:
        title = "Response around onset: its peak belongs inside the shaded window"
        stop = view.delay + max(typical, view.step)
        label = "taken as the response"
        axes.axvspan(view.delay, stop, color=_ORANGE, alpha=0.25, lw=0, label=label)
    for voxel in view.locked:
        axes.plot(view.lags, voxel, color=_BLUE, alpha=0.35, lw=1)
    if len(view.locked):
        mean = view.locked.mean(axis=0)
        label = f"mean of the {len(view.locked)} voxels that follow the events most"
        axes.plot(view.lags, mean, color=_BLUE, lw=2.5, marker="o", ms=4, label=label)
        expected = _expected(view.lags, typical)
        scale = np.nanmax(np.abs(mean)) if np.isfinite(mean).any() else 1.0
        centred = (expected - expected.min()) / (np.ptp(expected) or 1.0)
        curve = np.nanmin(mean) + centred * np.ptp(mean[np.isfinite(mean)]) if scale else centred
        label = "what a haemodynamic response would look like"
        axes.plot(view.lags, curve, color=_GREY, lw=1.5, ls="--", label=label)
    axes.axvline(0, color="black", lw=1)
    axes.axvspan(0, max(typical, 0.05), ymax=0.04, color="black", lw=0, label="image on the screen")
    axes.set(
        xlim=(-BEFORE, view.lags[-1] + view.step / 2),
        xlabel="s from an image's onset",
        ylabel="signal (SD)",
        title=title,
    )
    axes.title.set_fontsize(10)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, frameon=False)


def _expected(lags: np.ndarray, duration: float) -> np.ndarray:
    """A double-gamma response (Glover 1999) to an image of this duration, at the lags."""
    from scipy.stats import gamma

    fine = np.arange(0, 40, 0.1)
    kernel = gamma.pdf(fine, 6) - gamma.pdf(fine, 16) / 6
    box = np.ones(max(1, round(duration / 0.1)))
    response = np.convolve(kernel, box)[: len(fine)]
    return np.interp(lags, fine, response, left=0.0)


def _short(name: str) -> str:
    stem = pathlib.PurePosixPath(name).stem
    return stem if len(stem) <= 14 else f"{stem[:6]}…{stem[-6:]}"
