"""`fmri-jax encode RECORDING`: which layers of a network predict which regions, and how well.

Models that predict the response of each voxel to an image are cross-validated: one for each layer
of a network, and one of all layers together. The folder gets a page (report.html), its numbers
(encoding.json) and a line for each voxel (voxels.csv). A run that was stopped resumes with the
fold that it was at. Options of the recording's reader are given as --data.NAME VALUE.
"""

import argparse
import ast
import dataclasses
import pathlib
import shlex
from typing import Any

from fmri_jax.commands import signals
from fmri_jax.config import section
from fmri_jax.data.readers.registry import Config as ReaderConfig
from fmri_jax.errors import InputError
from fmri_jax.files import place

STOPPED = "stopped; this resumes from the folds that are finished: {command}"
_READER = "--data."


def main(arguments: list[str]) -> int:
    """Fits, scores and prints the path of the page; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="fmri-jax encode",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recording", help="file, folder or name of a recording")
    parser.add_argument("--workdir", help="folder of the run, by default runs/encode_RECORDING")
    parser.add_argument("--title", default="", help="heading of the page")
    _add_models(parser)
    _add_preparation(parser)
    parser.add_argument(
        "--identify-among",
        action="append",
        default=[],
        metavar="FOLDER_OR_ZIP",
        help="photographs among which seen images are identified; may be given several times",
    )
    parser.add_argument(
        "--n-photographs", type=int, default=10_000, help="how many of them (default: 10,000)"
    )
    parser.add_argument("--n-bootstrap", type=int, default=1000, help="resamples for intervals")
    given, rest = parser.parse_known_args(arguments)
    request = _request(given, _reader_options(rest))
    signals.answer(STOPPED.format(command=shlex.join(["fmri-jax", "encode", *arguments])))
    from absl import logging

    from fmri_jax.pipeline import encoding_run

    logging.set_verbosity(logging.INFO)
    print(encoding_run.run(request))
    return 0


def _add_models(parser: argparse.ArgumentParser) -> None:
    models = parser.add_argument_group("models")
    models.add_argument(
        "--features",
        default="alexnet",
        help='a feature network, "gabor" or "pixels" (default: alexnet)',
    )
    models.add_argument("--layers", help="names by commas; by default some from input to output")
    models.add_argument(
        "--readout", default="banded_ridge", help="banded_ridge, receptive_field or separable"
    )
    models.add_argument("--grid", type=int, help="cells across and down that maps are averaged to")
    models.add_argument(
        "--n-candidates", type=int, default=20, help="random weights of layers to try"
    )
    models.add_argument("--seed", type=int, default=0, help="of folds and candidates")


def _add_preparation(parser: argparse.ArgumentParser) -> None:
    trials = parser.add_argument_group("trials")
    trials.add_argument("--roi", default="all", help="ROI expression of the voxels")
    trials.add_argument(
        "--split",
        choices=("given", "stimulus", "run", "group"),
        help="what is left out (default: the recording's own test set, or else stimuli)",
    )
    trials.add_argument("--n-folds", type=int, help="folds of what is left out")
    trials.add_argument("--transform", choices=("sqrt",), help="of each trial's responses")
    trials.add_argument(
        "--spikes",
        action="store_true",
        help="responses are spikes of neurons, not fMRI; implies --transform sqrt",
    )


def _reader_options(rest: list[str]) -> dict[str, Any]:
    """Options of the reader: --data.NAME VALUE or --data.NAME=VALUE.

    Raises:
        InputError: something else is among them, or a value is missing.
    """
    words: list[str] = []
    for word in rest:  # a value may hold "=", too
        is_name = len(words) % 2 == 0
        words += word.split("=", 1) if is_name and "=" in word else [word]
    names, values = words[::2], words[1::2]
    if unknown := [name for name in names if not name.startswith(_READER) or name == _READER]:
        raise InputError(
            f"{unknown[0] or 'An empty word'} is no option of encode: see fmri-jax encode --help."
        )
    if len(names) > len(values):
        raise InputError(f"{names[-1]} has no value: expected one after it.")
    texts = {field.name for field in dataclasses.fields(ReaderConfig) if field.type is str}
    return {
        name.removeprefix(_READER): value if name.removeprefix(_READER) in texts else _value(value)
        for name, value in zip(names, values, strict=True)
    }


def _value(text: str) -> Any:
    """A number or tuple as Python writes it; other texts stay."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _request(given: argparse.Namespace, data_options: dict[str, Any]) -> Any:
    """What is asked for.

    Raises:
        InputError: an option cannot be used.
    """
    from fmri_jax.encoding.options import Options
    from fmri_jax.pipeline.encoding_run import Request
    from fmri_jax.pipeline.photograph_bank import Bank

    values = {
        name: getattr(given, name) for name in ("features", "readout", "n_candidates", "seed")
    }
    if given.layers:
        values["layers"] = tuple(given.layers.split(","))
    if given.grid is not None:
        values["grid"] = given.grid
    name = pathlib.PurePath(given.recording).name.split(".")[0]
    if given.n_bootstrap < 20:
        raise InputError(f"--n-bootstrap is {given.n_bootstrap}: expected at least 20.")
    return Request(
        recording=given.recording,
        data_options=data_options,
        options=section(Options, values, "encode"),
        workdir=place(given.workdir or f"runs/encode_{name}"),
        roi=given.roi,
        split=given.split,
        n_folds=given.n_folds,
        transform="sqrt" if given.spikes else given.transform,
        spikes=given.spikes,
        title=given.title,
        n_bootstrap=given.n_bootstrap,
        bank=Bank(tuple(given.identify_among), given.n_photographs, given.seed)
        if given.identify_among
        else None,
    )
