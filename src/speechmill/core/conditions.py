# SPDX-License-Identifier: Apache-2.0
"""`when:` conditions on what is known of a source before it is processed.

A condition compares metadata with constants: "num_speakers != 1", "language == 'en' and channels != 'each'".
What is unknown is None. It is parsed by Python's grammar and walked here; nothing is ever evaluated as code.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from speechmill.core.errors import ConfigError
from speechmill.core.types import Source

NAMES = ("language", "speaker", "num_speakers", "channels", "origin", "date")

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: lambda left, right: left is not None and left < right,
    ast.LtE: lambda left, right: left is not None and left <= right,
    ast.Gt: lambda left, right: left is not None and left > right,
    ast.GtE: lambda left, right: left is not None and left >= right,
    ast.In: lambda left, right: right is not None and left in right,
    ast.NotIn: lambda left, right: right is None or left not in right,
}


def check(condition: str | None) -> None:
    """Raise ConfigError where a condition can't be understood."""
    holds(condition, Source(id="", uri=""))


def holds(condition: str | None, source: Source) -> bool:
    """Tell whether a condition is true of a source; no condition always is.

    >>> holds("num_speakers != 1", Source(id="a", uri="a.wav", num_speakers=1))
    False
    """
    if condition is None:
        return True
    try:
        return bool(_value(ast.parse(condition, mode="eval").body, source))
    except (SyntaxError, TypeError) as error:
        raise ConfigError(f"condition {condition!r} can't be understood: {error}") from error


def _value(node: ast.expr, source: Source) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name(id=name) if name in NAMES:
            return getattr(source, name)
        case ast.List() | ast.Tuple() | ast.Set():
            return [_value(element, source) for element in node.elts]
        case ast.UnaryOp(op=ast.Not()):
            return not _value(node.operand, source)
        case ast.BoolOp(op=ast.And()):
            return all(_value(value, source) for value in node.values)
        case ast.BoolOp(op=ast.Or()):
            return any(_value(value, source) for value in node.values)
        case ast.Compare(ops=[op], comparators=[right]) if type(op) in _COMPARE:
            return _COMPARE[type(op)](_value(node.left, source), _value(right, source))
    raise ConfigError(f"{ast.unparse(node)!r} has no place in a condition; names are {', '.join(NAMES)}")
