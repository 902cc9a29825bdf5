"""Whether a training has collapsed: one picture for everything, or a discriminator far ahead."""

import pathlib
from collections.abc import Mapping

import numpy as np
from absl import logging

from fmri_jax.errors import InputError
from fmri_jax.evaluation.notes import Note
from fmri_jax.pipeline.rows import Rows
from fmri_jax.report.io.workdir import Curve, read_curves

SAME = 0.02  # spread of reconstructions over images, as a share of the targets'
_FEWEST = 4  # images that have a spread
AHEAD = 0.01  # nats: both losses of a discriminator that tells all images apart
_LAST = 0.2  # share of a training that counts


def notes(workdir: pathlib.Path, rows: Rows) -> list[Note]:
    """What has collapsed, as notes for the page; the log has them, too.

    Args:
        workdir: of the run, with its training curves.
        rows: of the run.
    """
    found = [*_of_images(rows.main_test_set()), *_of_discriminator(workdir)]
    for note in found:
        logging.warning("%s", note.text)
    return found


def _of_images(test: Rows) -> list[Note]:
    """Reconstructions that hardly differ where their targets do."""
    _, first = np.unique(test.stimulus, return_index=True)
    if len(first) < _FEWEST:
        return []
    targets, made = (_spread(x[first]) for x in (test.targets, test.reconstructions))
    if made > SAME * targets:
        return []
    text = (
        f"All {len(first)} reconstructions are nearly the same picture: they differ by "
        f"{made:.2g} of a range of 1, their targets by {targets:.2g}. The generator or fit has "
        "collapsed, or the responses say nothing of the images."
    )
    return [Note("collapse", "warning", text, {"spread": made, "of_targets": targets})]


def of_prior(
    samples: Mapping[str, np.ndarray],
    photographs: np.ndarray,
    curves: dict[str, dict[str, Curve]],
) -> list[str]:
    """What has collapsed in the training of a prior, for its page; the log has it, too.

    Args:
        samples: label -> (m, h, w, 3) in [0, 1], drawn from it.
        photographs: (n, h, w, 3) in [0, 1], of as many kinds as it has learned.
        curves: of its training; empty where it is not known.
    """
    found = []
    widest = max(map(_spread, samples.values()), default=np.inf)
    if len(photographs) >= _FEWEST and widest <= SAME * (wanted := _spread(photographs)):
        found.append(
            f"All samples are nearly the same picture: they differ by {widest:.2g} of a range of "
            f"1, photographs by {wanted:.2g}."
        )
    told = [curves.get(name, {}).get("all") for name in ("real_found", "made_found")]
    shares = [float(np.median(of[-max(1, int(_LAST * len(of))) :])) for _, of in filter(None, told)]
    if len(shares) == 2 and min(shares) > 1 - AHEAD:
        found.append(
            "The discriminator told samples from photographs nearly without error over the last "
            f"{_LAST:.0%} of the steps: lower its learning rate."
        )
    for text in found:
        logging.warning("%s", text)
    return found


def _spread(images: np.ndarray) -> float:
    """Standard deviation of a pixel over images (n, h, w, c), its square averaged over pixels."""
    return float(np.sqrt(images.astype(np.float64).var(axis=0).mean()))


def _of_discriminator(workdir: pathlib.Path) -> list[Note]:
    """A discriminator that told all images apart to the end."""
    try:
        curves = read_curves(workdir / "metrics.jsonl")
    except InputError:  # the report says so
        return []
    parts = [curves.get(f"discriminator_{kind}", {}) for kind in ("real", "generated")]
    ahead = [fold for fold in parts[0] if fold in parts[1] and _end(parts, fold) < AHEAD]
    if not ahead:
        return []
    text = (
        f"In {len(ahead)} of {len(parts[0])} trainings the discriminator told generated images "
        f"from photographs nearly without error over the last {_LAST:.0%} of the steps: the "
        "generator learns little from a discriminator that is that far ahead; lower its learning "
        "rate, or set config.method.gate."
    )
    return [Note("discriminator_ahead", "warning", text, {"trainings": len(ahead)})]


def _end(parts: list[dict[str, Curve]], fold: str) -> float:
    """The median sum of both losses over the last part of a fold's training."""
    (_, real), (_, generated) = (part[fold] for part in parts)
    total = real[-min(len(real), len(generated)) :] + generated[-min(len(real), len(generated)) :]
    return float(np.median(total[-max(1, int(_LAST * len(total))) :]))
