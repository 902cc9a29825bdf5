"""The one exception that a user is meant to read."""


class InputError(ValueError):
    """Something that the user gave cannot be used.

    The message says in one line what was found, what was expected and what to do.
    `launch.py` and `fmri-jax` print it without a traceback and exit with code 2.
    """
