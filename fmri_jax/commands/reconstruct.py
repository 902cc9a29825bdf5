"""`fmri-jax reconstruct DECODER NEW --out FOLDER`: applies a kept decoder to new responses.

DECODER is a folder that a run left in decoders/<fold>, or that `decoder.save` wrote. NEW is a
recording of the same person (another session, other images), or an .npz of responses alone, as of
imagery: `fmri` (trials, voxels) and optionally `names`, `repeats`, `run` and `subject`.
"""

import argparse
import pathlib
import shlex

from fmri_jax.commands.score_table import score_table
from fmri_jax.evaluation.scores import EvaluationConfig
from fmri_jax.methods.decoder_files import load_decoder
from fmri_jax.pipeline import apply, new_responses


def main(arguments: list[str]) -> int:
    """Writes images, page and scores; prints the table and the page's path; the exit code."""
    parser = argparse.ArgumentParser(prog="fmri-jax reconstruct", description=__doc__)
    parser.add_argument("decoder", type=pathlib.Path, help="folder of the decoder")
    parser.add_argument("new", help="recording or responses")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for the results")
    parser.add_argument(
        "--average",
        choices=("as trained", "yes", "no"),
        default="as trained",
        help="average the trials of each image (default: as the decoder's own test trials)",
    )
    parser.add_argument(
        "--no-perceptual", action="store_true", help="without metrics that need AlexNet's weights"
    )
    parser.add_argument(
        "--n-bootstrap",
        type=int,
        default=1000,
        help="permutations for p-values; 0 leaves these and intervals out",
    )
    given = parser.parse_args(arguments)
    decoder = load_decoder(given.decoder)
    new = new_responses.read(given.new)
    config = EvaluationConfig(perceptual=not given.no_perceptual, n_bootstrap=given.n_bootstrap)
    page = apply.reconstruct(
        decoder,
        new,
        given.out,
        config,
        average=given.average,
        source={"decoder": str(given.decoder), "responses": given.new},
        command=shlex.join(["fmri-jax", "reconstruct", *arguments]),
    )
    if new.has_images:
        print(score_table(given.out))
    print(page)
    return 0
