"""What a file holds, whether it can be used, and what is missing: in one screen."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from fmri_jax import apart
from fmri_jax.data import doubts, modality, paths
from fmri_jax.data.images import list_images, sizes_of
from fmri_jax.data.inspect.listing import Listing, listing
from fmri_jax.data.inspect.sources import Sources, sources
from fmri_jax.data.readers import registry
from fmri_jax.data.readers.bdata import BData
from fmri_jax.data.recording import TRAIN, Recording
from fmri_jax.errors import InputError, plain

_MOST_LINES = 8  # of a table, so that everything fits one screen


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What was found at a path.

    Attributes:
        path: what was inspected, expanded.
        kind: of file.
        holds: name and description of what is in it.
        recording: the recording, if it can be used.
        problem: otherwise the message that says why not.
        fmri: (trials, voxels), the responses, also where only images are missing.
        sizes: (height, width) in px of the files that the reader made square images of, each
            once, in ascending order; none where the recording itself holds its images.
        options: of the reader, expanded.
        sources: what was taken from which file, if the recording can be used.
    """

    path: str
    kind: str
    holds: Listing
    recording: Recording | None
    problem: str
    fmri: np.ndarray | None
    sizes: tuple[tuple[int, int], ...] = ()
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    sources: Sources = dataclasses.field(default_factory=list)


def inspect(path: str, **options: Any) -> Inspection:
    """Looks into a file or a folder of NIfTI.

    Args:
        path: the recording.
        **options: of `fmri_jax.data.readers.registry.Config`, such as `images` for a BData file.

    Raises:
        InputError: nothing can be said about it: it does not exist or is no data file.
    """
    path, options = paths.expanded(path), paths.expanded_options(options)
    size = pathlib.Path(path).stat().st_size if pathlib.Path(path).is_file() else 0
    asked = {name: options.get(name, "") for name in ("masks", "events", "images")}
    kind, holds, responses = apart.call(f"{__name__}:contents", path, size, path=path, **asked)
    holds = [(name, what) for name, what in holds]
    recording, problem, fmri = None, "", None
    sizes: tuple[tuple[int, int], ...] = ()
    files: Sources = []
    if responses is not None:
        fmri = responses
        problem = (
            f"{path}: BData names its stimuli but does not hold them: expected a folder or zip of "
            "the images; add --images FOLDER, which launch.py takes as "
            "--config.data.file.images=FOLDER."
        )
    else:
        try:
            recording = registry.load(path, **options)
            fmri, sizes = recording.fmri, _sizes(path, options, recording)
            files = sources(path, kind, options, recording, [name for name, _ in holds])
        except InputError as error:
            problem = str(error)
    return Inspection(path, kind, holds, recording, problem, fmri, sizes, options, files)


def contents(
    path: str, masks: str = "", events: str = "", images: str = ""
) -> tuple[str, Listing, np.ndarray | None]:
    """The kind of a file, what it holds, and the responses of a BData file without its images.

    For a process of its own (`apart`).
    """
    kind, holds = listing(path, masks, events)
    table = _bdata(path) if kind == "HDF5" else None
    if table is None:
        return kind, holds, None
    return "BData", _bdata_listing(table, holds), None if images else table.read(table.voxels())


def _sizes(path: str, options: dict[str, Any], recording: Recording) -> tuple[tuple[int, int], ...]:
    """The sizes of the image files that a recording shows, before its reader resized them."""
    if registry.reader_of(path) not in registry.FORMATS:
        return ()
    place, shown = pathlib.Path(path), set(recording.stimulus_names)
    beside = (place if place.is_dir() else place.parent) / "stimuli"
    found: set[tuple[int, int]] = set()
    for folder in {options.get("images") or str(beside), options.get("test_images") or ""} - {""}:
        names = [
            name for name in list_images(folder) if shown & {name, pathlib.PurePosixPath(name).stem}
        ]
        found |= set(filter(None, sizes_of(folder, names)))
    return tuple(sorted(found))


def describe(found: Inspection) -> str:
    """The screen that `fmri-jax inspect` prints, without control characters of the file's names."""
    return "\n".join(map(plain, _lines(found)))


