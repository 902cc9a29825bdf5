"""Figures and the HTML page of one run, and the page that compares several.

The room reads the files of a workdir and nothing else, so a page can be written again at any time:
`python -m fmri_jax.report WORKDIR`.
"""

import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fmri_jax.report.comparison import Comparison


def write(workdir: pathlib.Path) -> pathlib.Path:
    """Writes `report.html` and `figures/` into the workdir of a finished run.

    Args:
        workdir: the folder that holds `config.json`, `run.json`, `scores.json`,
            `reconstructions.npz` and, of a method that trains in steps, `metrics.jsonl`.

    Returns:
        The path of the page.

    Raises:
        InputError: a file is missing or does not hold what it should.
    """
    from fmri_jax.report.page import write_page  # Matplotlib and Jinja only when they are needed

    return write_page(pathlib.Path(workdir))


def compare(workdirs: Mapping[str, pathlib.Path], out: pathlib.Path) -> "Comparison":
    """Writes one table and one page over several finished runs.

    Args:
        workdirs: name of each variant -> its workdir, in the order in which they are shown; the
            first is the one that the others are tested against.
        out: the folder for `comparison.html`, `comparison.csv`, `comparison.md` and `figures/`.

    Returns:
        The paths of the files and the table as Markdown, for the terminal.

    Raises:
        InputError: there is no variant, or a workdir cannot be read.
    """
    from fmri_jax.report.comparison import write_comparison

    paths = {name: pathlib.Path(path) for name, path in workdirs.items()}
    return write_comparison(paths, pathlib.Path(out))
