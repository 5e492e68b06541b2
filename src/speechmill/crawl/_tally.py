# SPDX-License-Identifier: Apache-2.0
"""What a crawl has done so far, counted as it goes: cheap enough to be asked for twice a second."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from typing import Literal, Protocol

from msgspec import Struct

from speechmill.core.remote import Decision, Description, Kind

RATE_S = 60.0  # the rate is of this last stretch


class Progress(Struct, frozen=True):
    """A crawl at one moment. What it counts, it counts from its own start."""

    seconds: float = 0.0
    found: int = 0  # new items that listings had
    described: int = 0  # visits that brought a description
    stored: int = 0
    hours: float = 0.0  # of audio stored
    bytes: int = 0  # of audio stored
    rate: float = 0.0  # items a minute, lately
    under_way: int = 0
    requests: int = 0
    decided: Mapping[str, int] = {}  # held and skipped items by reason
    licence_hours: Mapping[str, float] = {}  # of described items, by licence state
    errors: Mapping[Kind, int] = {}  # of visits and listings
    budget_left: Mapping[str, int] = {}  # items of the last hour, by platform; without those that have no budget
    canonical: int = 0  # recordings normalised
    waits: Mapping[str, str] = {}  # platform -> what it waits for


Ending = Literal["finished", "interrupted", "deadline", "budget", "waiting"]


class CrawlSummary(Struct, frozen=True):
    """A crawl that has ended."""

    progress: Progress
    ending: Ending
    notes: tuple[str, ...] = ()


class Observer(Protocol):
    """Is told how a crawl goes."""

    def note(self, text: str) -> None:
        """Something a person may want to know, once."""
        ...

    def progress(self, progress: Progress) -> None:
        """How far it is; about twice a second, and at the end."""
        ...


class Silent:
    """An observer that says nothing."""

    def note(self, text: str) -> None: ...

    def progress(self, progress: Progress) -> None: ...


class Tally:
    """The counts of one crawl."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._finished: deque[float] = deque()
        self.found = self.described = self.stored = self.bytes = self.requests = self.under_way = 0
        self.canonical = 0
        self.seconds_stored = 0.0
        self.decided: Counter[str] = Counter()
        self.licence_s: Counter[str] = Counter()
        self.errors: Counter[Kind] = Counter()
        self.budget_left: dict[str, int] = {}
        self.waits: dict[str, str] = {}

    def describe(self, description: Description, decision: Decision) -> None:
        """Count a described item, and what was decided of it."""
        self.described += 1
        self._finished.append(time.monotonic())
        self.licence_s[description.rights.state] += description.duration or 0.0  # type: ignore[assignment]
        if decision.verdict != "accept":
            self.decided[decision.reason] += 1

    def store(self, seconds: float, size: int) -> None:
        """Count a stored item."""
        self.stored += 1
        self.seconds_stored += seconds
        self.bytes += size

    def progress(self) -> Progress:
        """Return the counts as they are."""
        now = time.monotonic()
        while self._finished and now - self._finished[0] > RATE_S:
            self._finished.popleft()
        seconds = now - self._started
        return Progress(
            seconds=seconds,
            found=self.found,
            described=self.described,
            stored=self.stored,
            hours=self.seconds_stored / 3600.0,
            bytes=self.bytes,
            rate=60.0 * len(self._finished) / max(1.0, min(seconds, RATE_S)),
            under_way=self.under_way,
            requests=self.requests,
            decided=dict(self.decided),
            licence_hours={state: seconds / 3600.0 for state, seconds in self.licence_s.items()},
            errors=dict(self.errors),
            budget_left=dict(self.budget_left),
            canonical=self.canonical,
            waits=dict(self.waits),
        )
