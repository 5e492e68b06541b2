# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechmill.core.errors import ConfigError
from speechmill.core.remote import Kind
from speechmill.crawl.egress import Caution, Turn, Ways, address_of, cleared, ways_of
from speechmill.pipeline.crawl_options import Cookies, CrawlOptions, Egress
from speechmill.store.catalog import EgressState

DIRECT = Egress("direct")
KINDS: tuple[Kind | None, ...] = (None, "permanent", "geo", "incomplete", "rate", "bot", "net", "format")


def ways(*names: str, spacing_s: float = 0.0, known: Mapping[str, EgressState] | None = None, **options: Any) -> Ways:
    listed = [Egress(name) for name in names or ("direct",)]
    return Ways("youtube", listed, spacing_s, dict(known or {}), **options)


def taken(found: Ways, now: float) -> Turn:
    turn = found.take(now)
    assert turn is not None
    return turn


def visit(found: Ways, now: float, kind: Kind | None = None, retry_after: float | None = None) -> Turn:
    turn = taken(found, now)
    found.report(turn.egress.name, kind, now, retry_after)
    return turn


def well(found: Ways, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        visit(found, now)


def only(found: Ways) -> EgressState:
    (state,) = found.states()
    return state


def test_visits_are_spaced_by_half_to_one_and_a_half_of_what_is_asked():
    found = ways(spacing_s=0.5)
    times = []
    for _ in range(200):
        now = found.next_at(0.0)
        assert now is not None
        times.append(visit(found, now).at)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert 0.25 <= min(gaps) < 0.3
    assert 0.7 < max(gaps) <= 0.75


def test_the_same_seed_gives_the_same_times():
    first, second = ways(spacing_s=0.5, seed=7), ways(spacing_s=0.5, seed=7)
    assert [visit(first, 0.0).at for _ in range(5)] == [visit(second, 0.0).at for _ in range(5)]


def test_a_new_way_has_few_visits_at_once_and_says_when_to_ask_again():
    found = ways()
    taken(found, 0.0)
    taken(found, 0.0)
    assert found.take(0.0) is None
    assert found.next_at(0.0) == 0.05
    found.report("direct", None, 0.0)
    assert found.take(0.0) is not None


def test_a_way_that_has_proven_itself_has_one_more_visit_at_once_for_each_that_goes_well():
    found = ways()
    well(found, 32)
    assert found.in_flight == {"direct": (0, 2)}
    well(found, 5)
    assert found.in_flight == {"direct": (0, 7)}
    well(found, 100)
    assert found.in_flight == {"direct": (0, 32)}


def test_a_way_that_an_earlier_run_left_in_health_need_not_prove_itself_again():
    found = ways()
    well(found, 31)
    assert found.states() == []
    well(found, 1)
    state = only(found)
    assert state == EgressState("direct", "youtube")
    again = ways(known={"direct": state})
    well(again, 1)
    assert again.in_flight == {"direct": (0, 3)}


def test_what_is_the_items_fault_counts_as_well():
    found = ways()
    for kind in ("permanent", "geo"):
        for _ in range(16):
            visit(found, 0.0, kind)
    well(found, 1)
    assert found.in_flight == {"direct": (0, 3)}


def test_answers_that_say_nothing_of_the_way_prove_nothing():
    found = ways()
    well(found, 33)
    for kind in ("incomplete", "format"):
        visit(found, 0.0, kind)
    assert found.in_flight == {"direct": (0, 3)}


def test_work_goes_to_every_way():
    found = ways("a", "b", "c", spacing_s=1.0)
    assert {taken(found, 0.0).egress.name for _ in range(3)} == {"a", "b", "c"}


def test_a_bot_check_stops_a_way_for_good_and_no_other():
    found = ways("a", "b")
    visit(found, 10.0, "bot")
    assert found.stopped == ("a",)
    assert {visit(found, 1e9).egress.name for _ in range(20)} == {"b"}
    assert only(found) == EgressState("a", "youtube", until=10.0, reason="bot")


def test_without_a_way_there_is_nothing_to_wait_for():
    found = ways()
    visit(found, 0.0, "bot")
    assert found.take(1e9) is None
    assert found.next_at(1e9) is None


def test_what_was_under_way_at_a_bot_check_opens_nothing_again():
    found = ways()
    taken(found, 0.0)
    visit(found, 0.0, "bot")
    found.report("direct", None, 1.0)
    assert found.stopped == ("direct",)


def test_a_turn_that_waits_for_its_time_falls_at_a_bot_check():
    found = ways(spacing_s=1.0)
    first, second = taken(found, 0.0), taken(found, 0.0)
    assert second.at >= 0.5
    assert found.start(first, 0.0)
    found.report("direct", "bot", 0.2)
    assert not found.start(second, second.at)
    assert found.in_flight == {"direct": (0, 1)}


def test_a_stop_outlives_the_run_until_the_operator_clears_it():
    found = ways()
    visit(found, 0.0, "bot")
    stopped = only(found)
    assert ways(known={"direct": stopped}).take(1e9) is None
    again = ways(known={"direct": cleared(stopped)})
    assert taken(again, 1e9).at == 1e9
    assert again.in_flight == {"direct": (1, 2)}
    assert only(again).rate_factor == 0.5


def test_a_way_that_is_cleared_between_runs_starts_with_caution():
    found = ways(known={"direct": cleared(EgressState("direct", "youtube", 50.0, "bot"))})
    well(found, 1, now=60.0)
    assert found.in_flight == {"direct": (0, 2)}


def test_a_way_that_is_told_to_slow_down_rests_and_halves_its_pace():
    found = ways(spacing_s=1.0)
    visit(found, 100.0, "rate")
    state = only(found)
    assert (state.reason, state.failures, state.rate_factor) == ("rate", 1, 0.5)
    assert 115.0 <= state.until <= 118.75
    assert found.take(114.9) is None
    assert found.next_at(100.0) == state.until
    at = state.until
    times = []
    for _ in range(10):
        times.append(visit(found, at).at)
        at = found.next_at(at) or 0.0
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert 1.0 / 0.6 <= sum(gaps) / len(gaps) <= 2.4


def test_a_way_without_spacing_gets_one_where_it_is_told_to_slow_down():
    found = ways()
    visit(found, 0.0, "rate")
    now = found.next_at(0.0)
    assert now is not None
    visit(found, now)
    assert (found.next_at(now) or 0.0) - now >= 0.125 / 0.51


def test_a_slowed_way_is_tried_with_one_visit_and_comes_back_slowly():
    found = ways()
    visit(found, 0.0, "rate")
    now = 100.0
    taken(found, now)
    assert found.take(now + 50.0) is None
    found.report("direct", None, now)
    assert only(found).rate_factor == pytest.approx(0.505)
    for _ in range(69):
        now += 10.0
        visit(found, now)
    assert only(found).rate_factor == pytest.approx(1.0)


def test_rests_grow_while_a_way_is_told_to_slow_down_again_and_again():
    found, now, rests = ways(), 0.0, []
    for _ in range(9):
        visit(found, now, "rate")
        until = found.next_at(now) or 0.0
        rests.append(until - now)
        now = until
    for rest, expected in zip(rests, [15, 30, 60, 120, 240, 480, 900, 900, 900], strict=True):
        assert expected <= rest <= expected * 1.25
    assert only(found).rate_factor == 1 / 64


def test_a_retry_after_is_honoured_even_by_what_was_under_way():
    found = ways()
    taken(found, 0.0)
    visit(found, 0.0, "rate", retry_after=120.0)
    assert 120.0 <= (found.next_at(0.0) or 0.0) <= 150.0
    found.report("direct", "rate", 10.0, retry_after=600.0)
    assert found.next_at(10.0) == 610.0
    assert only(found).failures == 1


def test_a_dead_way_rests_for_longer_and_longer_and_is_then_tried_with_one_visit():
    found, now, rests = ways(), 0.0, []
    for _ in range(7):
        taken(found, now)
        found.report("direct", "net", now)
        until = found.next_at(now) or 0.0
        rests.append(until - now)
        now = until
    for rest, expected in zip(rests, [5, 20, 80, 320, 1280, 3600, 3600], strict=True):
        assert expected <= rest <= expected * 1.25
    taken(found, now)
    assert found.take(now) is None
    found.report("direct", None, now)
    assert found.in_flight == {"direct": (0, 2)}
    assert only(found).reason == ""


def test_errors_of_what_began_before_a_rest_make_it_no_longer():
    found = ways()
    taken(found, 0.0)
    visit(found, 0.0, "net")
    before = found.next_at(1.0)
    found.report("direct", "net", 1.0)
    assert found.next_at(1.0) == before


def test_one_broken_connection_does_not_quarantine_a_way_that_works():
    found = ways()
    well(found, 42)
    visit(found, 0.0, "net")
    assert found.in_flight == {"direct": (0, 7)}
    visit(found, 0.0, "net")
    assert found.take(0.0) is None
    assert only(found).reason == "net"


def test_a_refusal_of_the_item_brings_a_quarantined_way_back():
    found = ways()
    visit(found, 0.0, "net")
    visit(found, 10.0, "permanent")
    assert only(found).reason == ""


def test_a_platform_that_slows_every_way_at_once_rests_as_a_whole():
    found = ways("a", "b", "c")
    turns = [taken(found, 0.0) for _ in range(3)]
    for turn in turns[:2]:
        found.report(turn.egress.name, "rate", 0.0)
    assert (found.next_at(0.0) or 0.0) == 0.05 or found.take(0.0) is not None
    found.report(turns[2].egress.name, "rate", 1.0)
    assert 61.0 <= (found.next_at(1.0) or 0.0) <= 76.0


def test_a_quicker_pace_shortens_rests_but_no_retry_after():
    found = ways(pace=0.0)
    visit(found, 0.0, "rate")
    assert found.next_at(0.0) == 0.0
    visit(found, 0.0, "rate", 60.0)
    assert found.next_at(0.0) >= 60.0


def test_the_only_way_rests_for_itself_alone():
    found = ways("a", "dead")
    turns = {turn.egress.name: turn for turn in (taken(found, 0.0), taken(found, 0.0))}
    found.report(turns["dead"].egress.name, "net", 0.0)
    found.report(turns["a"].egress.name, "rate", 0.0)
    assert 15.0 <= {state.name: state.until for state in found.states()}["a"] <= 18.75


def test_a_ways_own_cap_holds_in_any_hour():
    capped = Egress("small", max_items_per_hour=3)
    found = Ways("youtube", [capped], 0.0, {})
    for now in (0.0, 100.0, 200.0):
        visit(found, now)
    assert found.take(300.0) is None
    assert found.next_at(300.0) == 3600.0
    visit(found, 3600.0)
    assert found.next_at(3600.0) == 3700.0


def test_a_turn_that_is_put_back_is_not_counted():
    found = Ways("youtube", [Egress("small", max_items_per_hour=1)], 0.0, {})
    found.put_back(taken(found, 0.0))
    assert found.in_flight == {"small": (0, 2)}
    assert found.take(1.0) is not None


def test_a_turn_that_is_put_back_costs_no_pace():
    found = ways(spacing_s=60.0)
    turn = taken(found, 10.0)
    found.put_back(turn)
    assert taken(found, 10.0).at == 10.0


def test_an_earlier_turn_that_is_put_back_brings_no_later_one_forward():
    found = ways(spacing_s=1.0)
    first, second = taken(found, 10.0), taken(found, 10.0)
    found.put_back(first)
    assert (found.next_at(10.0) or 0.0) >= second.at + 0.5


def test_a_way_whose_cap_is_nothing_is_never_used():
    found = Ways("youtube", [Egress("off", max_items_per_hour=0)], 0.0, {})
    assert found.take(0.0) is None
    assert found.next_at(0.0) is None


def test_a_turn_far_ahead_is_not_given():
    found = ways(spacing_s=60.0)
    visit(found, 0.0)
    assert found.take(0.0) is None
    at = found.next_at(0.0)
    assert at is not None
    assert 30.0 <= at <= 90.0
    assert taken(found, at).at == at


def test_a_visit_that_is_reported_twice_is_a_bug():
    found = ways()
    visit(found, 0.0)
    with pytest.raises(ValueError, match="direct: no visit is under way"):
        found.report("direct", None, 0.0)


def test_what_another_crawler_met_on_a_way_is_taken_over_and_never_its_all_clear():
    found = ways("a", "b")
    found.learn({"a": EgressState("a", "youtube", 5.0, "bot"), "b": EgressState("b", "youtube", 70.0, "rate", 1, 0.5)})
    assert found.stopped == ("a",)
    assert found.next_at(0.0) == 70.0
    found.learn({"a": EgressState("a", "youtube"), "b": EgressState("b", "youtube")})
    assert found.stopped == ("a",)
    assert found.next_at(0.0) == 70.0


REPORTS = st.lists(
    st.tuples(
        st.sampled_from(["take", "report", "back"]),
        st.sampled_from(KINDS),
        st.floats(0.0, 400.0),
        st.none() | st.floats(0.0, 1000.0),
        st.integers(0, 9),
    ),
    max_size=80,
)


@settings(max_examples=150, deadline=None)
@given(REPORTS, st.sampled_from([0.0, 0.5, 30.0]), st.integers(0, 99))
def test_no_way_is_ever_used_before_its_time_or_beyond_its_limits(steps, spacing_s, seed):
    found = ways("a", "b", "c", spacing_s=spacing_s, seed=seed)
    now, given, under_way = 1000.0, [], []
    for verb, kind, later, retry_after, which in steps:
        now += later
        if verb == "report" and under_way:
            turn = under_way.pop(which % len(under_way))
            found.report(turn.egress.name, kind, now, retry_after)
            if kind == "rate" and retry_after and turn.egress.name not in found.stopped:
                until = {state.name: state.until for state in found.states()}[turn.egress.name]
                assert until >= now + retry_after
        elif verb == "back" and under_way:
            turn = under_way.pop(which % len(under_way))
            found.put_back(turn)
            given.remove(turn)
        elif turn := found.take(now):
            name = turn.egress.name
            state = {state.name: state for state in found.states()}.get(name, EgressState(name, "youtube"))
            assert state.reason != "bot"
            assert state.until <= now <= turn.at <= now + 2.0
            assert turn.at >= max((one.at for one in given if one.egress.name == name), default=0.0) + spacing_s / 2
            given.append(turn)
            under_way.append(turn)
        else:
            again = found.next_at(now)
            assert again is None or again > now
    for name, (under, _) in found.in_flight.items():
        assert under == sum(turn.egress.name == name for turn in under_way)
    assert all(1 / 64 <= state.rate_factor <= 1.0 for state in found.states())


class World:
    """A platform and a crawler on a clock of their own: each visit is two requests of about `latency` seconds."""

    def __init__(self, found: Ways, answer: Callable[[str, int, float], Kind | None], latency: float = 0.3) -> None:
        self.found, self.answer, self.latency = found, answer, latency
        self.now = 0.0
        self.told: Counter[tuple[str, Kind | None]] = Counter()
        self.asked: Counter[str] = Counter()  # requests by way
        self.first_bot: dict[str, float] = {}  # when the platform sent it
        self.after_bot: Counter[str] = Counter()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._random = Random(1)
        self._pump_at = -1.0

    def at(self, when: float, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, act))

    def run(self, visits: int, at_once: int = 64, until: float = 1e6) -> None:
        self.wanted, self.room = visits, at_once
        self.pump()
        while self._events and self.wanted > 0:
            self.now, _, act = heapq.heappop(self._events)
            if self.now > until:
                return
            act()

    def pump(self) -> None:
        while self.room and (turn := self.found.take(self.now)):
            self.room -= 1
            self.at(turn.at, lambda turn=turn: self.begin(turn))
        again = self.found.next_at(self.now)
        if self.room and again is not None and not self.now < self._pump_at <= again:
            self._pump_at = max(again, self.now + 0.05)
            self.at(self._pump_at, self.pump)

    def begin(self, turn: Turn) -> None:
        if not self.found.start(turn, self.now):
            self.room += 1
            return
        self.request(turn.egress.name, 1)

    def request(self, name: str, number: int) -> None:
        sent = self.now
        self.asked[name] += 1
        if name in self.first_bot and sent > self.first_bot[name]:
            self.after_bot[name] += 1
        kind = self.answer(name, self.asked[name], sent)
        if kind == "bot":
            self.first_bot.setdefault(name, sent)
        last = kind is not None or number == 2
        then = (lambda: self.end(name, kind)) if last else (lambda: self.request(name, number + 1))
        self.at(sent + self.latency * self._random.uniform(0.7, 1.3), then)

    def end(self, name: str, kind: Kind | None) -> None:
        self.found.report(name, kind, self.now)
        self.told[name, kind] += 1
        self.wanted -= kind is None
        self.room += 1
        self.pump()


