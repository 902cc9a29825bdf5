"""The one exception that a user is meant to read."""


class InputError(ValueError):
    """Something that the user gave cannot be used.

    The message says in one line what was found, what was expected and what to do.
    `launch.py` and `fmri-jax` print it without a traceback and exit with code 2.
    """


def not_installed(what: str, package: str, extra: str) -> InputError:
    """The error of whoever asks for `what`, for which a package of an extra is missing."""
    return InputError(
        f"{what} needs {package}, which is not installed: pip install 'fmri_jax[{extra}]', or "
        f"pip install '.[{extra}]' in a checkout."
    )
