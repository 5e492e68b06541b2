# SPDX-License-Identifier: Apache-2.0
"""Pieces of Markdown into which anybody's text may go."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Write a table; figures stand right."""
    rows = list(rows)
    right = [bool(rows) and all(_is_figure(row[i]) for row in rows) for i in range(len(header))]
    rule = ["---:" if one else "---" for one in right]
    cells = [list(map(cell, header)), rule, *([cell(value) for value in row] for row in rows)]
    return [f"| {' | '.join(row)} |" for row in cells]


def cell(value: object) -> str:
    r"""Make a stranger's text one harmless cell of a table.

    >>> print(cell("<b>|[x](y)\n"))
    &lt;b&gt;\|\[x\](y)
    """
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    plain = html.escape(" ".join(str(value).split()), quote=False)
    return "".join(f"\\{mark}" if mark in "\\`*[]|" else mark for mark in plain)


def fenced(lines: str, language: str = "") -> list[str]:
    """Write a block of code, whatever is in it."""
    longest = max((len(run) for run in re.findall(r"`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", *lines.rstrip("\n").split("\n"), fence]


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float)
