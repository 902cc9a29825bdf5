"""The one exception that a user is meant to read."""


class InputError(ValueError):
    """Something that the user gave cannot be used.

    The message is one sentence that says what was found, what was expected and what to do.
    `launch.py` prints it without a traceback and exits with code 2.
    """
