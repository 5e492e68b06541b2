# SPDX-License-Identifier: Apache-2.0
"""What each kind of error does: to the item that met it, to the way it went, and to the whole platform.

Delays are of the item, from a failure to its next try: `first_s` after the first, `growth` times as long after each
further one, at most `cap_s`, and longer by up to a share `jitter`, so that what failed together does not come back
together. A platform's Retry-After is never undercut. What the way does is speechmill.crawl.egress; that an item's tries
end is `max_failures`. An item that is set aside comes back by `speechmill crawl retry --class KIND`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random
from typing import Literal

from msgspec import Struct

from speechmill.core.remote import Kind

LONGEST_S = 7 * 86_400.0  # of a Retry-After; what asks for more means never, or nothing


class Reaction(Struct, frozen=True, kw_only=True):
    """What one kind of error does."""

    retry: bool = True  # False: never by itself
    first_s: float = 0.0
    growth: float = 1.0
    cap_s: float = 0.0
    jitter: float = 0.25
    egress: Literal["none", "halve", "stop", "quarantine"] = "none"
    platform: Literal["none", "break"] = "none"  # break: too many in a row pause it


REACTIONS: Mapping[Kind, Reaction] = {
    # The platform's last word on this item.
    "permanent": Reaction(retry=False),
    # The operator may have a way in another country, and has to say so: going round a refusal is not ours to decide.
    "geo": Reaction(retry=False),
    # Mostly a slip of the moment. The way is not blamed: it did bring an answer.
    "incomplete": Reaction(first_s=10.0, growth=4.0, cap_s=3600.0),
    # The way cools down on its own; the item may go by another before that.
    "rate": Reaction(first_s=15.0, growth=2.0, cap_s=1800.0, egress="halve"),
    # A person was asked for, of the way and not of the item.
    "bot": Reaction(first_s=30.0, growth=4.0, cap_s=6 * 3600.0, egress="stop"),
    "net": Reaction(first_s=5.0, growth=3.0, cap_s=1800.0, egress="quarantine"),
    # The same version reads it the same way in a minute; a platform that is trying something out may not in an hour.
    "format": Reaction(first_s=120.0, growth=6.0, cap_s=6 * 3600.0, platform="break"),
}


def next_try(
    kind: Kind,
    failures: int,
    now: float,
    retry_after: float | None,
    rng: Random,
    max_failures: int | None = None,
    pace: float = 1.0,
) -> float | None:
    """Return when an item is tried again, in seconds since 1970; None: not by itself.

    failures: of this item in a row, this one included. retry_after: seconds, as the platform said. pace: what delays
    are multiplied by, but never a Retry-After.
    """
    reaction = REACTIONS[kind]
    if not reaction.retry or (max_failures is not None and failures >= max_failures):
        return None
    delay = max(pace * grown(reaction.first_s, reaction.growth, failures, reaction.cap_s), waited(retry_after))
    return now + delay * (1 + reaction.jitter * rng.random())


def grown(first_s: float, growth: float, failures: int, cap_s: float) -> float:
    """Return the delay after so many failures in a row, in seconds.

    >>> [grown(10, 4, failures, 3600) for failures in (1, 2, 3, 99)]
    [10, 40, 160, 3600]
    """
    delay = first_s
    for _ in range(failures - 1):
        delay *= growth
        if delay >= cap_s:
            return cap_s
    return min(delay, cap_s)


def waited(retry_after: float | None) -> float:
    """Return how long a Retry-After is honoured, in seconds; 0 where there is none."""
    if retry_after is None or math.isnan(retry_after):
        return 0.0
    return min(max(retry_after, 0.0), LONGEST_S)


class Breaker:
    """Pauses a platform whose answers this version can't read, instead of spending its budget on them.

    After `threshold` format errors in a row over as many items it pauses for `rest_s`, then lets one item through at a
    time; a success closes it, another format error pauses for twice as long. Other kinds of error say nothing of the
    form. Not shared between threads; it has no clock.
    """

    def __init__(self, platform: str, threshold: int = 5, rest_s: float = 1800.0, cap_s: float = 6 * 3600.0) -> None:
        self.platform = platform
        self._threshold, self._rest_s, self._cap_s = threshold, rest_s, cap_s
        self._items: set[str] = set()
        self._pauses = 0
        self._until = 0.0
        self._probe: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether the platform is paused, or only probed."""
        return self._pauses > 0

    @property
    def advice(self) -> str:
        """What to tell the operator; empty while all is well."""
        if not self.is_open:
            return ""
        return (
            f"{self.platform}: {len(self._items)} items in a row were answered in a form that this version does not "
            "know; it is paused. Update with: pip install --upgrade speechmill yt-dlp yt-dlp-ejs"
        )

    def next_at(self, now: float) -> float:
        """When an item may be asked for, in seconds since 1970; asked again after the probe's report."""
        return max(now, self._until)

    def allows(self, item: str, now: float) -> bool:
        """Whether an item may be visited now; while the platform is only probed, this makes it the probe."""
        if not self.is_open:
            return True
        if now < self._until or self._probe not in (None, item):
            return False
        self._probe = item
        return True

    def report(self, item: str, kind: Kind | None, now: float) -> None:
        """Tell how a visit went; None: well."""
        was_probe = self._probe == item
        if was_probe:
            self._probe = None
        if kind is None:
            self._items.clear()
            self._pauses, self._until = 0, 0.0
        elif REACTIONS[kind].platform == "break":
            self._items.add(item)
            if was_probe or (not self.is_open and len(self._items) >= self._threshold):
                self._pauses += 1
                self._until = now + grown(self._rest_s, 2.0, self._pauses, self._cap_s)
