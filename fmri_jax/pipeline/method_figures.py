"""Figures that only one method can draw, of what it learned in all folds of a run."""

import pathlib
from collections.abc import Iterator, Sequence

from fmri_jax import methods
from fmri_jax.data import modality
from fmri_jax.data.recording import Recording
from fmri_jax.methods import Reconstructor
from fmri_jax.methods.decoder_files import load_decoder
from fmri_jax.pipeline import decoders
from fmri_jax.pipeline.experiment_config import Experiment
from fmri_jax.report.figures.theme import LIGHT, png, stamp
from fmri_jax.report.rendering import write_file


def draw(
    options: Experiment, workdir: pathlib.Path, folds: Sequence[str], recording: Recording
) -> dict[str, str]:
    """Writes `figures/<name>.png` for each figure of the method's package; see `methods`.

    Args:
        options: the experiment.
        workdir: of the run, with the decoders that it kept.
        folds: their names; those that kept no decoder, as in runs of earlier versions, are left
            out.
        recording: in whose words figures speak, and say that its responses are simulated if they
            are.

    Returns:
        Name -> caption, for `run.json`; empty where the method has no figures of its own.
    """
    package = methods.package(options.method_name)
    places = [decoders.folder(workdir, fold) for fold in folds]
    places = [place for place in places if place.is_dir()]
    if not hasattr(package, "draw_figures") or not places:
        return {}
    captions, words = {}, modality.words(recording.modality)
    for name, (drawing, caption) in package.draw_figures(_reconstructors(places)).items():
        if recording.simulated:
            stamp(drawing, LIGHT, "Simulated data")
        (workdir / "figures").mkdir(exist_ok=True)
        write_file(workdir / "figures" / f"{name}.png", png(drawing, words))
        captions[name] = caption
    return captions


def _reconstructors(places: Sequence[pathlib.Path]) -> Iterator[Reconstructor]:
    """One at a time: together they may not fit the memory."""
    for place in places:
        yield load_decoder(place).reconstructor
