"""`fmri-jax score TARGETS RECONSTRUCTED`: the table and page of a run for anybody's images.

TARGETS and RECONSTRUCTED are array files (.npz, .npy) whose rows belong together, or folders or
zips of images that belong together by their names.
"""

import argparse
import pathlib
import shlex

from fmri_jax.commands.score_table import score_table
from fmri_jax.evaluation.notes import Note
from fmri_jax.evaluation.scores import EvaluationConfig
from fmri_jax.pipeline.image_pairs import read_pairs
from fmri_jax.pipeline.image_run import score_pairs

UNKNOWN = Note(
    "remark",
    "info",
    "Only images were given: whether the method had seen the test images in training, or used a "
    "network that also scores, is not known here.",
)


def main(arguments: list[str]) -> int:
    """Scores the images, prints the table and the path of the page; returns the exit code."""
    parser = argparse.ArgumentParser(prog="fmri-jax score", description=__doc__)
    parser.add_argument("targets", type=pathlib.Path, help="what was seen")
    parser.add_argument("reconstructed", type=pathlib.Path, help="what was reconstructed")
    parser.add_argument("--out", type=pathlib.Path, default="scores", help="folder of the page")
    parser.add_argument(
        "--training", type=pathlib.Path, help="images that the method was trained on"
    )
    parser.add_argument("--size", type=int, help="pixels that images of folders are resized to")
    parser.add_argument("--title", default="", help="heading of the page")
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
    pairs = read_pairs(given.targets, given.reconstructed, given.training, given.size)
    config = EvaluationConfig(perceptual=not given.no_perceptual, n_bootstrap=given.n_bootstrap)
    source = {
        name: str(path)
        for name in ("targets", "reconstructed", "training")
        if (path := getattr(given, name))
    }
    about = {
        "title": given.title or f"Reconstructions of {given.reconstructed.name}",
        "data": {"name": given.targets.name, "simulated": False},
        "command": shlex.join(["fmri-jax", "score", *arguments]),
    }
    page = score_pairs(pairs, given.out, config, source, about, [UNKNOWN])
    print(score_table(given.out))
    print(page)
    return 0
