# SPDX-License-Identifier: Apache-2.0
"""Ways to the network and their health: a state machine without a clock or a network of its own.

More ways raise no budget (that is the platform's, in the catalog). A way that met a bot check is not used again
until the operator says so. One that was told to slow down rests, comes back at half its pace and recovers slowly. One
that is dead rests for longer and longer, and is then tried with a single item. Where all ways are told to slow down at
once, it is the platform that wants rest, and gets it.

What is under way when a bot check comes can't be called back. So few visits go at once through a way that has not yet
proven itself, and one more for each that goes well after that (`Caution`), as TCP starts slowly.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from speechmill.core.errors import ConfigError
from speechmill.core.remote import Kind
from speechmill.crawl.reactions import REACTIONS, grown, waited
from speechmill.crawl.redact import secret_of
from speechmill.pipeline.crawl_options import CrawlOptions, Egress
from speechmill.store.catalog import EgressState

SCHEMES = ("http", "https", "socks5", "socks5h")
MAX_WAYS_TRIED = 8  # for the one that is preferred
HORIZON_S = 2.0  # turns that lie further ahead are not given: too much may happen until then
BUSY_S = 0.05  # how soon to ask again while every way has all the visits that it may have
RATE_REST_S, RATE_GROWTH, RATE_CAP_S = 15.0, 2.0, 900.0
NET_REST_S, NET_GROWTH, NET_CAP_S = 5.0, 4.0, 3600.0
PLATFORM_REST_S, PLATFORM_GROWTH, PLATFORM_CAP_S = 60.0, 2.0, 3600.0
REST_JITTER = 0.25  # rests are longer by up to this share
MIN_FACTOR = 1 / 64
FACTOR_GROWTH = 1.01  # by each success: seventy bring half a pace back to a whole one
SLOWED_SPACING_S = 0.25  # what a slowed way's spacing is at least a multiple of, where none was asked for
FORGIVEN_AFTER = 10  # visits in a row that go well, until an earlier rate limit no longer makes the next rest longer


class Caution(Struct, frozen=True, kw_only=True):
    """How many visits may be under way at once through one way."""

    first: int = 2  # of a way that is new or recovers; one that was dead is probed with a single visit
    proven_after: int = 32  # visits in a row that went well; then each further one allows one more at once
    most: int = 32


class Turn(Struct, frozen=True):
    """Which way to go, and not before when (seconds since 1970)."""

    egress: Egress
    at: float


class _Way:
    """One way's health. `reason` as in EgressState."""

    def __init__(self, egress: Egress, known: EgressState | None, caution: Caution) -> None:
        state = known or EgressState(egress.name, "")
        self.egress = egress
        self.caution = caution
        self.known = known is not None  # something may be remembered of it, which has to be kept true
        self.until, self.reason, self.factor = state.until, state.reason, state.rate_factor
        self.net_failures = state.failures if state.reason == "net" else 0
        self.rate_failures = state.failures if state.reason != "net" else 0
        self.last_at = self.next_at = 0.0  # of the turn given last, and by its pace of the next
        self.in_flight = 0
        # An earlier run would only have remembered a new way once it had proven itself.
        healthy = known is not None and not state.reason and not state.failures and state.rate_factor == 1.0
        self.well = caution.proven_after if healthy else 0  # visits in a row
        self.recent: deque[float] = deque()  # turns of the last hour, where there is a cap on them

    @property
    def stopped(self) -> bool:
        return self.reason == "bot"

    @property
    def limit(self) -> int:
        """Visits that may be under way at once."""
        if self.reason:
            return 1
        return min(self.caution.most, self.caution.first + max(0, self.well - self.caution.proven_after))

    def rests(self, now: float) -> bool:
        return self.stopped or now < self.until

    def spacing(self, spacing_s: float, slowed_s: float) -> float:
        """Mean seconds between two visits. slowed_s: what they are at least reckoned from once it was slowed."""
        return spacing_s if self.factor == 1.0 else max(spacing_s, slowed_s) / self.factor

    def free_at(self, now: float) -> float:
        """When it may be used next, whatever is under way."""
        return max(now, self.until, self.next_at, self._under_cap(now))

    def _under_cap(self, now: float) -> float:
        cap = self.egress.max_items_per_hour
        if cap is None:
            return now
        while self.recent and self.recent[0] <= now - 3600.0:
            self.recent.popleft()
        if cap < 1:
            return math.inf
        return self.recent[-cap] + 3600.0 if len(self.recent) >= cap else now

    def begin(self, at: float, gap_s: float) -> None:
        self.in_flight += 1
        self.last_at, self.next_at = at, at + gap_s
        if self.egress.max_items_per_hour is not None:
            self.recent.append(at)

    def forget(self, at: float) -> None:
        if at == self.last_at:
            self.next_at = at
        if at in self.recent:
            self.recent.remove(at)

    def done(self) -> None:
        if self.in_flight < 1:
            raise ValueError(f"{self.egress.name}: no visit is under way; was one reported twice?")
        self.in_flight -= 1

    def rest(self, reason: str, until: float) -> None:
        self.reason, self.until, self.well, self.known = reason, max(self.until, until), 0, True

    def stop(self, now: float) -> None:
        self.reason, self.until, self.well, self.known = "bot", now, 0, True

    def state(self, platform: str) -> EgressState:
        failures = self.net_failures if self.reason == "net" else self.rate_failures
        return EgressState(self.egress.name, platform, self.until, self.reason, failures, self.factor)

    @property
    def worth_remembering(self) -> bool:
        return self.known or self.well >= self.caution.proven_after


