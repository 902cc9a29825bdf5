"""Expressions over regions of interest: `V1 + V2`, `VC - (LOC | FFA)`, `LH_V* & lag1`.

    expression = product, {("+" | "|" | "-"), product}      union, union, difference
    product    = term, {"&", term}                          intersection
    term       = name, ["=", number] | "(", expression, ")"

Operators of one line associate to the left and `&` binds tighter than the others. `*` in a name
stands for any characters; the matching regions are united. A name that holds an operator or a space
is written in quotes. `V1 = 1`, as BData files write it, means the same as `V1`.
"""

import fnmatch
import re
from collections.abc import Callable, Mapping

import numpy as np

from fmri_jax.errors import InputError

_TOKEN = re.compile(r"""\s*(?:(?P<name>[\w.:*]+|'[^']*'|"[^"]*")|(?P<symbol>[-+|&()=]))""")

MaskOf = Callable[[str, float], np.ndarray]  # name (wildcards and all) and value -> (voxels,) bool

_OPERATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "+": np.logical_or,
    "|": np.logical_or,
    "-": lambda left, right: left & ~right,
    "&": np.logical_and,
}


def select(expression: str, mask_of: MaskOf) -> np.ndarray:
    """Evaluates an ROI expression.

    Args:
        expression: see the module's docstring.
        mask_of: from a name and a value to the voxels that have it, (voxels,) bool; raises
            `InputError` for a name that it does not know.

    Returns:
        (voxels,) bool.

    Raises:
        InputError: the expression cannot be read, or a name is unknown.
    """
    return _Parser(expression, mask_of).parse()


def match(name: str, value: float, rows: Mapping[str, np.ndarray]) -> np.ndarray:
    """The voxels that have `value` in a row whose name matches `name`, in which `*` is a wildcard.

    Args:
        name: of one row or, with wildcards, of several.
        value: 1 for the voxels of a region.
        rows: name -> (voxels,) bool or real numbers.

    Raises:
        InputError: no name matches; the sentence lists those that there are.
    """
    # fnmatch would also give "?" and "[" a meaning: only the asterisk has one here.
    pattern = name.replace("[", "[[]").replace("?", "[?]")
    found = [row == value for key, row in rows.items() if fnmatch.fnmatchcase(key, pattern)]
    if not found:
        there_are = f"choose among {', '.join(sorted(rows))}" if rows else "it names none at all"
        raise InputError(f"ROI {name!r} does not exist in this recording: {there_are}.")
    return np.any(found, axis=0)


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, expression: str, mask_of: MaskOf):
        self.expression = expression
        self.mask_of = mask_of
        self.tokens = self._tokenize()
        self.position = 0

    def parse(self) -> np.ndarray:
        mask = self._chain("+|-", lambda: self._chain("&", self._term))
        if self.position < len(self.tokens):
            raise self._error(f"did not expect {self.tokens[self.position]!r}")
        return mask

    def _tokenize(self) -> list[str]:
        tokens, at = [], 0
        while self.expression[at:].strip():
            found = _TOKEN.match(self.expression, at)
            if found is None:
                raise self._error(f"cannot read {self.expression[at:].strip()!r}")
            tokens.append(found["name"] or found["symbol"])
            at = found.end()
        return tokens

    def _peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self.position += 1
        return token

    def _chain(self, operators: str, operand: Callable[[], np.ndarray]) -> np.ndarray:
        """One or more operands joined by `operators`, from left to right."""
        mask = operand()
        while self._peek() and self._peek() in operators:
            operation = _OPERATIONS[self._next()]
            mask = operation(mask, operand())
        return mask

    def _term(self) -> np.ndarray:
        token = self._next()
        if token == "(":
            mask = self._chain("+|-", lambda: self._chain("&", self._term))
            if self._next() != ")":
                raise self._error("a parenthesis is not closed")
            return mask
        if not token or token in "+|-&)=":
            raise self._error(f"expected a name before {token!r}" if token else "a name is missing")
        return self.mask_of(token.strip("'\""), self._value())

    def _value(self) -> float:
        """The number after "=", or 1."""
        if self._peek() != "=":
            return 1.0
        self._next()
        token = self._next()
        try:
            return float(token)
        except ValueError:
            raise self._error(f"expected a number after '=' instead of {token!r}") from None

    def _error(self, what: str) -> InputError:
        return InputError(
            f"ROI expression {self.expression!r}: {what}; write names joined by +, |, & or - "
            "and parentheses, such as 'V1 + V2' or 'VC - (LOC | FFA)'."
        )
