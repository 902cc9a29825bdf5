"""Every comparison of the student report on local decoders, from one command.

    python -m examples.local_decoders_sweep $FMRI_JAX_DATA/miyawaki2008_s1_v1_figures.npz runs/sweep

Scales {1x1} against s = 2, 3 and 5; OMP against linear regression, Bayesian ridge, ridge, the best
single voxel, sparse logistic regression and receptive fields; equal weights against learned ones,
one a scale, an element or a pixel. All rows share their folds (leave one image out) and whatever
else they have in common. It leaves `comparison.html` with scores, 95 % intervals and paired tests
over images, `comparison.csv`, `scale_weights.csv`, and in `figures/` the pictures, the weights of
the scales and the maps of the voxels' weights.
"""

import argparse
import pathlib

import numpy as np

from fmri_jax import data, report
from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.methods.local_decoders import figures
from fmri_jax.methods.local_decoders.sweep import EXPECTED, rows, sweep, write_workdirs
from fmri_jax.pipeline.run import use_compilation_cache
from fmri_jax.report.comparison.hypotheses import Hypothesis

PICTURED = ("OMP, s = 2", "OMP, 1x1", "OMP, s = 3, learned weights", "Chosen on inner folds")


def main(path: str, out: pathlib.Path, split: str = "stimulus") -> pathlib.Path:
    """Runs the sweep; returns the path of the page.

    Raises:
        InputError: the recording cannot be read, or its images are not binary or too small.
    """
    use_compilation_cache()
    recording = data.load(path)
    check(recording, path)
    options = PreparationConfig(split=split, average_repeats="none")
    done = sweep(list(folds(recording, options)), rows())
    about = {
        "method": "local_decoders",
        "data": {
            "name": pathlib.Path(path).stem,
            "description": recording.description,
            "simulated": recording.simulated,
            "fingerprint": recording.fingerprint(),
            "trials": len(recording.fmri),
            "voxels": recording.fmri.shape[1],
            "rois": {name: int(mask.sum()) for name, mask in recording.rois.items()},
        },
    }
    workdirs = write_workdirs(done, out, about)
    figures.write(done, out, PICTURED)
    compared = report.compare(
        workdirs,
        out,
        title="Local decoders: scales, decoders and weights",
        text=f"Leave one {split} out; every trial is scored by itself, all pixels pooled.",
        hypotheses=[Hypothesis(better, worse, "accuracy") for better, worse in EXPECTED],
    )
    print(compared.markdown)
    return compared.page


def check(recording: Recording, path: str) -> None:
    """Refuses before anything is fitted what rows and claims cannot use."""
    sides, largest = recording.images.shape[1:3], max(max(row.scales) for row in rows().values())
    if min(sides) < largest or not np.isin(recording.images, (0, 255)).all():
        raise InputError(
            f"{path} has images of {sides[0]} x {sides[1]} pixels with values from "
            f"{recording.images.min()} to {recording.images.max()}: expected binary ones, 0 or "
            f"255, of at least {largest} x {largest}; for others run experiments/local_decoders.py."
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", help="an .npz recording with binary images")
    parser.add_argument("out", type=pathlib.Path, help="folder for the results")
    given = parser.parse_args()
    try:
        print(main(given.recording, given.out))
    except InputError as error:
        raise SystemExit(str(error)) from None
