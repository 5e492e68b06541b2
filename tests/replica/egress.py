# SPDX-License-Identifier: Apache-2.0
"""What a proxy of the replica has seen, and whether it is dead, banned or used too much."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from typing import Any

from replica.messages import Request
from replica.settings import EgressSettings

OF_YOUTUBE = ("youtube.com", ".googlevideo.com")


class Egress:
    """Past of one proxy."""

    def __init__(self) -> None:
        self.running = 0
        self.forget()

    def forget(self) -> None:
        """Start as new; requests that run go on."""
        self.counts: Counter[str] = Counter()
        self.by_host: Counter[str] = Counter()
        self.times: defaultdict[str, deque[float]] = defaultdict(deque)
        self.counted = 0  # requests that a ban counts
        self.bot_seen = False  # a client was told to prove that it is a person
        self.peak = self.running

    def count(self, request: Request) -> None:
        """Count a request that came in."""
        self.counts["requests"] += 1
        self.by_host[request.host] += 1
        self.counts["with_account"] += "LOGIN_INFO" in request.cookies
        self.counts["after_bot"] += self.bot_seen and request.host.endswith(OF_YOUTUBE)

    def banned(self, settings: EgressSettings) -> bool:
        """Whether players ask for a person by now."""
        return settings.ban_after is not None and self.counted > settings.ban_after

    def dead(self, settings: EgressSettings) -> bool:
        """Whether nothing comes through."""
        died = settings.dies_after is not None and self.counts["requests"] >= settings.dies_after
        return settings.dead or died

    def wait(self, host: str, settings: EgressSettings) -> float:
        """Count a request to a host; return the seconds until the next may come, or 0 where this one may."""
        if settings.rate is None:
            return 0.0
        now, times = time.monotonic(), self.times[host]
        while times and now - times[0] >= settings.window_s:
            times.popleft()
        if len(times) >= settings.rate:
            return settings.window_s - (now - times[0])
        times.append(now)
        return 0.0

    def statistics(self) -> dict[str, Any]:
        """Return what was counted."""
        names = ("requests", "connections", "refused", "bot_checks", "after_bot", "too_many", "with_account", "dropped")
        counts = {name: self.counts[name] for name in names}
        return {**counts, "peak": self.peak, "by_host": dict(self.by_host)}
