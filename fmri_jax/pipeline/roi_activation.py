"""Synthetic activation of regions: the image that a decoder makes where one region alone responds.

After Ozcelik & VanRullen (2023), who decode the binary mask of a region as if it were a response.
"""

import math
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.methods.decoder import Decoder
from fmri_jax.methods.decoder_files import load_decoder
from fmri_jax.pipeline import decoders
from fmri_jax.pipeline.experiment_config import Experiment
from fmri_jax.report.figures import montage
from fmri_jax.report.figures.theme import LIGHT, png
from fmri_jax.report.rendering import write_file

NAME = "roi_activation"
MOST_REGIONS = 12  # the largest ones
_MEAN = "mean response"


def draw(
    options: Experiment, workdir: pathlib.Path, folds: Sequence[str], recording: Recording
) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Writes `figures/roi_activation.png` where `evaluation.roi_activation` asks for it.

    Args:
        options: the experiment.
        workdir: of the run, with the decoders that it kept.
        folds: their names; the first one's decoder is asked.
        recording: whose regions are activated.

    Returns:
        The figure's name with its caption, and arrays for `reconstructions.npz`: the images
        (2, regions + 1, h, w, c), activated and suppressed, the mean response first, and the
        regions' names. Nothing where it is not asked for.

    Raises:
        InputError: it is asked for, and the run has kept no decoder or has no regions.
    """
    if not options.evaluation.roi_activation:
        return {}, {}
    place = decoders.folder(workdir, folds[0])
    if not place.is_dir():
        raise InputError(
            f"config.evaluation.roi_activation needs a decoder, and {place} holds none: runs of "
            "versions before 0.2 kept none; run the experiment again in another folder."
        )
    decoder = load_decoder(place)
    rois = regions(decoder, recording)
    if not rois:
        raise InputError(
            "config.evaluation.roi_activation needs regions, and this recording names none among "
            "the chosen voxels: leave it out."
        )
    images = activated(decoder, rois)
    names = [_MEAN, *rois]
    title = "Images of one active region" + (" (simulated data)" if recording.simulated else "")
    strips = list(zip(("activated", "suppressed"), images, strict=True))
    (workdir / "figures").mkdir(exist_ok=True)
    write_file(workdir / "figures" / f"{NAME}.png", png(montage.draw(strips, names, title, LIGHT)))
    caption = (
        "What the decoder makes where one region alone responds: all its voxels alike above "
        "(activated) or below (suppressed) their training mean, in all as strong a pattern as a "
        "typical response; all other voxels at their mean."
    )
    if len(folds) > 1:
        caption += f" By the decoder of fold {folds[0]}."
    return {NAME: caption}, {"activation": images, "activation_regions": np.array(names)}


def regions(decoder: Decoder, recording: Recording) -> dict[str, np.ndarray]:
    """Region -> (voxels of the decoder,) bool, the largest ones that have any of these voxels."""
    inside = recording.rois
    if decoder.voxels is not None:
        inside = {name: mask[decoder.voxels] for name, mask in inside.items()}
    usable = {name: mask & ~decoder.scale.constant for name, mask in inside.items()}
    found = {name: mask for name, mask in usable.items() if mask.any()}
    largest = sorted(found, key=lambda name: -int(found[name].sum()))[:MOST_REGIONS]
    return {name: mask for name, mask in found.items() if name in largest}


def activated(decoder: Decoder, rois: Mapping[str, np.ndarray]) -> np.ndarray:
    """Images of a decoder where one region alone responds.

    Args:
        decoder: the decoder.
        rois: region -> (voxels of the decoder,) bool.

    Returns:
        (2, regions + 1, h, w, c): activated, suppressed; the mean response before the regions.
    """
    voxels = len(decoder.scale.mean)
    # Of standardised responses a typical one has length sqrt(voxels).
    patterns = np.stack([mask * math.sqrt(voxels / mask.sum()) for mask in rois.values()])
    both = np.concatenate([np.zeros((1, voxels)), patterns, -patterns])
    mean = decoder.scale.apply(decoder.scale.mean[None], np.ones(1))
    images = decoder.reconstruct((mean + both).astype(np.float32))
    first, n = images[:1], len(rois)
    return np.stack(
        [np.concatenate([first, part]) for part in (images[1 : n + 1], images[n + 1 :])]
    )
