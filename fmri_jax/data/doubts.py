"""Doubts about a recording: what its numbers say that no error says.

A file can be well formed and wrong: images counted from one, divided by 255 twice or with their
channels flipped, labels one trial late. Such faults leave traces in the numbers. Each doubt is a
typed record, which `fmri-jax inspect` prints and a run's page shows alike.
"""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from fmri_jax.data.recording import Recording

DARK = 26  # of 255: a bank of images whose brightest value is below this was scaled wrongly
_EXTREME = 1e4  # median absolute deviations from a voxel's median
_FEWEST_TRIALS, _MOST_TRIALS = 8, 500  # that a voxel's usual spread is taken from
_BASELINES = 1.0  # spread between runs over that within, from which on it is reported
_CLEAR, _COOL = 25, -3.5  # difference of red and blue of 255; t value over images
_FEWEST_COLOUR, _MOST_COLOUR = 12, 300  # images


@dataclasses.dataclass(frozen=True)
class Doubt:
    """One doubt; two are equal if all but their texts is.

    Attributes:
        kind: short name, such as "dark_images".
        severity: "warning" if scores are probably wrong, "info" if it only has to be known.
        text: for people: what was found and what to do about it.
        values: what the text rests on, as JSON values.
    """

    kind: str
    severity: Literal["warning", "info"]
    text: str = dataclasses.field(compare=False)
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def find(recording: "Recording") -> list[Doubt]:
    """What is doubtful about a recording: what its reader noticed, and what its numbers say.

    Returns:
        The doubts, warnings first.
    """
    from fmri_jax.data import alignment

    found = [
        *recording.doubts,
        *_images(recording),
        *_responses(recording),
        *alignment.doubts(recording),
    ]
    return sorted(found, key=lambda doubt: doubt.severity != "warning")


def before_fit(recording: "Recording") -> list[Doubt]:
    """The warnings that cost little to find, for a run to give before its first fit."""
    found = [*recording.doubts, *_flat(recording.images)]
    return [doubt for doubt in found if doubt.severity == "warning"]


def _images(recording: "Recording") -> list[Doubt]:
    """Doubts about the images alone, and about which of them are shown."""
    return [
        *_index(recording),
        *_brightness(recording.images),
        *_channels(recording.images),
        *_flat(recording.images),
    ]


def _index(recording: "Recording") -> list[Doubt]:
    found = []
    shown, stimuli = np.unique(recording.stimulus), len(recording.images)
    if shown[0] == 1:
        found.append(
            Doubt(
                "image_0_unseen",
                "warning",
                "stimulus: image 0 is never shown; if the indices count from 1, subtract 1",
                {"lowest": 1},
            )
        )
    if unseen := stimuli - len(shown):
        beyond = stimuli - 1 - int(shown[-1])
        last = f", the last {beyond} of them" if 0 < beyond == unseen else ""
        values = {"unseen": int(unseen), "beyond": beyond, "images": stimuli}
        text = f"stimulus: {unseen} images are never shown{last}"
        found.append(Doubt("unseen_images", "info", text, values))
    distinct = recording.distinct_images
    if twins := int((distinct != np.arange(len(distinct))).sum()):
        text = f"images: {twins} have the same pixels as another one; they count as one"
        found.append(Doubt("equal_images", "info", text, {"images": twins}))
    if len(np.unique(distinct)) == 1:
        text = "images: there is one only; nothing can be decoded from a constant stimulus"
        found.append(Doubt("one_image", "warning", text))
    return found


def _brightness(images: np.ndarray) -> list[Doubt]:
    """Images that are nearly black: some of the bank, or all."""
    brightest = images.reshape(len(images), -1).max(axis=1)
    dark = (brightest > 0) & (brightest < DARK)
    if not dark.any():
        if 0 < brightest.max() < 100:
            text = (
                f"images: none has a value above {brightest.max()} of 255; if they were brighter "
                "on the screen, they were scaled wrongly"
            )
            return [Doubt("dark_images", "warning", text, {"largest": int(brightest.max())})]
        return []
    first = int(np.flatnonzero(dark)[0])
    text = (
        f"images: {dark.sum()} of {len(images)} are nearly black, the first image {first} with "
        f"values up to {brightest[first]} of 255; they may have been divided by 255 once too often"
    )
    values = {"images": int(dark.sum()), "first": first, "largest": int(brightest[dark].max())}
    return [Doubt("dark_images", "warning", text, values)]


def _flat(images: np.ndarray) -> list[Doubt]:
    """Images of one colour, with which nothing correlates."""
    pixels = images.reshape(len(images), -1, images.shape[-1])
    flat = (pixels.max(axis=1) == pixels.min(axis=1)).all(axis=1)
    if not flat.any():
        return []
    first = int(np.flatnonzero(flat)[0])
    text = (
        f"images: {flat.sum()} of {len(images)} hold one colour only, the first image {first}; "
        "correlations with them are not defined, and were they shown at all"
    )
    return [Doubt("flat_images", "warning", text, {"images": int(flat.sum()), "first": first})]


