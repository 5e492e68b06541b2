# SPDX-License-Identifier: Apache-2.0
"""Everything that the replica's sites share: settings, audio, what they remember, and what is counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from replica.egress import Egress
from replica.media import Library
from replica.messages import Request
from replica.settings import EgressSettings, Settings, changed


class World:
    """State of one replica. `egresses`: one for each proxy."""

    def __init__(self, settings: Settings, library: Library, num_egresses: int) -> None:
        self.settings = self._first = settings
        self.library = library
        self.egresses = [Egress() for _ in range(num_egresses)]
        self.running = 0
        self._start_again()

    def _start_again(self) -> None:
        self.failures: Counter[str] = Counter()
        self.by_host: Counter[str] = Counter()
        self.by_path: Counter[str] = Counter()
        self.videos: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.user_agents: defaultdict[str, set[str]] = defaultdict(set)
        self.peak, self.connections = self.running, 0
        self._memories: defaultdict[str, dict[str, Any]] = defaultdict(dict)

    def memory(self, site: str) -> dict[str, Any]:
        """Return what a site remembers, to be changed by it; a reset empties it."""
        return self._memories[site]

    def options(self, site: str) -> dict[str, Any]:
        """Return what a test has set for a site."""
        return self.settings.sites.get(site, {})

    def egress_settings(self, index: int) -> EgressSettings:
        """Return how a proxy behaves."""
        return self.settings.egress.get(str(index)) or EgressSettings()

    def fails(self, key: str) -> bool:
        """Count a try of something that heals; True for the first `fault_times`."""
        self.failures[key] += 1
        return self.failures[key] <= self.settings.fault_times

    def count(self, request: Request) -> None:
        """Count a request that came in."""
        self.by_host[request.host] += 1
        self.by_path[f"{request.host}{request.path}"] += 1
        if agent := request.headers.get("user-agent"):
            self.user_agents[request.host].add(agent)
        self.egresses[request.egress].count(request)

    def change(self, changes: dict[str, Any]) -> None:
        """Change settings; raises msgspec.ValidationError where there is no such setting."""
        self.settings = changed(self.settings, changes)

    def restore(self) -> None:
        """Go back to the settings of the start, and forget everything."""
        self.settings = self._first
        self.reset()

    def reset(self) -> None:
        """Forget what was counted and remembered, and every egress's past; settings stay."""
        self._start_again()
        for egress in self.egresses:
            egress.forget()

    def statistics(self) -> dict[str, Any]:
        """Return what was counted since the start or the last reset."""
        return {
            "by_host": dict(self.by_host),
            "by_path": dict(self.by_path),
            "videos": {name: dict(counts) for name, counts in self.videos.items()},
            "user_agents": {host: sorted(agents) for host, agents in self.user_agents.items()},
            "peak": self.peak,
            "connections": self.connections,
            "egress": [egress.statistics() for egress in self.egresses],
        }