def _lines(found: Inspection) -> list[str]:
    lines = [f"{found.path}: {found.kind}", "", "It holds", *_table(found.holds)]
    if found.recording is None:
        return [*lines, "", "It cannot be used", f"  {found.problem}"]
    lines += [
        "",
        "It can be used",
        *(f"  {line}" for line in _summary(found.recording, found.sizes)),
        "",
        "It was taken from",
        *_table(found.sources),
    ]
    words = modality.find(found.recording.modality).words
    if gaps := _gaps(found.recording):
        lines += ["", "What is missing", *(f"  {words(line)}" for line in gaps)]
    if doubted := doubts.find(found.recording):
        lines += ["", "What is doubtful", *(f"  {words(doubt.text)}" for doubt in doubted)]
    return lines


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Two columns, cut to what fits the screen."""
    shown = rows[:_MOST_LINES]
    width = max([len(name) for name, _ in shown], default=0)
    more = [f"  and {len(rows) - len(shown)} more"] if len(rows) > len(shown) else []
    return [*(f"  {name:{width}}  {what}" for name, what in shown), *more]


def _summary(recording: Recording, originals: tuple[tuple[int, int], ...]) -> list[str]:
    fmri, counts = recording.fmri, np.bincount(recording.stimulus, minlength=len(recording.images))
    _, height, width, channels = recording.images.shape
    splits = zip(*np.unique(recording.split, return_counts=True), strict=True)
    sizes = (f"{name} {int(mask.sum())}" for name, mask in recording.rois.items())
    resized = (
        [f"        {_resized(originals, height)}"] if set(originals) - {(height, width)} else []
    )
    kind = modality.find(recording.modality)
    measured = [] if kind.name == modality.FMRI else [f"kind    {kind.name}"]
    return [
        *measured,
        f"fmri    {len(fmri)} trials x {fmri.shape[1]} {kind.channel}s, from {fmri.min():.3g} to "
        f"{fmri.max():.3g}, mean {fmri.mean():.3g}",
        f"images  {len(counts)} of {height} x {width} px, "
        f"{'colour' if channels == 3 else 'grey'}; shown {counts.min()} to {counts.max()} times",
        *resized,
        f"runs    {len(np.unique(recording.run))}",
        f"split   {', '.join(f'{name} {count}' for name, count in splits)} trials",
        f"rois    {', '.join(list(sizes)[:_MOST_LINES]) or 'none'}",
        *_captions(recording),
        *_labels(recording),
    ]


def _labels(recording: Recording) -> list[str]:
    """How many groups and categories the recording names."""
    return [
        f"{key:7} {len(set(names) - {''})} of images, such as {next(filter(None, names))!r}"
        for key, names in (("groups", recording.groups), ("kinds", recording.categories))
        if names
    ]


def _captions(recording: Recording) -> list[str]:
    """How many captions there are, and the first one, where there are any."""
    found = [len(texts) for texts in recording.captions]
    if not any(found):
        return []
    first = next(texts[0] for texts in recording.captions if texts)
    return [f"words   {min(found)} to {max(found)} captions per image, such as {first!r}"]


def _resized(originals: tuple[tuple[int, int], ...], side: int) -> str:
    """From which sizes to which the images were brought, and what to do about it."""
    ends = [f"{height} x {width}" for height, width in (originals[0], originals[-1])]
    sizes = ends[0] if len(originals) == 1 else f"{len(originals)} sizes, {' to '.join(ends)}"
    return (
        f"resized from {sizes} px to {side} x {side} px: --image-size N changes that, in launch.py "
        "--config.data.file.image_size=N"
    )


def _gaps(recording: Recording) -> list[str]:
    """What is absent, and what follows from it."""
    gaps = []
    if set(recording.split.tolist()) == {TRAIN}:
        gaps.append("split: no test trials are named; some are left out in turn, see below")
    if len(np.unique(recording.run)) == 1:
        gaps.append("run: all trials are of one run; runs cannot be left out")
    if not recording.rois:
        gaps.append("rois: no region is named; only 'all' voxels can be chosen")
    if empty := [name for name, mask in recording.rois.items() if not mask.any()]:
        gaps.append(f"rois: no voxel belongs to {', '.join(empty)}; it cannot be chosen")
    return gaps


def _bdata(path: str) -> BData | None:
    try:
        return BData(path)
    except InputError:
        return None


def _bdata_listing(table: BData, datasets: Listing) -> Listing:
    labels = [key for key in table.keys if key not in table.rois]
    sizes = [f"{key} {int((table.rows[key] == 1).sum())}" for key in table.rois]
    more = f" and {len(sizes) - _MOST_LINES} more" if len(sizes) > _MOST_LINES else ""
    return [
        *datasets[:3],
        ("keys", ", ".join(labels) or "none"),
        ("regions", (", ".join(sizes[:_MOST_LINES]) or "none") + more),
    ]
