# SPDX-License-Identifier: Apache-2.0
"""YAML that people write by hand: plain values and the lines they stand in, of bounded size and depth.

Aliases (&name, *name) are expanded only as far as a corpus file could mean them: a few that refer to each other make
a million values of a hundred letters. What JSON has no way to say is refused, because `plan.json` keeps the file.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import yaml

from speechmill.core.errors import ConfigError

_MAX_VALUES = 100_000  # after aliases are expanded
_MAX_DEPTH = 64


class _TooMuch(ValueError):
    """More than anybody writes by hand."""


def parse(path: Path, text: str) -> tuple[Any, dict[str, int]]:
    """Return the YAML's value and the line of each dotted field. Raises ConfigError, with the line where it is known.

    Nothing but plain values: numbers that are finite and of at most 64 bits, text, dates, lists, mappings by text.
    """
    lines: dict[str, int] = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _lines_of(node, "", lines, [_MAX_VALUES], 0)
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: not YAML: {getattr(error, 'problem', None) or str(error)[:200]}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: not YAML: nested too deep") from error
    except (ValueError, TypeError, AttributeError) as error:  # a date that isn't one, a tag that its value doesn't fit
        raise ConfigError(f"{path}: not YAML: {str(error)[:200]}") from error
    if (problem := _problem(value)) is not None:
        raise ConfigError(f"{path}: {problem}")
    return value, lines


def _lines_of(node: yaml.Node, field: str, lines: dict[str, int], left: list[int], depth: int) -> None:
    """Note the line of each field; `left` is one number: how many values there may still be."""
    left[0] -= 1
    if left[0] < 0 or depth > _MAX_DEPTH:
        raise _TooMuch(f"aliases or nesting make more than {_MAX_VALUES} values or {_MAX_DEPTH} levels of it")
    lines.setdefault(field, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{field}.{key.value}".strip(".") if isinstance(key, yaml.ScalarNode) else field
            lines[inner] = key.start_mark.line + 1
            _lines_of(value, inner, lines, left, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            _lines_of(value, f"{field}.{i}".strip("."), lines, left, depth + 1)


def _problem(value: Any) -> str | None:
    """Say what JSON can't keep of a value."""
    if (number := _odd_number(value)) is not None:
        return f"{number!r} is no number that can be worked with"
    try:
        msgspec.json.encode(value)
    except (msgspec.MsgspecError, TypeError, OverflowError, UnicodeEncodeError, RecursionError) as error:
        return f"holds what a corpus file can't: {str(error)[:200]}"
    return None


def _odd_number(value: Any) -> float | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for one in inner if (found := _odd_number(one)) is not None), None)
