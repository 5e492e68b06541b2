# SPDX-License-Identifier: Apache-2.0
"""Rules over the columns of segments: "2 <= duration <= 20", "snr_db >= 10 or not has_words".

An expression is parsed by Python's grammar, checked against a short list of what may occur, and computed
with numpy over whole columns; nothing is ever evaluated as code. What is missing stays missing: a comparison
with a missing value is neither true nor false (Kleene's three values), and a rule keeps only what is true.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Mapping
from functools import reduce
from itertools import pairwise
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.errors import ConfigError

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]
Kind = Literal["number", "text", "truth"]

# Every other name is a score. The meanings stand in docs and in `speechmill filter --help`.
NAMES: Mapping[str, Kind] = {
    "duration": "number",  # seconds
    "start": "number",  # seconds
    "channel": "number",
    "overlap": "number",  # share of the duration with another speaker, 0..1
    "language": "text",
    "speaker": "text",
    "num_chars": "number",  # of the text without surrounding blanks; 0 where there is none
    "num_words": "number",  # aligned words
    "seconds_per_char": "number",  # missing where there are no characters
    "has_text": "truth",
    "has_words": "truth",
    "min_word_score": "number",  # missing where no word has a score
    "mean_word_score": "number",
}
_IS: Mapping[Kind, str] = {"number": "a number", "text": "text", "truth": "something true or false"}
_MAX_CHARS = 1000  # a rule is a line; what is longer would only exhaust the parser's stack

_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}


class Coded(Struct, frozen=True):
    """A column of strings: `values[codes[row]]`, code -1 where missing."""

    codes: NDArray[np.int64]
    values: tuple[str, ...]


class Columns(Protocol):
    """Where an expression finds its columns, each of one length."""

    @property
    def num_rows(self) -> int: ...

    def numbers(self, name: str) -> Floats:
        """Return (num_rows,) float64, NaN where missing."""
        ...

    def truths(self, name: str) -> Truths:
        """Return (num_rows,) bool."""
        ...

    def coded(self, name: str) -> Coded:
        """Return strings as codes."""
        ...


class Verdict(Struct, frozen=True):
    """What an expression is for each row, and the number that decided.

    true, missing: (num_rows,) bool; a row that is neither is false. value, threshold: (num_rows,) or a
    scalar: left-hand side and right-hand constant of the first comparison that was not true; NaN where none.
    """

    true: Truths
    missing: Truths
    value: Floats | np.float64
    threshold: Floats | np.float64


class Rule(Struct, frozen=True):
    """What a segment must fulfil to be kept; it is dropped where the expression is false or missing.

    expression: kept in one spelling ("duration>=1" and "duration >= 1" are one rule). Where a gap is no
    fault, say so: "optional(language == 'vi')". reason: why a preset has it.
    Raises ConfigError where the expression can't be understood.
    """

    expression: str
    reason: str = ""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "expression", ast.unparse(parse(self.expression)))

    @property
    def names(self) -> frozenset[str]:
        """The columns that the expression reads."""
        return names_in(self.expression)


def parse(expression: str) -> ast.expr:
    """Parse and check an expression. Raises ConfigError with what is wrong.

    >>> ast.unparse(parse("1<=duration<=30"))
    '1 <= duration <= 30'
    """
    if len(expression) > _MAX_CHARS:
        raise ConfigError(f"a filter rule has at most {_MAX_CHARS} characters, this one has {len(expression)}")
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        if _kind(tree) != "truth":
            raise ConfigError("a rule must be true or false, such as 'duration >= 1'")
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise ConfigError(f"filter rule {expression!r} can't be understood: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"filter rule {expression!r}: {error}") from None
    return tree


def names_in(expression: str) -> frozenset[str]:
    """Return the columns that an expression reads.

    >>> sorted(names_in("abs(snr_db) >= 3 and has_text"))
    ['has_text', 'snr_db']
    """
    return _names(parse(expression))


def _names(tree: ast.expr) -> frozenset[str]:
    functions = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node not in functions)


def evaluate(expression: str, columns: Columns) -> Verdict:
    """Compute an expression over all rows."""
    with np.errstate(all="ignore"):  # a division by nothing is a missing value, not a warning
        return _truth(parse(expression), columns)


def _kind(node: ast.expr) -> Kind:
    """Return what an expression yields. Raises ConfigError for anything that has no place in a rule."""
    match node:
        case ast.Constant(value=bool() | None as value):
            raise ConfigError(f"{value} has no place in a rule; write 'has_text' or 'not has_text'")
        case ast.Constant(value=int() | float() as value):
            float(value)  # an integer too great for a double is an error here and not in the middle of a run
            return "number"
        case ast.Constant(value=str()):
            return "text"
        case ast.Name(id=name):
            return NAMES.get(name, "number")
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            return _all_of("number", node.operand)
        case ast.UnaryOp(op=ast.Not()):
            return _all_of("truth", node.operand)
        case ast.BinOp() if type(node.op) in _ARITHMETIC:
            return _all_of("number", node.left, node.right)
        case ast.BoolOp():
            return _all_of("truth", *node.values)
        case ast.Compare():
            return _kind_of_comparison(node)
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in _ARGUMENTS:
            return _ARGUMENTS[name](node.args)
    raise ConfigError(f"{ast.unparse(node)!r} has no place in a rule")


def _all_of(kind: Kind, *nodes: ast.expr) -> Kind:
    for node in nodes:
        if (found := _kind(node)) != kind:
            raise ConfigError(f"{ast.unparse(node)!r} is {_IS[found]} where {_IS[kind]} belongs")
    return kind


def _kind_of_comparison(node: ast.Compare) -> Kind:
    if not _names(node):
        raise ConfigError(f"{ast.unparse(node)!r} names no column")
    if all(type(op) in _COMPARE for op in node.ops) and _kind(node.left) == "number":
        _all_of("number", *node.comparators)
        return "truth"
    _all_of("text", node.left)
    match node:
        case ast.Compare(left=ast.Name(), ops=[ast.Eq() | ast.NotEq()], comparators=[ast.Constant()]):
            _all_of("text", *node.comparators)
        case ast.Compare(
            left=ast.Name(), ops=[ast.In() | ast.NotIn()], comparators=[ast.List() | ast.Tuple() as right]
        ):
            _all_of("text", *right.elts)
            if not all(isinstance(item, ast.Constant) for item in right.elts):
                raise ConfigError(f"{ast.unparse(right)!r} may hold nothing but strings")
        case _:
            raise ConfigError(f"{ast.unparse(node)!r}: compare text as in language == 'vi' or language in ['vi', 'en']")
    return "truth"


def _numbers_to_number(minimum: int, maximum: int) -> Callable[[list[ast.expr]], Kind]:
    def check(arguments: list[ast.expr]) -> Kind:
        if not minimum <= len(arguments) <= maximum:
            raise ConfigError(f"abs takes 1 number, min and max take 2 or more, not {len(arguments)}")
        return _all_of("number", *arguments)

    return check


def _iqr_arguments(arguments: list[ast.expr]) -> Kind:
    match arguments:
        case [values] | [values, ast.Constant(value=int() | float())]:
            _all_of("number", *arguments)
            if _names(values):
                return "truth"
    raise ConfigError("iqr_outlier takes a column and a number, such as iqr_outlier(seconds_per_char, 1.5)")


def _optional_arguments(arguments: list[ast.expr]) -> Kind:
    if len(arguments) != 1:
        raise ConfigError("optional takes one condition, such as optional(language == 'vi')")
    return _all_of("truth", *arguments)


_ARGUMENTS: Mapping[str, Callable[[list[ast.expr]], Kind]] = {
    "abs": _numbers_to_number(1, 1),
    "min": _numbers_to_number(2, 100),
    "max": _numbers_to_number(2, 100),
    "iqr_outlier": _iqr_arguments,
    "optional": _optional_arguments,
}
FUNCTIONS: Collection[str] = tuple(_ARGUMENTS)


def _number(node: ast.expr, columns: Columns) -> Floats | np.float64:
    match node:
        case ast.Constant(value=int() | float() as value):
            return np.float64(value)
        case ast.Name(id=name):
            return columns.numbers(name)
        case ast.UnaryOp():
            operand = _number(node.operand, columns)
            return -operand if isinstance(node.op, ast.USub) else operand
        case ast.BinOp():
            result = _ARITHMETIC[type(node.op)](_number(node.left, columns), _number(node.right, columns))
            return np.where(np.isfinite(result), result, np.nan) if np.ndim(result) else np.float64(result)
        case ast.Call(func=ast.Name(id="abs")):
            return np.abs(_number(node.args[0], columns))
        case ast.Call(func=ast.Name(id="min" | "max" as name)):
            function = np.minimum if name == "min" else np.maximum
            return reduce(function, [_number(argument, columns) for argument in node.args])
    raise TypeError(f"not checked: {ast.unparse(node)}")


def _truth(node: ast.expr, columns: Columns) -> Verdict:
    match node:
        case ast.Name(id=name):
            true = columns.truths(name)
            return Verdict(true, np.zeros_like(true), true.astype(np.float64), np.float64(np.nan))
        case ast.UnaryOp():
            inner = _truth(node.operand, columns)
            return Verdict(~inner.true & ~inner.missing, inner.missing, inner.value, inner.threshold)
        case ast.BoolOp():
            verdicts = [_truth(value, columns) for value in node.values]
            return _both(verdicts) if isinstance(node.op, ast.And) else _either(verdicts)
        case ast.Compare() if _kind(node.left) == "text":
            return _compare_text(node, columns)
        case ast.Compare():
            return _compare_numbers(node, columns)
        case ast.Call(func=ast.Name(id="optional")):
            inner = _truth(node.args[0], columns)
            return Verdict(inner.true | inner.missing, np.zeros_like(inner.missing), inner.value, inner.threshold)
        case ast.Call(func=ast.Name(id="iqr_outlier")):
            values = np.asarray(_number(node.args[0], columns))
            factor = float(_number(node.args[1], columns)) if len(node.args) > 1 else 1.5
            true = iqr_outliers(values, columns.coded("recording_id").codes, factor)
            return Verdict(true, np.isnan(values), values, np.float64(np.nan))
    raise TypeError(f"not checked: {ast.unparse(node)}")


def _both(verdicts: list[Verdict]) -> Verdict:
    """Kleene's "and": false where one is false; the first that is not true explains."""
    true = np.logical_and.reduce([verdict.true for verdict in verdicts])
    false = np.logical_or.reduce([~verdict.true & ~verdict.missing for verdict in verdicts])
    value, threshold = verdicts[-1].value, verdicts[-1].threshold
    for verdict in reversed(verdicts[:-1]):
        value = np.where(verdict.true, value, verdict.value)
        threshold = np.where(verdict.true, threshold, verdict.threshold)
    return Verdict(true, ~true & ~false, value, threshold)


