"""Figures and the HTML page of one run, and the page that compares several.

The package reads the files of a workdir and nothing else, so a page can be written again at any
time: `fmri-jax report WORKDIR`.
"""

import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from fmri_jax import digests
from fmri_jax.files import place

if TYPE_CHECKING:
    from fmri_jax.report.comparison.hypotheses import Hypothesis
    from fmri_jax.report.comparison.page import Comparison
    from fmri_jax.report.comparison.variants import Paths


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

    page = write_page(place(workdir))
    digests.reseal(page.parent, ("report.html", "figures"))
    return page


def compare(
    workdirs: "Mapping[str, Paths]",
    out: pathlib.Path,
    title: str = "Comparison",
    text: str = "",
    hypotheses: "Sequence[Hypothesis]" = (),
    failed: Collection[str] = (),
) -> "Comparison":
    """Writes one table and one page over several finished runs.

    Args:
        workdirs: name of each variant -> its workdir, or one workdir per seed, in the order in
            which they are shown; the others are tested against the first variant.
        out: the folder for `comparison.html`, `comparison.csv`, `comparison.md` and `figures/`.
        title: heading of the page.
        text: a sentence or two below it.
        hypotheses: orderings that were expected; the page shows of each
            whether it holds, with the numbers.
        failed: variants that were not run to their end: hypotheses that name them are listed
            as untested.

    Returns:
        The paths of the page and of the CSV, and the table as Markdown, for the terminal.

    Raises:
        InputError: there is no variant, a workdir cannot be read, or a hypothesis names a variant
            or score that is not there.
    """
    from fmri_jax.report.comparison.page import write_comparison

    return write_comparison(workdirs, place(out), title, text, hypotheses, failed)
