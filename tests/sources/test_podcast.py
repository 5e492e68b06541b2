# SPDX-License-Identifier: Apache-2.0
"""Podcasts through the replica: pages, licences, transcripts, redirects, refusals."""

from __future__ import annotations

import hashlib

import pytest

from speechmill.core import registry
from speechmill.core.errors import ConfigError
from speechmill.core.remote import CaptionTrack, Page, Ref
from speechmill.sources import Connection, _http, podcast

from .platforms import listed, opened, refused

SHOW = "https://feeds.test/show.xml"


@pytest.fixture
def show(replica, tmp_path):
    with opened("podcast", replica, tmp_path, feed=SHOW) as backend:
        yield backend


def test_the_registry_finds_it():
    assert registry.require("sources", "podcast").Backend is podcast.Backend


def test_a_feed_is_followed_page_by_page(show):
    pages = listed(show)
    assert [[ref.title for ref in page] for page in pages] == [
        [f"Tập {n}" for n in range(5)],
        [f"Tập {n}" for n in range(5, 10)],
    ]
    first = pages[0][0]
    assert first == Ref(
        "podcast",
        first.id,
        "https://feeds.test/episodes/0",
        title="Tập 0",
        duration=20.0,
        channel="Ann Nguyễn",
        channel_id=SHOW,
        date="2024-05-01",
        language="vi-vn",
    )
    assert len({ref.id for page in pages for ref in page}) == 10
    assert len(first.id) == 24


def test_a_token_in_an_address_is_in_no_cursor_ref_or_description(replica, tmp_path):
    own = f"{SHOW}?token=canary-1234"
    with opened("podcast", replica, tmp_path, feed=own) as backend:
        first = backend.discover(None)
        described = backend.describe(first.refs[0])
    assert first.cursor is not None
    assert "canary-1234" not in f"{first}{described}"


def test_another_object_finds_the_page_by_reading_those_before_it(replica, tmp_path, show):
    first = show.discover(None)
    second = show.discover(first.cursor)
    with opened("podcast", replica, tmp_path, feed=SHOW) as fresh:
        assert fresh.discover(first.cursor) == second
        assert fresh.num_requests == 3  # robots.txt and both pages
    assert show.num_requests == 3


def test_a_feed_that_became_shorter_ends(replica, show):
    first = show.discover(None)
    replica.control(sites={"podcast": {"episodes": 3}})
    show._ahead = None
    assert show.discover(first.cursor) == Page(())


def test_ids_stay_between_runs_and_differ_between_feeds(replica, tmp_path, show):
    other = "https://feeds.test/show.xml?for=us"
    with opened("podcast", replica, tmp_path, feeds=(SHOW, other)) as backend:
        pages = listed(backend)
    assert list(show.discover(None).refs) == pages[0]
    assert {ref.id for ref in pages[0]}.isdisjoint(ref.id for ref in pages[2])


def test_every_licence_is_told(show):
    described = [show.describe(ref) for ref in listed(show)[0]]
    assert [one.rights.state for one in described] == ["cc-by", "public-domain", "standard", "standard", "unstated"]
    assert [one.licence for one in described] == [
        "CC BY 4.0",
        "CC0 1.0",
        "CC BY-NC 4.0",
        "© 2024 Ann. All rights reserved.",
        None,
    ]
    assert described[0].rights.evidence == "cc:license in https://feeds.test/show.xml"
    assert described[0].rights.attribution.startswith(
        '"Tập 0" by Ann Nguyễn, https://feeds.test/episodes/0, CC BY 4.0 ('
    )
    assert described[0].missing == ()


def test_a_worker_that_listed_nothing_finds_the_episode_in_its_feed(replica, tmp_path, show):
    last = listed(show)[1][-1]
    with opened("podcast", replica, tmp_path, feeds=(SHOW,)) as fresh:
        assert fresh.describe(last) == show.describe(last)
        assert fresh.num_requests == 3  # robots.txt and both pages


def test_an_episode_that_left_its_feed_never_comes(replica, show):
    ref = listed(show)[1][-1]
    replica.control(sites={"podcast": {"episodes": 3}})
    show._known.clear()
    assert (refused(show.describe, ref).kind, refused(show.describe, ref).reason) == ("permanent", "gone-from-feed")


def test_a_ref_of_a_feed_that_is_not_in_the_corpus_file_is_refused(show):
    error = refused(show.describe, Ref("podcast", "0" * 24, "https://x.test", channel_id="https://x.test/feed"))
    assert (error.kind, error.reason, show.num_requests) == ("permanent", "other-feed", 0)


def test_transcripts_come_as_webvtt(show):
    described = [show.describe(ref) for ref in show.discover(None).refs[:3]]
    assert described[0].tracks == (CaptionTrack("vi-vn", "manual"),)
    contents = [show.captions(one, ["vi"], ["manual"])[0].content for one in described]
    assert all(content.startswith(b"WEBVTT\n\n") for content in contents)
    assert b"00:00:00.000 --> 00:00:05.000\nhello" in contents[1]
    assert "<v Ann>chào bạn".encode() in contents[2]
    assert show.captions(described[0], ["en"], ["manual"]) == ()
    assert show.captions(described[0], [], ["automatic"]) == ()


def test_a_transcript_that_is_gone_is_left_out_and_said(replica, show, caplog):
    described = show.describe(show.discover(None).refs[0])
    replica.control(status={"/transcripts/0.vtt": 404})
    assert list(show.captions(described, [], ["manual"])) == []
    assert "captions in vi-vn are left out" in caplog.text
    replica.control(status={"/transcripts/0.vtt": 429})
    assert refused(show.captions, described, [], ["manual"]).kind == "rate"


