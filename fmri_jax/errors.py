"""The one exception that a user is meant to read."""

MOST_CHARACTERS = 4000  # of a message: no list of names, or text of a file, is longer


class InputError(ValueError):
    """Something that the user gave cannot be used.

    The message says in one line what was found, what was expected and what to do.
    `launch.py` and `fmri-jax` print it without a traceback and exit with code 2. Whatever a file or
    a library has put in, it is one line without control characters.
    """

    def __init__(self, message: object = ""):
        super().__init__(plain(str(message)[:MOST_CHARACTERS]))


def one_line(error: object, limit: int = 300) -> str:
    """A library's message, or a text from a file, as a part of a message of ours.

    Args:
        error: the exception or text; one without words is called by its kind.
        limit: characters that are kept.

    Returns:
        One line without control characters, which a terminal would obey.
    """
    text = " ".join(plain(str(error)).split()) or type(error).__name__
    return text if len(text) <= limit else text[: limit - 3] + "..."


def plain(text: str) -> str:
    """A text with line breaks as spaces and other characters that cannot be printed as escapes."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else " " if c.isspace() else c.encode("unicode_escape").decode()
        for c in text
    )


def not_installed(what: str, package: str, extra: str) -> InputError:
    """The error of whoever asks for `what`, for which a package of an extra is missing."""
    return InputError(
        f"{what} needs {package}, which is not installed: pip install 'fmri_jax[{extra}]', or "
        f"pip install '.[{extra}]' in a checkout."
    )