class Ways:
    """The ways to one platform. Not shared between threads.

    A turn is taken; when its time has come `start` says whether it still holds; then the visit is made, and `report`
    tells how it went. Every turn that was taken is reported once, or was put back.
    """

    def __init__(
        self,
        platform: str,
        ways: Sequence[Egress],
        spacing_s: float,
        known: Mapping[str, EgressState],
        seed: int = 0,
        caution: Caution = Caution(),  # noqa: B008 - frozen
        pace: float = 1.0,
    ) -> None:
        """pace: what rests are multiplied by, but never a Retry-After."""
        self.platform = platform
        self._spacing_s = spacing_s
        self._random = Random(seed)
        self._ways = {way.name: _Way(way, known.get(way.name), caution) for way in ways}
        self._platform_rests = 0
        self._pace = pace

    def take(self, now: float) -> Turn | None:
        """Give the next way and its time; None while none may be used at all (then see `next_at`)."""
        open_ways = [way for way in self._ways.values() if not way.rests(now) and way.in_flight < way.limit]
        soonest = min(open_ways, key=lambda way: (way.free_at(now), way.in_flight / way.limit), default=None)
        if soonest is None or (at := soonest.free_at(now)) > now + HORIZON_S:
            return None
        soonest.begin(
            at, soonest.spacing(self._spacing_s, self._pace * SLOWED_SPACING_S) * self._random.uniform(0.5, 1.5)
        )
        return Turn(soonest.egress, at)

    def start(self, turn: Turn, now: float) -> bool:
        """Say whether a turn whose time has come still holds; one that doesn't is put back."""
        if not self._ways[turn.egress.name].rests(now):
            return True
        self.put_back(turn)
        return False

    def take_preferred(self, now: float, name: str | None) -> Turn | None:
        """Take a turn by that way if it has one soon, else the next by any."""
        taken = [self.take(now)]
        if name is not None:
            while taken[-1] is not None and taken[-1].egress.name != name and len(taken) < MAX_WAYS_TRIED:
                taken.append(self.take(now))
        turns = [turn for turn in taken if turn is not None]
        chosen = next((turn for turn in turns if turn.egress.name == name), turns[0] if turns else None)
        for turn in turns:
            if turn is not chosen:
                self.put_back(turn)
        return chosen

    def put_back(self, turn: Turn) -> None:
        """Give a turn back that nothing was asked with."""
        way = self._ways[turn.egress.name]
        way.done()
        way.forget(turn.at)

    def next_at(self, now: float) -> float | None:
        """When some way may be used again; None: never, without the operator.

        While all have as many visits under way as they may, it is in a moment: a report is what opens them.
        """
        times = [self._next_of(way, now) for way in self._ways.values() if not way.stopped]
        soonest = min(times, default=math.inf)
        return None if math.isinf(soonest) else soonest

    def report(self, name: str, kind: Kind | None, now: float, retry_after: float | None = None) -> None:
        """Tell how a visit went; None: well. What is the item's fault (permanent, geo) counts as well.

        What is told while a way rests began before that, and makes its rest no longer, save by a Retry-After.
        """
        way = self._ways[name]
        way.done()
        effect = REACTIONS[kind].egress if kind else "none"
        if way.stopped:
            return
        if effect == "stop":
            way.stop(now)
        elif effect == "halve":
            self._slow(way, now, waited(retry_after))
        elif now < way.until:
            return
        elif effect == "quarantine":
            self._quarantine(way, now)
        else:
            self._answered(way, kind)

    def learn(self, known: Mapping[str, EgressState]) -> None:
        """Take over what other crawlers met on these ways: stops and longer rests, never the all-clear."""
        for name, way in self._ways.items():
            state = known.get(name)
            if state is None or way.stopped:
                continue
            if state.reason == "bot":
                way.stop(state.until)
            elif state.reason and state.until > way.until:
                way.rest(state.reason, state.until)
                way.factor = min(way.factor, state.rate_factor)

    @property
    def stopped(self) -> tuple[str, ...]:
        """Names of ways that wait for the operator."""
        return tuple(name for name, way in self._ways.items() if way.stopped)

    @property
    def in_flight(self) -> Mapping[str, tuple[int, int]]:
        """Visits under way and how many may be, by name."""
        return {name: (way.in_flight, way.limit) for name, way in self._ways.items()}

    def states(self) -> list[EgressState]:
        """Return what is to be remembered. A way that has neither failed nor proven itself is not."""
        return [way.state(self.platform) for way in self._ways.values() if way.worth_remembering]

    def _next_of(self, way: _Way, now: float) -> float:
        at = way.free_at(now)
        return at if way.in_flight < way.limit else max(at, now + BUSY_S)

    def _jittered(self, rest_s: float) -> float:
        return rest_s * (1 + REST_JITTER * self._random.random())

    def _slow(self, way: _Way, now: float, retry_after: float) -> None:
        if now < way.until:
            way.until = max(way.until, now + retry_after)
            return
        way.rate_failures += 1
        way.factor = max(MIN_FACTOR, way.factor / 2)
        rest_s = max(self._pace * grown(RATE_REST_S, RATE_GROWTH, way.rate_failures, RATE_CAP_S), retry_after)
        way.rest("rate", now + self._jittered(rest_s))
        self._rest_platform(now)

    def _rest_platform(self, now: float) -> None:
        live = [way for way in self._ways.values() if not way.stopped and way.reason != "net"]
        if len(live) < 2 or not all(way.reason == "rate" and now < way.until for way in live):
            return
        self._platform_rests += 1
        rest_s = self._pace * grown(PLATFORM_REST_S, PLATFORM_GROWTH, self._platform_rests, PLATFORM_CAP_S)
        until = now + self._jittered(rest_s)
        for way in self._ways.values():
            way.until = way.until if way.stopped else max(way.until, until)

    def _quarantine(self, way: _Way, now: float) -> None:
        way.net_failures += 1
        if way.net_failures == 1 and way.well:
            way.well -= max(0, way.well - way.caution.proven_after) // 2  # one connection in a hundred just breaks
            return
        rest_s = self._pace * grown(NET_REST_S, NET_GROWTH, way.net_failures, NET_CAP_S)
        way.rest("net", now + self._jittered(rest_s))

    def _answered(self, way: _Way, kind: Kind | None) -> None:
        way.net_failures = 0
        if way.reason == "net":
            way.reason = ""
        if kind in ("incomplete", "format"):  # the way is there, but whether it is welcome nobody can say
            return
        way.reason = ""
        way.well = min(way.well + 1, way.caution.proven_after + way.caution.most)
        way.factor = min(1.0, way.factor * FACTOR_GROWTH)
        if way.well >= FORGIVEN_AFTER:
            way.rate_failures = 0
            self._platform_rests = 0