def test_media_is_fetched_behind_a_counter_on_another_host(replica, tmp_path, show):
    fetched = show.fetch(show.describe(show.discover(None).refs[0]))
    assert fetched.path.is_relative_to(tmp_path)
    content = fetched.path.read_bytes()
    assert (fetched.extension, fetched.size) == ("m4a", len(content))
    assert fetched.sha256 == hashlib.sha256(content).hexdigest()
    assert replica.statistics()["by_host"] == {"feeds.test": 2, "counter.test": 2, "media.feeds.test": 2}


def test_hosts_can_be_kept_to_a_list(replica, tmp_path):
    with opened("podcast", replica, tmp_path, feeds=(SHOW,), allowed_hosts=("counter.test",)) as backend:
        described = backend.describe(backend.discover(None).refs[0])
        error = refused(backend.fetch, described)
    assert (error.kind, error.reason) == ("permanent", "host-refused")


@pytest.mark.parametrize("address", ["https://127.0.0.1/a.mp3", "https://localhost/a.mp3", "https://10.0.0.1/a.mp3"])
def test_media_inside_a_network_is_never_asked_for(replica, show, address):
    licence = f'<enclosure url="{address}" type="audio/mpeg"/>'
    replica.control(sites={"podcast": {"licence": {"0": licence}}})
    described = show.describe(show.discover(None).refs[0])
    before = show.num_requests
    assert refused(show.fetch, described).kind == "permanent"
    assert show.num_requests == before


def test_robots_txt_is_honoured(replica, tmp_path):
    with opened("podcast", replica, tmp_path, feeds=("https://feeds.test/private/show.xml",)) as backend:
        error = refused(backend.discover, None)
    assert (error.kind, error.reason) == ("permanent", "robots-disallow")
    assert "feeds.test/private/show.xml" not in replica.statistics()["by_path"]


@pytest.mark.parametrize(
    ("path", "kind", "reason"),
    [
        ("/nowhere.xml", "permanent", None),
        ("/gone.xml", "permanent", None),
        ("/page", "permanent", "not-a-feed"),
        ("/bomb.xml", "permanent", "xml-forbidden"),
        ("/cut.xml", "incomplete", "broken-xml"),
    ],
)
def test_feeds_that_can_not_be_had(replica, tmp_path, path, kind, reason):
    with opened("podcast", replica, tmp_path, feeds=(f"https://feeds.test{path}",)) as backend:
        error = refused(backend.discover, None)
    assert error.kind == kind
    assert reason in (None, error.reason)


def test_a_feed_that_is_gone_does_not_hide_the_others_and_is_said_at_the_end(replica, tmp_path):
    feeds = ("https://feeds.test/gone.xml", "https://feeds.test/atom.xml")
    with opened("podcast", replica, tmp_path, feeds=feeds) as backend:
        first = backend.discover(None)
        second = backend.discover(first.cursor)
        error = refused(backend.discover, second.cursor)
    assert (first.refs, [ref.title for ref in second.refs]) == ((), ["One"])
    assert (error.kind, error.detail) == ("permanent", "1 of 2 feeds: https://feeds.test/gone.xml")


def test_too_many_requests_say_when_to_come_again(replica, show):
    replica.control(status={"/show.xml": 429}, retry_after_s=9)
    error = refused(show.discover, None)
    assert error.kind == "rate"
    assert 9 <= error.retry_after <= 10


def test_a_server_in_trouble_is_no_fault_of_the_feed(replica, show):
    replica.control(status={"/show.xml": 500})
    assert refused(show.discover, None).kind == "net"


def test_a_feed_that_breaks_off_is_not_taken_for_the_whole(replica, show):
    replica.control(sites={"podcast": {"truncate": {"/show.xml": 300}}})
    assert refused(show.discover, None).kind in ("net", "incomplete")


def test_media_that_breaks_off_is_not_taken_for_the_whole(replica, show, tmp_path, monkeypatch):
    monkeypatch.setattr(_http, "pause", lambda seconds: None)
    described = show.describe(show.discover(None).refs[0])
    replica.control(sites={"podcast": {"truncate": {"/e/0.m4a": 1000}}})
    assert refused(show.fetch, described).kind in ("net", "incomplete")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_pages_of_other_hosts_are_not_followed(tmp_path):
    backend = podcast.Backend(podcast.Config(feed=SHOW), Connection(tmp_path))
    assert backend._after(podcast._Place(), "https://elsewhere.test/show.xml?page=1") is None
    assert backend._after(podcast._Place(page=499), "https://feeds.test/show.xml?page=500") is None
    backend.close()


@pytest.mark.parametrize("feeds", [(), ("ftp://x.test/feed",), ("https://ann:secret@x.test/feed",), ("feed.xml",)])
def test_what_is_no_address_of_a_feed_is_a_config_error(feeds):
    with pytest.raises(ConfigError) as caught:
        podcast.check(podcast.Config(feeds=feeds))
    assert "secret" not in str(caught.value)


def test_a_feed_that_is_named_twice_is_listed_once():
    config = podcast.Config(feed=SHOW, feeds=(SHOW, "https://b.test/x"))
    assert podcast.hosts(config) == ("feeds.test", "b.test", "*")
    assert podcast.kind(config) == "feed"


def test_hosts_say_where_tls_is_not_wanted():
    config = podcast.Config(feeds=("http://a.test/x", "https://b.test:8443/x"))
    assert podcast.hosts(config) == ("http://a.test", "b.test:8443", "*")


def test_queries_of_feeds_are_not_shown(replica, tmp_path):
    with opened("podcast", replica, tmp_path, feeds=(f"{SHOW}?token=canary",)) as backend:
        described = backend.describe(backend.discover(None).refs[0])
    assert "canary" not in repr(described)
    assert isinstance(described.rights.evidence, str)
