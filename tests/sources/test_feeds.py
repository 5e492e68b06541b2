# SPDX-License-Identifier: Apache-2.0
"""Feeds as they are written: RSS and Atom, namespaces, licences of items and channels, hostile XML."""

from __future__ import annotations

import pytest

from speechmill.core.errors import FetchError
from speechmill.sources._feeds import Entry, Feed, Transcript, read_feed

SPACES = (
    'xmlns:itunes="http://www.itunes.com/DTDs/Podcast-1.0.dtd" xmlns:p="https://podcastindex.org/namespace/1.0" '
    'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:cc="http://web.resource.org/cc/" '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:media="http://search.yahoo.com/mrss/"'
)
MEDIA = '<enclosure url="https://m.test/a.mp3" type="audio/mpeg" length="12"/>'
BY = "<cc:license>https://creativecommons.org/licenses/by/4.0/</cc:license>"


def _feed(channel: str, *items: str) -> Feed:
    inside = channel + "".join(f"<item>{item}</item>" for item in items)
    text = f'<rss version="2.0" {SPACES}><channel>{inside}</channel></rss>'
    return read_feed(text.encode(), "https://f.test/show/feed.xml")


def _entry(item: str, channel: str = "") -> Entry:
    (entry,) = _feed(channel, item + MEDIA).entries
    return entry


def _refused(content: bytes) -> tuple[str, str]:
    with pytest.raises(FetchError) as caught:
        read_feed(content, "https://f.test/")
    return caught.value.kind, caught.value.reason


def test_an_episode_with_everything():
    entry = _entry(
        "<title>Một &amp; hai</title><guid>g1</guid><link>../1</link><pubDate>Wed, 01 May 2024 08:00:00 GMT</pubDate>"
        "<itunes:duration>1:02:03</itunes:duration><itunes:author>Ann</itunes:author><dc:language>vie</dc:language>"
        f'{BY}<p:transcript url="/1.html" type="text/html"/><p:transcript url="/1.srt" type="application/x-subrip"/>'
        '<p:transcript url="/1-en.vtt" type="text/vtt; charset=utf-8" language="en"/>'
    )
    assert (entry.title, entry.guid, entry.url) == ("Một & hai", "g1", "https://f.test/1")
    assert (entry.media, entry.extension) == ("https://m.test/a.mp3", "mp3")
    assert (entry.date, entry.duration, entry.author, entry.language) == ("2024-05-01", 3723.0, "Ann", "vi")
    assert (entry.licence.state, entry.licence_field) == ("cc-by", "cc:license")
    assert entry.transcripts == (Transcript("https://f.test/1-en.vtt", "en"), Transcript("https://f.test/1.srt", "vi"))
    assert entry.missing == ()


def test_an_episode_with_nothing_says_so():
    entry = _entry("")
    assert (entry.guid, entry.url, entry.title) == ("https://m.test/a.mp3", "https://m.test/a.mp3", "")
    assert entry.missing == ("duration", "date", "language", "author")
    assert entry.licence.state == "unstated"


def test_entries_inherit_language_author_and_licence_of_their_channel():
    entry = _entry("", f"<title>Show</title><language>en-us</language><author>a@b.test (Bob)</author>{BY}")
    assert (entry.language, entry.author, entry.licence.state) == ("en-us", "Bob", "cc-by")


def test_what_an_item_says_of_its_licence_goes_before_its_channel():
    entry = _entry("<p:license>cc-by-nc-4.0</p:license>", BY)
    assert (entry.licence.state, entry.licence_field) == ("standard", "podcast:license")


@pytest.mark.parametrize(
    ("item", "channel", "state"),
    [
        (BY, "<copyright>© Ann</copyright>", "cc-by"),
        (BY, "<copyright>All rights reserved</copyright>", "cc-by"),
        (BY + "<dc:rights>All rights reserved</dc:rights>", "", "standard"),
        ("", BY + "<copyright>© Ann. All rights reserved</copyright>", "standard"),
        ("<dc:rights>personal use only</dc:rights>", BY, "standard"),
        ("", "<copyright>© 2024 Ann, CC BY where possible</copyright>", "standard"),
        ("", "<copyright>CC BY 4.0</copyright>", "cc-by"),
        ("<dc:rights>public domain</dc:rights>", "", "public-domain"),
        ('<cc:license rdf:resource="https://creativecommons.org/licenses/by-sa/4.0/"/>', "", "cc-by"),
        ('<p:license url="https://example.test/mine">cc-by-4.0</p:license>', "", "standard"),
        ("<p:license/>", BY, "standard"),
        ('<atom:link rel="license" href="https://creativecommons.org/licenses/by/3.0/"/>', "", "cc-by"),
        (BY + "<p:license>cc-by-nd-4.0</p:license>", "", "standard"),
        ("<description>CC BY 4.0</description>", "", "unstated"),
        (BY * 30, "", "standard"),
    ],
)
def test_licences_of_items_channels_and_notices(item, channel, state):
    assert _entry(item, channel).licence.state == state