def _either(verdicts: list[Verdict]) -> Verdict:
    true = np.logical_or.reduce([verdict.true for verdict in verdicts])
    missing = np.logical_or.reduce([verdict.missing for verdict in verdicts]) & ~true
    return Verdict(true, missing, verdicts[0].value, verdicts[0].threshold)


def _compare_numbers(node: ast.Compare, columns: Columns) -> Verdict:
    operands = [_number(operand, columns) for operand in (node.left, *node.comparators)]
    value = np.asarray(next(operand for operand in operands if np.ndim(operand)))
    links = []
    for op, left, right in zip(node.ops, operands[:-1], operands[1:], strict=True):
        missing = np.broadcast_to(np.isnan(left) | np.isnan(right), value.shape)
        constants = [np.float64(side) for side in (right, left) if not np.ndim(side)]
        threshold = constants[0] if constants else np.float64(np.nan)
        links.append(Verdict(_COMPARE[type(op)](left, right) & ~missing, missing, value, threshold))
    return links[0] if len(links) == 1 else _both(links)


def _compare_text(node: ast.Compare, columns: Columns) -> Verdict:
    column = columns.coded(getattr(node.left, "id", ""))
    right = node.comparators[0]
    wanted = [getattr(item, "value", "") for item in getattr(right, "elts", [right])]
    hit = np.isin(column.codes, [code for code, value in enumerate(column.values) if value in wanted])
    missing = column.codes < 0
    true = (hit if isinstance(node.ops[0], ast.Eq | ast.In) else ~hit) & ~missing
    return Verdict(true, missing, np.float64(np.nan), np.float64(np.nan))


