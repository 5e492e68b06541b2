# SPDX-License-Identifier: Apache-2.0
"""robots.txt by RFC 9309, and what the client makes of it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from speechmill.core.errors import FetchError
from speechmill.sources import Connection, _http, _http_pace
from speechmill.sources._http import Client
from speechmill.sources._robots import read_robots

from .conftest import Site, answer


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/a", True),
        ("User-agent: *\nDisallow: /", "/a", False),
        ("User-agent: *\nDisallow:", "/a", True),
        ("User-agent: *\nDisallow: /a", "/abc", False),
        ("User-agent: *\nDisallow: /a/", "/abc", True),
        # the longest rule, wherever it stands; of two as long, the one that allows
        ("User-agent: *\nDisallow: /\nAllow: /pub", "/pub/x", True),
        ("User-agent: *\nAllow: /pub\nDisallow: /pub/secret", "/pub/secret/x", False),
        ("User-agent: *\nDisallow: /a\nAllow: /a", "/a", True),
        # wildcards
        ("User-agent: *\nDisallow: /*.mp3$", "/x/y.mp3", False),
        ("User-agent: *\nDisallow: /*.mp3$", "/x/y.mp3?z", True),
        ("User-agent: *\nDisallow: /*.mp3", "/x/y.mp3?z", False),
        ("User-agent: *\nDisallow: /a*b*c", "/a1b2c3", False),
        ("User-agent: *\nDisallow: /a*b*c", "/a1c2b3", True),
        ("User-agent: *\nDisallow: /a$", "/a", False),
        ("User-agent: *\nDisallow: /a$", "/ab", True),
        ("User-agent: *\nDisallow: /*ab$", "/ab", False),
        ("User-agent: *\nDisallow: *", "/a", False),
        ("User-agent: *\nDisallow: /*?", "/a?b=1", False),
        # our own group instead of everybody's; several of them as one; other products'
        ("User-agent: speechmill\nDisallow: /a\n\nUser-agent: *\nDisallow: /", "/b", True),
        ("User-agent: *\nDisallow: /\n\nUser-Agent: SpeechMill/2.0\nAllow: /", "/b", True),
        (
            "User-agent: speechmill\nDisallow: /a\nUser-agent: x\nDisallow: /b\nUser-agent: speechmill\nDisallow: /c",
            "/c",
            False,
        ),
        ("User-agent: x\nUser-agent: speechmill\nDisallow: /a", "/a", False),
        ("User-agent: x\nUser-agent: speechmill\nDisallow: /a", "/b", True),
        ("User-agent: speech\nDisallow: /", "/a", True),
        ("User-agent: speechmill-news\nDisallow: /", "/a", True),
        # spellings
        ("user-AGENT : *  # all\r\n  disallow\t: /a # x\r\n", "/a", False),
        ("\ufeffUser-agent: *\rDisallow: /a", "/a", False),
        ("User-agent: *\n\n\nDisallow: /a", "/a", False),
        ("User-agent: *\nSitemap: https://x.example/s.xml\nDisallow: /a", "/a", False),
        ("Disallow: /a", "/a", True),
        ("User-agent: *\nDisallow: /%7ejoe/%c3%a9", "/~joe/%C3%A9", False),
        ("User-agent: *\nDisallow: /é", "/%C3%A9", False),
        ("User-agent: *\nDisallow: /a%2fb", "/a/b", True),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
        ("<html>\nnothing: here", "/a", True),
    ],
)
def test_the_longest_rule_of_our_group_decides(text, path, allowed):
    assert read_robots(text.encode(), "speechmill").allows(path) is allowed


def test_a_pattern_of_many_stars_takes_no_time():
    rules = read_robots(b"User-agent: *\nDisallow: /" + b"a*" * 5_000 + b"b$", "speechmill")
    assert rules.allows("/" + "a" * 20_000)


def test_broken_utf8_is_passed_over():
    assert not read_robots(b"User-agent: *\n\xff\xfe: x\nDisallow: /a\xff\nDisallow: /b", "speechmill").allows("/b")


@pytest.mark.parametrize(
    ("value", "delay"), [("2", 2.0), ("0.5", 0.5), ("-1", 0.0), ("soon", 0.0), ("999999999", 86_400.0)]
)
def test_a_crawl_delay_is_read(value, delay):
    assert read_robots(f"User-agent: *\nCrawl-delay: {value}".encode(), "speechmill").delay == delay


# --- the client


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr(_http, "pause", seconds.append)
    return seconds


@pytest.fixture
def client(site: Site, connection: Connection, waits: list[float]) -> Iterator[Client]:
    patterns = [f"http://files.example:{site.port}", f"http://other.example:{site.port}"]
    made = Client(connection, patterns, robots=True)
    yield made
    made.close()


def _url(site: Site, path: str, host: str = "files") -> str:
    return f"http://{host}.example:{site.port}{path}"


def _failure(client: Client, url: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        client.get(url)
    return caught.value


def test_what_a_site_does_not_want_fetched_is_not_asked_for(site, client, connection):
    site.pages["/robots.txt"] = answer(b"User-agent: speechmill\nDisallow: /private")
    site.pages["/public"] = answer(b"x")
    error = _failure(client, _url(site, "/private/a"))
    assert (error.kind, error.reason) == ("permanent", "robots-disallow")
    with pytest.raises(FetchError, match="robots-disallow"):
        client.download(_url(site, "/private/a.mp3"), extension="mp3")
    assert list(connection.folder.iterdir()) == []
    assert client.get(_url(site, "/public")).content == b"x"
    assert site.paths == ["/robots.txt", "/public"]
    assert client.num_requests == 2


def test_each_hop_of_a_redirect_is_asked_for_at_its_own_site(site, client):
    site.pages["/robots.txt"] = [answer(b""), answer(b"User-agent: *\nDisallow: /b")]
    site.pages["/a"] = answer(status=302, location=_url(site, "/b", "other"))
    assert _failure(client, _url(site, "/a")).reason == "robots-disallow"
    assert site.paths == ["/robots.txt", "/a", "/robots.txt"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_site_without_rules_may_be_asked(status, site, client):
    site.pages |= {"/robots.txt": answer(status=status), "/a": answer(b"x")}
    assert client.get(_url(site, "/a")).content == b"x"


@pytest.mark.parametrize(("status", "kind"), [(500, "net"), (502, "net"), (503, "rate"), (429, "rate")])
def test_a_site_whose_rules_cannot_be_had_is_not_asked_for_now(status, kind, site, client):
    site.pages |= {"/robots.txt": answer(status=status), "/a": answer(b"x")}
    for _ in range(2):
        error = _failure(client, _url(site, "/a"))
        assert (error.kind, error.reason) == (kind, "robots-unreachable")
        assert error.retry_after is not None
        assert 0 < error.retry_after <= 300
    assert site.paths == ["/robots.txt"]


def test_rules_are_asked_for_again_after_a_day(site, client, monkeypatch):
    site.pages |= {"/robots.txt": [answer(b""), answer(b"User-agent: *\nDisallow: /")], "/a": answer(b"x")}
    now = [1000.0]
    monkeypatch.setattr(_http.time, "monotonic", lambda: now[0])
    client.get(_url(site, "/a"))
    now[0] += 86_000
    client.get(_url(site, "/a"))
    now[0] += 401
    assert _failure(client, _url(site, "/a")).reason == "robots-disallow"


def test_rules_of_many_sites_are_not_kept_for_ever(site, client, monkeypatch):
    monkeypatch.setattr(_http, "_MAX_SITES", 1)
    site.pages |= {"/robots.txt": answer(b""), "/a": answer(b"x")}
    for host in ("files", "other", "other", "files"):
        client.get(_url(site, "/a", host))
    assert site.paths.count("/robots.txt") == 3


def test_rules_behind_a_redirect_are_read(site, client):
    site.pages |= {
        "/robots.txt": answer(status=301, location="/r.txt"),
        "/r.txt": answer(b"User-agent: *\nDisallow: /"),
    }
    assert _failure(client, _url(site, "/a")).reason == "robots-disallow"


def test_of_endless_rules_the_beginning_is_read(site, client):
    rules = b"User-agent: *\nDisallow: /a\n" + b"#" * 600_000 + b"\nDisallow: /b\n"
    site.pages |= {"/robots.txt": answer(rules), "/b": answer(b"x")}
    assert _failure(client, _url(site, "/a")).reason == "robots-disallow"
    assert client.get(_url(site, "/b")).content == b"x"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000_000.0]
    monkeypatch.setattr(_http_pace.time, "time", lambda: now[0])
    return now


def test_a_crawl_delay_is_waited(site, client, waits, clock):
    site.pages |= {"/robots.txt": answer(b"User-agent: *\nCrawl-delay: 7"), "/a": answer(b"x")}
    client.get(_url(site, "/a"))
    assert waits == []
    client.get(_url(site, "/a"))
    assert waits == [7.0]
    clock[0] += 100
    client.get(_url(site, "/a"))
    assert waits == [7.0]


def test_clients_that_share_a_folder_share_a_crawl_delay(site, connection, waits, clock, tmp_path):
    site.pages |= {"/robots.txt": answer(b"User-agent: *\nCrawl-delay: 7"), "/a": answer(b"x")}
    for number in range(3):
        own = msgspec.structs.replace(connection, folder=tmp_path / str(number), pace=tmp_path)
        one = Client(own, [f"http://files.example:{site.port}"], robots=True)
        one.get(_url(site, "/a"))
        one.close()
    assert waits == [7.0, 14.0]


def test_a_long_crawl_delay_is_the_crawlers_to_wait(site, client, waits, clock):
    site.pages |= {"/robots.txt": answer(b"User-agent: *\nCrawl-delay: 600"), "/a": answer(b"x")}
    client.get(_url(site, "/a"))
    for _ in range(2):  # a turn that is not taken is nobody's
        error = _failure(client, _url(site, "/a"))
        assert (error.kind, error.reason, error.retry_after) == ("rate", "crawl-delay", 600.0)
    assert waits == []


def test_a_clock_that_was_set_back_stops_nobody(site, client, waits, clock):
    site.pages |= {"/robots.txt": answer(b"User-agent: *\nCrawl-delay: 7"), "/a": answer(b"x")}
    client.get(_url(site, "/a"))
    clock[0] -= 100_000
    client.get(_url(site, "/a"))
    assert waits == []


def test_our_name_is_the_user_agents_product(site, connection):
    named = msgspec.structs.replace(connection, user_agent="SpeechMill/3.1 (mailto:a@example.org)")
    client = Client(named, [f"http://files.example:{site.port}"], robots=True)
    site.pages["/robots.txt"] = answer(b"User-agent: speechmill\nDisallow: /")
    assert _failure(client, _url(site, "/a")).reason == "robots-disallow"
    client.close()
