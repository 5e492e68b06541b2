# SPDX-License-Identifier: Apache-2.0
"""What a check says: how much it looked at, how much of that is wrong, and the first examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

SHOWN = 10  # findings that are kept of one check


class Finding(Struct, frozen=True):
    """Something wrong. `where`: a segment, a recording or a path in the workspace."""

    where: str
    what: str


class Check(Struct, frozen=True):
    """The outcome of one check."""

    name: str
    looked_at: int
    wrong: int
    findings: tuple[Finding, ...]  # the first SHOWN


class Sheet:
    """Collects what one check finds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.looked_at = 0
        self.wrong = 0
        self._findings: list[Finding] = []

    def saw(self, count: int = 1) -> None:
        """Count what was looked at."""
        self.looked_at += count

    def add(self, where: str, what: str) -> None:
        """Note one thing that is wrong."""
        self.wrong += 1
        if len(self._findings) < SHOWN:
            self._findings.append(Finding(where, what))

    def add_rows(self, rows: Iterable[int], describe: Callable[[int], tuple[str, str]]) -> None:
        """Note rows that are wrong; only those that are shown are put into words."""
        for row in rows:
            if len(self._findings) < SHOWN:
                self._findings.append(Finding(*describe(int(row))))
            self.wrong += 1

    def done(self) -> Check:
        """Return what was found."""
        return Check(self.name, self.looked_at, self.wrong, tuple(self._findings))
