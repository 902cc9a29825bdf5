"""The eight numbers of NSD papers as a table, and what is missing from it."""

from fmri_jax.evaluation.registry import EIGHT_NUMBERS
from fmri_jax.evaluation.results import Results
from fmri_jax.report.tables import Cell, Row, Table, score_cell


def table(scores: Results) -> Table | None:
    """One row per number; None where a run did not ask for them."""
    if not scores.eight_numbers and not scores.not_computed:
        return None
    rows = [
        Row(
            name,
            (
                score_cell(name, scores.eight_numbers[number])
                if number in scores.eight_numbers
                else Cell("not computed"),
            ),
        )
        for number, name in EIGHT_NUMBERS.items()
    ]
    return Table((("this run", "95 % interval over stimuli"),), tuple(rows))


def missing(scores: Results) -> list[str]:
    """Why a number is missing, one message each."""
    return [
        f"{EIGHT_NUMBERS[number].label} is not computed: {reason}"
        if number in EIGHT_NUMBERS
        else reason
        for number, reason in scores.not_computed.items()
    ]