def cleared(state: EgressState) -> EgressState:
    """Return what to remember of a way that the operator lets be used again: at half its pace, and with caution."""
    return msgspec.structs.replace(state, until=0.0, reason="", failures=0, rate_factor=min(state.rate_factor, 0.5))


def ways_of(options: CrawlOptions, platform: str) -> tuple[Egress, ...]:
    """Return the ways that a platform is asked by. Raises ConfigError.

    No proxies where the policy switches them off; with cookies, only the way that their account is always seen from.
    """
    names = [way.name for way in options.egress]
    if len(set(names)) < len(names):
        raise ConfigError(f"crawl.egress: two ways have the same name: {', '.join(sorted(names))}")
    ways = options.egress
    if platform in options.proxies_off:
        ways = tuple(way for way in ways if _is_direct(way)) or (Egress("direct"),)
    cookies = options.cookies.get(platform)
    if cookies is None:
        return ways
    pinned = tuple(way for way in ways if way.name == cookies.egress)
    if not pinned:
        names = [way.name for way in ways]
        raise ConfigError(f"crawl.cookies.{platform}.egress: {cookies.egress!r} is not among {', '.join(names)}")
    return pinned


def address_of(egress: Egress, base: Path | None = None) -> str | None:
    """Return the address of a way's proxy, with its credentials; None: direct. Never to be logged.

    base: folder that a relative `proxy_file` starts at. Raises ConfigError, without credentials.
    """
    if _is_direct(egress):
        return None
    what = f"crawl.egress {egress.name}"
    if sum(1 for one in (egress.proxy, egress.proxy_env, egress.proxy_file) if one) > 1:
        raise ConfigError(f"{what}: give one of proxy, proxy_env, proxy_file")
    if egress.proxy and "@" in egress.proxy:
        raise ConfigError(f"{what}: credentials don't belong into a corpus file. Use proxy_env or proxy_file")
    address = egress.proxy or secret_of(env=egress.proxy_env, file=egress.proxy_file, base=base, what=what)
    if not _is_address(address):
        raise ConfigError(f"{what}: no proxy's address; write it as SCHEME://HOST:PORT, by {', '.join(SCHEMES)}")
    return address


def _is_direct(egress: Egress) -> bool:
    return not (egress.proxy or egress.proxy_env or egress.proxy_file)


def _is_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in SCHEMES and bool(parts.hostname) and parts.port is not None
    except ValueError:  # whose message holds the address
        return False
