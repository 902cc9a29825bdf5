"""The pictures of an inspection, each written where there is something to draw."""

import pathlib

from fmri_jax.data.inspect import maps, montage, run_figure, run_view, voxel_figure
from fmri_jax.data.inspect.summary import Inspection
from fmri_jax.errors import InputError


def write(found: Inspection, out: pathlib.Path) -> list[pathlib.Path]:
    """Writes montage, responses, maps and the timeline of a run.

    Args:
        found: the inspection. A run is drawn even if the recording cannot be used: the picture may
            show why.
        out: the folder; made if absent.

    Returns:
        The paths that were written.

    Raises:
        InputError: the folder cannot be written.
    """
    stem = pathlib.Path(found.path).resolve().name.partition(".")[0]
    run = _run(found)
    snr = run.snr if run else None
    paths = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        if found.recording is not None:
            paths.append(out / f"{stem}_images.png")
            montage.draw(found.recording, paths[-1])
            paths.append(out / f"{stem}_files.tsv")
            rows = ["file\ttaken", *("\t".join(row) for row in found.sources)]
            paths[-1].write_text("\n".join(rows) + "\n", encoding="utf-8")
        if found.fmri is not None:
            paths.append(out / f"{stem}_voxels.png")
            voxel_figure.draw(found.fmri, paths[-1], found.recording, snr)
        if run is not None:
            paths.append(out / f"{stem}_run.png")
            run_figure.draw(run, paths[-1])
            paths.append(out / f"{stem}_maps.png")
            maps.draw(run, paths[-1], found.recording)
    except OSError as error:
        raise InputError(
            f"{out} cannot be written ({error.strerror}): choose another --out."
        ) from None
    return paths


def _run(found: Inspection) -> run_view.RunView | None:
    """The first run of NIfTI, if it can be read."""
    if found.kind != "NIfTI":
        return None
    try:
        return run_view.view(found.path, found.options)
    except InputError:  # the summary reports what is wrong
        return None