def _channels(images: np.ndarray) -> list[Doubt]:
    """Colour images that are blue where photographs are warm, as those with flipped channels are.

    Light and what it falls on are mostly warm (ImageNet's mean is .485, .456, .406), and more so in
    the middle of a picture, where the object is. Each image votes by three signs, which flipping
    the channels reverses: of clearly warm against clearly cool pixels, of the middle against the
    rest, and of its warmest against its coolest pixels.
    Of sets of 60 flipped photographs 96 % are found.
    """
    if images.shape[-1] != 3 or len(images) < _FEWEST_COLOUR:
        return []
    votes = [_warmth(image) for image in images[:: max(1, len(images) // _MOST_COLOUR)]]
    error = np.std(votes, ddof=1) / np.sqrt(len(votes))
    t = float(np.mean(votes) / error) if error else 0.0
    if t > _COOL:
        return []
    text = (
        f"images: they are bluer than photographs are (t = {t:.1f} over {len(votes)} images); look "
        "at the montage: if skin and wood are blue, the channels are flipped (BGR, as OpenCV reads "
        "them), so store images[..., ::-1]"
    )
    return [Doubt("flipped_channels", "warning", text, {"t": round(t, 2), "images": len(votes)})]


def _warmth(image: np.ndarray) -> float:
    """From -1 (cool) to 1 (warm): the mean of three signs of red minus blue."""
    excess = image[..., 0].astype(np.int16) - image[..., 2]
    rows, columns = (max(1, n // 4) for n in excess.shape)
    middle = excess[rows:-rows, columns:-columns] if min(excess.shape) > 2 else excess
    clear = int((excess > _CLEAR).sum()) - int((excess < -_CLEAR).sum())
    ends = np.percentile(excess, (5, 95)).sum()
    return float(np.mean(np.sign([clear, middle.mean() - excess.mean(), ends])))


def _responses(recording: "Recording") -> list[Doubt]:
    fmri, found = recording.fmri, []
    if constant := int((fmri == fmri[0]).all(axis=0).sum()):
        text = f"fmri: {constant} voxels never change; they carry nothing and count as 0"
        found.append(Doubt("constant_voxels", "info", text, {"voxels": constant}))
    if extreme := _extreme(fmri):
        text = (
            f"fmri: {extreme} voxels hold values beyond {_EXTREME:g} times their usual spread; "
            "look at the histogram, and leave them out or mend them"
        )
        found.append(Doubt("extreme_voxels", "warning", text, {"voxels": extreme}))
    if (between := _between_runs(recording)) > _BASELINES:
        text = (
            f"fmri: the level of a typical voxel differs between runs by {between:.1f} times its "
            "standard deviation within them, which passes for a response; bring the runs to one "
            "baseline with --config.preparation.run_centring=centre"
        )
        found.append(Doubt("run_baselines", "warning", text, {"ratio": round(between, 2)}))
    first: dict[bytes, int] = {}
    copies = [t for t, row in enumerate(fmri) if first.setdefault(row.tobytes(), t) != t]
    if copies:
        text = (
            f"fmri: {len(copies)} trials have exactly the responses of another one, such as trial "
            f"{copies[0]} those of trial {first[fmri[copies[0]].tobytes()]}; a run may be there "
            "twice"
        )
        values = {"trials": len(copies), "first": copies[0]}
        found.append(Doubt("equal_trials", "warning", text, values))
    return found


def _between_runs(recording: "Recording") -> float:
    """The spread of runs' means over that of trials within a run, of the median voxel.

    What chance alone gives the means of few trials is taken out.
    """
    runs = [recording.fmri[recording.run == run] for run in np.unique(recording.run)]
    runs = [run for run in runs if len(run) >= _FEWEST_TRIALS]
    if len(runs) < 2:
        return 0.0
    within = np.mean([run.var(axis=0, ddof=1, dtype=np.float64) for run in runs], axis=0)
    between = np.var([run.mean(axis=0, dtype=np.float64) for run in runs], axis=0, ddof=1)
    excess = between - within * np.mean([1 / len(run) for run in runs])
    some = within > 0
    return float(np.sqrt(max(np.median(excess[some] / within[some]), 0.0))) if some.any() else 0.0


def _extreme(fmri: np.ndarray) -> int:
    """How many voxels hold a value absurdly far from the others."""
    if len(fmri) < _FEWEST_TRIALS:
        return 0
    some = fmri[:: max(1, len(fmri) // _MOST_TRIALS)]
    middle = np.median(some, axis=0)
    spread = np.median(np.abs(some - middle), axis=0)
    reach = np.maximum(fmri.max(axis=0) - middle, middle - fmri.min(axis=0))
    return int(((spread > 0) & (reach > _EXTREME * spread)).sum())