class Limited:
    """A platform's limit: so many requests in any ten seconds."""

    def __init__(self, count: int) -> None:
        self.count, self.times = count, [-10.0] * count

    def __call__(self, now: float) -> Kind | None:
        if self.times[0] > now - 10.0:
            return "rate"
        self.times = [*self.times[1:], now]
        return None


def faulty(seed: int) -> Callable[[str, int, float], Kind | None]:
    """Four ways: one healthy, save a broken connection in a hundred; one dead; one banned after 30; one limited."""
    rng, limited = Random(seed), Limited(20)

    def answer(name: str, number: int, now: float) -> Kind | None:
        if name == "healthy":
            return "net" if rng.random() < 0.01 else None
        if name == "dead":
            return "net"
        if name == "banned":
            return "bot" if number > 30 else None
        return limited(now)

    return answer


@pytest.mark.parametrize("spacing_s", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("seed", range(8))
def test_a_banned_way_gets_at_most_three_requests_after_its_first_bot_check(spacing_s, seed):
    found = ways("healthy", "dead", "banned", "limited", spacing_s=spacing_s, seed=seed)
    world = World(found, faulty(seed))
    world.run(1500)
    assert world.wanted == 0
    assert found.stopped == ("banned",)
    assert world.after_bot["banned"] <= 3
    assert world.told["dead", "net"] <= 12
    assert world.told["healthy", None] > world.told["limited", None] > 10


def test_a_healthy_way_is_left_to_its_pace():
    found = ways(spacing_s=0.5)
    world = World(found, lambda *_: None)
    world.run(7200, until=3700.0)
    assert world.wanted == 0
    assert 3500.0 < world.now < 3700.0


def test_a_healthy_way_without_spacing_gets_as_fast_as_the_workers_are():
    world = World(ways(), lambda *_: None)
    world.run(2000, at_once=32)
    assert world.now < 60.0  # 2,000 visits of 0.6 s by 32 at once: 37.5 s, and ten to prove itself


def test_a_limited_way_learns_its_pace():
    limited = Limited(20)
    world = World(ways(spacing_s=0.1), lambda _, __, now: limited(now))
    world.run(2000)
    refused = world.told["direct", "rate"]
    assert refused / (refused + 2000) < 0.05


def test_a_dead_network_costs_few_items_in_a_day_and_is_noticed_when_it_is_back():
    def answer(_: str, __: int, now: float) -> Kind | None:
        return "net" if 600.0 < now < 87_000.0 else None

    world = World(ways(spacing_s=0.5), answer)
    world.run(3000)
    assert world.wanted == 0
    assert world.told["direct", "net"] <= 40
    assert world.now < 87_000.0 + 4500.0 + 2400.0


def test_a_way_is_stopped_though_it_proved_itself_and_few_requests_follow():
    found = ways(spacing_s=0.5)
    world = World(found, lambda _, number, __: "bot" if number > 1000 else None)
    world.run(2000)
    assert found.stopped == ("direct",)
    assert world.after_bot["direct"] <= 3


def test_caution_is_the_callers_to_choose():
    found = ways(caution=Caution(first=1, proven_after=4, most=2))
    well(found, 4)
    assert found.in_flight == {"direct": (0, 1)}
    well(found, 9)
    assert found.in_flight == {"direct": (0, 2)}


EU = Egress("eu", proxy_env="EU_PROXY")


def test_a_platforms_ways_are_those_of_the_corpus_file():
    assert ways_of(CrawlOptions(egress=(DIRECT, EU)), "youtube") == (DIRECT, EU)


def test_proxies_can_be_switched_off_for_a_platform():
    options = CrawlOptions(egress=(DIRECT, EU), proxies_off=("youtube",))
    assert ways_of(options, "youtube") == (DIRECT,)
    assert ways_of(options, "podcast") == (DIRECT, EU)
    assert ways_of(CrawlOptions(egress=(EU,), proxies_off=("youtube",)), "youtube") == (DIRECT,)


def test_an_account_is_always_seen_from_one_way():
    options = CrawlOptions(egress=(DIRECT, EU), cookies={"youtube": Cookies(egress="eu", file="cookies.txt")})
    assert ways_of(options, "youtube") == (EU,)
    with pytest.raises(ConfigError, match=r"crawl\.cookies\.youtube\.egress: 'us' is not among direct, eu"):
        ways_of(CrawlOptions(egress=(DIRECT, EU), cookies={"youtube": Cookies(egress="us")}), "youtube")


def test_two_ways_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="same name: direct, direct"):
        ways_of(CrawlOptions(egress=(DIRECT, DIRECT)), "youtube")


