"""Expressions over regions of interest: `V1 + V2`, `VC - (LOC | FFA)`, `LH_V* & lag1`.

    expression = product, {("+" | "|" | "-"), product}      union, union, difference
    product    = term, {"&", term}                          intersection
    term       = name, ["=", number] | "(", expression, ")"

Operators of one line associate to the left and `&` binds tighter than the others. `*` in a name
stands for any characters; the matching regions are united. `V1 = 1`, as BData files write it, means
the same as `V1`.

A name may itself hold operators or spaces, as BIDS's `hemi-L_label-V1_mask` does. An expression
that is the name of one region is that region. Within a longer expression such a name is recognised
where it cannot be read as an operation on other regions; where it can (`lh-V1 + V2` beside regions
`lh` and `V1`), the expression is rejected: quotes make it a name, spaces around the operator an
operation.
"""

import fnmatch
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping

import numpy as np

from fmri_jax.errors import InputError

_TOKEN = re.compile(r"""\s*(?:(?P<name>[\w.:*]+|'[^']*'|"[^"]*")|(?P<symbol>[-+|&()=]))""")
_PLAIN = re.compile(r"[\w.:*]+")  # a name that needs no quotes
_CHUNK = re.compile(r"[^\s()]+")
_OPERATORS = "+|-&(="  # after which a name may stand

MaskOf = Callable[[str, float], np.ndarray]  # name (wildcards and all) and value -> (voxels,) bool

_OPERATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "+": np.logical_or,
    "|": np.logical_or,
    "-": lambda left, right: left & ~right,
    "&": np.logical_and,
}


def select(expression: str, mask_of: MaskOf, names: Collection[str] = ()) -> np.ndarray:
    """Evaluates an ROI expression.

    Args:
        expression: see the module's docstring.
        mask_of: from a name and a value to the voxels that have it, (voxels,) bool; raises
            `InputError` for a name that it does not know.
        names: the regions' names, so that those that hold operators are recognised.

    Returns:
        (voxels,) bool.

    Raises:
        InputError: the expression cannot be read, is ambiguous, or a name is unknown.
    """
    for name in names:
        if _normal(name).strip() == _normal(expression).strip():
            return mask_of(name, 1.0)
    unusual = tuple(_normal(name) for name in names if not _PLAIN.fullmatch(name))
    return _Parser(_normal(expression), mask_of, unusual).parse()


def match(name: str, value: float, rows: Mapping[str, np.ndarray]) -> np.ndarray:
    """The voxels that have `value` in a row whose name matches `name`, in which `*` is a wildcard.

    Args:
        name: of one row or, with wildcards, of several.
        value: 1 for the voxels of a region.
        rows: name -> (voxels,) bool or real numbers.

    Raises:
        InputError: no name matches; the message lists those that there are.
    """
    if name in rows:
        return np.asarray(rows[name] == value)
    found = [row == value for key, row in rows.items() if _matches(key, name)]
    if not found:
        raise InputError(f"ROI {name!r} does not exist in this recording: {_there_are(rows)}.")
    return np.any(found, axis=0)


def _there_are(rows: Mapping[str, np.ndarray]) -> str:
    """The names to choose among, quoted where an expression needs quotes."""
    if not rows:
        return "it names none at all"
    plain = [name for name in sorted(rows) if _PLAIN.fullmatch(name)]
    unusual = [name for name in sorted(rows) if name not in plain]
    listed = ", ".join([*plain, *map(repr, unusual)])
    hint = " (a name that holds operators or spaces is written in quotes)" if unusual else ""
    return f"choose among {listed}{hint}"


def _matches(name: str, pattern: str) -> bool:
    # fnmatch would also give "?" and "[" a meaning: only the asterisk has one here.
    pattern = _normal(pattern).replace("[", "[[]").replace("?", "[?]")
    return fnmatch.fnmatchcase(_normal(name), pattern)


def _normal(text: str) -> str:
    """Composed Unicode: macOS decomposes the accents of file names, keyboards do not."""
    return unicodedata.normalize("NFC", text)


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, expression: str, mask_of: MaskOf, unusual: tuple[str, ...]):
        self.expression = expression
        self.mask_of = mask_of
        self.unusual = sorted(unusual, key=len, reverse=True)
        self.tokens = self._tokenize()
        self.position = 0

    def parse(self) -> np.ndarray:
        mask = self._chain("+|-", lambda: self._chain("&", self._term))
        if self.position < len(self.tokens):
            raise self._error(f"did not expect {self.tokens[self.position]!r}")
        return mask

    def _tokenize(self) -> list[str]:
        tokens: list[str] = []
        at = 0
        while self.expression[at:].strip():
            if not tokens or tokens[-1] in _OPERATORS:
                at += len(self.expression[at:]) - len(self.expression[at:].lstrip())
                if name := self._unusual_name(at):
                    tokens.append(f'"{name}"')
                    at += len(name)
                    continue
            found = _TOKEN.match(self.expression, at)
            if found is None:
                raise self._error(f"cannot read {self.expression[at:].strip()!r}")
            tokens.append(found["name"] or found["symbol"])
            at = found.end()
        return tokens

    def _unusual_name(self, at: int) -> str:
        """The longest name at a position that the grammar would take apart; "" if there is none.

        Raises:
            InputError: taken apart it has a meaning, too.
        """
        rest = self.expression[at:]
        found = next((name for name in self.unusual if _begins(rest, name)), "")
        chunk = _CHUNK.match(rest)
        if not found and chunk and "*" in chunk[0]:
            found = next(filter(self._is_pattern, _prefixes(chunk[0])), "")
        if not found:
            return ""
        try:
            _Parser(found, self.mask_of, ()).parse()
        except InputError:
            return found
        raise self._error(
            f"{found!r} is the name of a region and, taken apart, an operation on others; put the "
            "name in quotes or spaces around the operator"
        )

    def _is_pattern(self, text: str) -> bool:
        """Whether a text with wildcards and operators stands for names that hold operators."""
        if "*" not in text or _PLAIN.fullmatch(text):
            return False
        return any(_matches(name, text) for name in self.unusual)

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
        quoted = token[0] in "'\"" and len(token) > 1
        return self.mask_of(token[1:-1] if quoted else token, self._value())

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
            "and parentheses, such as 'V1 + V2' or 'VC - (LOC | FFA)', and names that hold these "
            "signs in quotes."
        )


def _begins(text: str, name: str) -> bool:
    """Whether a text begins with a name that ends there."""
    if not name.strip() or not text.startswith(name):
        return False
    return len(text) == len(name) or not (_PLAIN.match(text[len(name)]) and _PLAIN.match(name[-1]))


def _prefixes(chunk: str) -> list[str]:
    """The beginnings of a text that end where a name may end, from the longest to the shortest."""
    ends = [m.start() for m in re.finditer(r"[-+|&=]", chunk)]
    return [chunk, *(chunk[:end] for end in reversed(ends))]
