"""What people write where there is no value."""

MISSING = ("", "n/a", "na", "nan", "none", "null", "<na>")  # casefolded


def is_missing(text: str) -> bool:
    """Whether a text stands for no value, whatever its case and the spaces around it."""
    return text.strip().casefold() in MISSING