def test_a_proxys_address_is_read_by_reference(monkeypatch, tmp_path):
    monkeypatch.setenv("EU_PROXY", "socks5h://me:canary-pw@127.0.0.1:1080")
    (tmp_path / "proxy").write_text("http://me:canary-pw@127.0.0.1:8080\n")
    assert address_of(DIRECT) is None
    assert address_of(EU) == "socks5h://me:canary-pw@127.0.0.1:1080"
    assert address_of(Egress("f", proxy_file="proxy"), tmp_path) == "http://me:canary-pw@127.0.0.1:8080"
    assert address_of(Egress("p", proxy="http://127.0.0.1:3128")) == "http://127.0.0.1:3128"


@pytest.mark.parametrize(
    "address",
    [
        "ftp://canary-pw@h:1",
        "canary-pw",
        "http://me:canary-pw@h",
        "http://me:canary-pw@[::1:80",
        "http://canary-pw@h:x",
    ],
)
def test_what_is_no_address_of_a_proxy_is_refused_without_its_secrets(address, monkeypatch):
    monkeypatch.setenv("EU_PROXY", address)
    with pytest.raises(ConfigError, match=r"crawl\.egress eu: no proxy's address") as raised:
        address_of(EU)
    assert "canary-pw" not in f"{raised.value!r} {raised.value.__context__!r}"


def test_credentials_in_a_corpus_file_are_refused():
    with pytest.raises(ConfigError, match="credentials don't belong") as raised:
        address_of(Egress("p", proxy="http://me:canary-pw@127.0.0.1:3128"))
    assert "canary-pw" not in str(raised.value)


def test_a_way_has_one_address():
    with pytest.raises(ConfigError, match="give one of"):
        address_of(Egress("p", proxy="http://127.0.0.1:3128", proxy_env="EU_PROXY"))