def test_atom_feeds_are_read():
    feed = read_feed(
        b'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>Talks</title>'
        b"<author><name>Bob</name></author><rights>https://creativecommons.org/publicdomain/zero/1.0/</rights>"
        b'<link rel="next" href="?p=2"/><entry><id>urn:1</id><title type="html">A &lt;b&gt;talk&lt;/b&gt;</title>'
        b'<updated>2024-05-01T00:00:00Z</updated><link href="/1"/><link rel="enclosure" href="/v" type="video/mp4"/>'
        b'<link rel="enclosure" href="/a" type="audio/ogg"/></entry></feed>',
        "https://f.test/atom",
    )
    (entry,) = feed.entries
    assert feed.next_page == "https://f.test/atom?p=2"
    assert (entry.guid, entry.title, entry.url, entry.author) == ("urn:1", "A talk", "https://f.test/1", "Bob")
    assert (entry.media, entry.extension) == ("https://f.test/a", "ogg")
    assert (entry.date, entry.language, entry.licence.state) == ("2024-05-01", "en", "public-domain")


def test_video_is_taken_for_its_sound_and_other_enclosures_are_not():
    feed = _feed(
        "",
        '<enclosure url="https://m.test/film.mp4" type="video/mp4"/>',
        '<enclosure url="https://m.test/notes.pdf" type="application/pdf"/>',
        '<enclosure url="file:///etc/passwd" type="audio/mpeg"/>',
        '<enclosure url="javascript:alert(1)" type="audio/mpeg"/>',
        '<media:content url="https://m.test/b" type="audio/mp4"/>',
        "<title>words only</title>",
    )
    assert [(entry.media, entry.extension) for entry in feed.entries] == [
        ("https://m.test/film.mp4", "mp4"),
        ("https://m.test/b", "m4a"),
    ]


def test_archived_feeds_name_the_page_before():
    assert _feed('<atom:link rel="prev-archive" href="/2023.xml"/>').next_page == "https://f.test/2023.xml"
    assert _feed('<atom:link rel="next" href="gopher://x/"/>').next_page is None


def test_addresses_of_mail_are_not_kept():
    assert _entry("<author>ann@x.test</author>").author is None
    assert _entry("<itunes:author>Ann ann@x.test</itunes:author>").author == "Ann"


@pytest.mark.parametrize("block", ["<p:block>yes</p:block>", "<itunes:block>Yes</itunes:block>"])
def test_a_feed_that_wants_no_directories_is_left_alone(block):
    assert _refused(f"<rss {SPACES}><channel>{block}</channel></rss>".encode()) == ("permanent", "feed-blocked")


def test_a_block_for_one_service_is_not_for_us():
    assert _feed('<p:block id="other">yes</p:block>').entries == ()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<rss><channel><item><ti", "incomplete"),
        (b"", "incomplete"),
        (b"\x00\x01", "incomplete"),
        (b'<?xml version="1.0" encoding="x-nobody"?><rss/>', "incomplete"),
        (b"<!DOCTYPE html><html><body>Subscribe", "permanent"),
        (b"<html><br></html>", "permanent"),
        (b"<opml/>", "permanent"),
        (b"<rss/>", "permanent"),
        (b'<!DOCTYPE rss [<!ENTITY a "b">]><rss><channel>&a;</channel></rss>', "permanent"),
        (b'<!DOCTYPE rss SYSTEM "file:///etc/passwd"><rss><channel/></rss>', "permanent"),
        (b"<rss>" + b"<a>" * 10_000, "permanent"),
    ],
)
def test_what_is_no_feed_is_refused(content, kind):
    assert _refused(content)[0] == kind


def test_long_and_odd_values_are_cut_and_cleaned():
    entry = _entry(f"<title>{'x' * 9000}</title><link>https://[::1</link><guid>\n a\tb </guid>")
    assert (len(entry.title), entry.url, entry.guid) == (2000, "https://m.test/a.mp3", "a b")


def test_an_item_without_id_is_told_by_address_and_title_and_never_by_a_query():
    own = '<enclosure url="https://m.test/play.mp3?token=canary" type="audio/mpeg"/>'
    (entry,) = _feed("", f"<title>One</title>{own}").entries
    assert (entry.guid, entry.url) == ("https://m.test/play.mp3 One", "https://m.test/play.mp3")
    assert entry.media == "https://m.test/play.mp3?token=canary"