def iqr_outliers(values: Floats, groups: NDArray[np.int64], factor: float) -> Truths:
    """Tell which values lie more than `factor` interquartile ranges outside the quartiles of their group.

    values: (num_rows,), NaN is no outlier and doesn't count. groups: (num_rows,) codes. Quartiles are
    interpolated linearly, as numpy's. Source: Tukey, Exploratory Data Analysis, 1977; in Emilia (He et al. 2024)
    over the mean duration of a phone within a recording.
    """
    outlier = np.zeros(len(values), dtype=bool)
    rows = np.flatnonzero(~np.isnan(values))
    if len(rows) == 0:
        return outlier
    order = rows[np.lexsort((values[rows], groups[rows]))]
    ordered, codes = values[order], groups[order]
    first = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    counts = np.diff(np.r_[first, len(codes)])
    low, high = (_quantile(ordered, first, counts, share) for share in (0.25, 0.75))
    reach = factor * (high - low)
    outlier[order] = (ordered < np.repeat(low - reach, counts)) | (ordered > np.repeat(high + reach, counts))
    return outlier


def _quantile(ordered: Floats, first: NDArray[np.int64], counts: NDArray[np.int64], share: float) -> Floats:
    position = (counts - 1) * share
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, counts - 1)
    left, right = ordered[first + below], ordered[first + above]
    return np.asarray(left + (right - left) * (position - below))


def is_name(text: str) -> bool:
    """Tell whether a text is a bare name and no expression."""
    return re.fullmatch(r"[A-Za-z_]\w*", text.strip()) is not None


def thresholds_of(expression: str, column: str) -> list[float]:
    """Return the constants that an expression compares a column with, by itself.

    >>> thresholds_of("2 <= duration <= 20", "duration"), thresholds_of("duration / 2 >= 1", "duration")
    ([2.0, 20.0], [])
    """
    found = []
    for node in ast.walk(parse(expression)):
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            for left, right in pairwise(operands):
                found += _constant_beside(left, right, column)
    return found


def _constant_beside(left: ast.expr, right: ast.expr, column: str) -> list[float]:
    match (left, right):
        case (ast.Name(id=name), other) | (other, ast.Name(id=name)) if name == column and not _names(other):
            return [float(ast.literal_eval(other))] if _is_number(other) else []
    return []


def _is_number(node: ast.expr) -> bool:
    sign_off = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(sign_off, ast.Constant) and not isinstance(sign_off.value, str)
