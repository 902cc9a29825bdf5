"""From the sections of a config file to frozen, checked dataclasses.

Each package states its own options as a frozen dataclass (field = default, comment = unit). An
experiment file turns those into a `ConfigDict` (`defaults`), the command line overrides single
values, and `section` turns them back and rejects what it does not know.
"""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from fmri_jax.errors import InputError

T = TypeVar("T")

# Types of options that may be left open. Versions before 0.2 wrote 0 or "" for None: `section`
# still reads that, and the command line, on which None cannot be written, still takes it.
OptionalInt = Annotated[int | None, 0]
OptionalFloat = Annotated[float | None, 0]
OptionalStr = Annotated[str | None, ""]


def defaults(cls: type) -> dict[str, Any]:
    """Every option of the dataclass `cls` at its default, for a `ConfigDict`.

    One that is None by default is a placeholder of its type, so that it can be overridden; where
    that is no number or text, but what only a program can give, it is left out.
    """
    from ml_collections.config_dict import placeholder

    hints = typing.get_type_hints(cls)
    values = {field.name: field.default for field in dataclasses.fields(cls)}
    for name in [name for name, value in values.items() if value is None]:
        kind = typing.get_args(hints[name])[0]
        if typing.get_origin(kind) is typing.Literal:
            kind = type(typing.get_args(kind)[0])
        if kind in (int, float, str):
            values[name] = placeholder(kind)
        else:
            del values[name]
    return values


def section(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """Builds the frozen dataclass `cls` from one section of a config.

    Args:
        cls: the dataclass that states the section's options and their defaults.
        values: option name -> value, as read from an experiment file or the command line.
        where: dotted name of the section, for messages ("config.data").

    Returns:
        An instance of `cls`; options that `values` leaves out keep their defaults.

    Raises:
        InputError: an option is unknown, or its value has another type than the default.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{where} is {values!r}: expected a section of options.")
    hints = typing.get_type_hints(cls, include_extras=True)
    known = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    checked = {}
    for name, value in values.items():
        if name not in known:
            raise InputError(unknown_name(f"{where}.{name}", name, known, "option"))
        checked[name] = _checked(value, hints[name], f"{where}.{name}")
    return cls(**checked)


def unknown_name(found: str, name: str, known: typing.Iterable[str], kind: str) -> str:
    """The message for a name that is not among `known`, with the closest one if there is any."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{found} is not a known {kind}: {hint}choose one of {', '.join(names)}."


def _checked(value: Any, hint: Any, where: str) -> Any:
    """Returns `value` as the type that `hint` names, or raises an `InputError`."""
    if hint is Any:
        return value
    options = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin is Annotated:
        was_none = value == options[1] and not isinstance(value, bool)
        return None if was_none else _checked(value, options[0], where)
    if origin is typing.Literal:
        if value not in options:
            raise InputError(
                unknown_name(f"{where}={value!r}", str(value), map(str, options), "value")
            )
        return value
    if origin in (typing.Union, types.UnionType):
        return _first_that_fits(value, options, where)
    if origin is tuple:
        return _each_checked(value, options, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{where} is {value}: expected a finite number.")
    if isinstance(hint, type) and (
        not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool)
    ):
        raise InputError(
            f"{where} is {value!r} ({type(value).__name__}): expected {hint.__name__}."
        )
    return value


def _first_that_fits(value: Any, options: tuple[Any, ...], where: str) -> Any:
    """Returns `value` as the first of several types that takes it."""
    if value is None and type(None) in options:
        return None
    errors = []
    for option in options:
        if option is not type(None):
            try:
                return _checked(value, option, where)
            except InputError as error:
                errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    expected = " or ".join(_in_words(option) for option in options if option is not type(None))
    raise InputError(f"{where} is {value!r} ({type(value).__name__}): expected {expected}.")


def _each_checked(value: Any, options: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    """Returns a list as a tuple whose entries have the types that its hint names."""
    if not isinstance(value, (list, tuple)):
        raise InputError(f"{where} is {value!r}: expected a list of values, such as ('a', 'b').")
    if options[-1] is ...:
        options = (options[0],) * len(value)
    if len(value) != len(options):
        raise InputError(f"{where} is {value!r}: expected {len(options)} values.")
    pairs = zip(value, options, strict=True)
    return tuple(_checked(item, hint, f"{where}[{i}]") for i, (item, hint) in enumerate(pairs))


def _in_words(hint: Any) -> str:
    """A type as its name: int, or (int, int)."""
    if typing.get_origin(hint) is tuple:
        members = typing.get_args(hint)
        return f"({', '.join('...' if member is ... else _in_words(member) for member in members)})"
    return hint.__name__ if isinstance(hint, type) else str(hint)
