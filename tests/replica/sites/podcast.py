# SPDX-License-Identifier: Apache-2.0
"""Two shows by their feeds: RSS in pages with every kind of licence, Atom; media behind a counter that redirects.

feeds.test/show.xml (episodes 0 to `episodes` - 1, `page` a page), /atom.xml, and feeds that are gone, private, broken
or hostile. Options: episodes, page (counts); truncate ({path: bytes}); licence ({episode: XML}).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from replica.messages import Answer, Request, file_answer, html_answer, text_answer

if TYPE_CHECKING:
    from replica.world import World

HOSTS = ("feeds.test", "counter.test", "media.feeds.test")
LICENCES = (
    "<creativeCommons:license>https://creativecommons.org/licenses/by/4.0/</creativeCommons:license>",
    "<podcast:license>cc0-1.0</podcast:license>",
    '<podcast:license url="https://creativecommons.org/licenses/by-nc/4.0/">cc-by-nc-4.0</podcast:license>',
    "<copyright>© 2024 Ann. All rights reserved.</copyright>",
    "",
)
_SPACES = (
    'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:podcast="https://podcastindex.org/namespace/1.0" '
    'xmlns:atom="http://www.w3.org/2005/Atom" '
    'xmlns:creativeCommons="http://backend.userland.com/creativeCommonsRssModule"'
)
_BOMB = (
    '<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    "<rss><channel><title>&b;</title></channel></rss>"
)
_JSON = '{"version": "1.0.0", "segments": [{"speaker": "Ann", "startTime": 0.5, "endTime": 1.5, "body": "chào bạn"}]}'


def answer(request: Request, world: World) -> Answer:
    found = _answer(request, world)
    cut = world.options("podcast").get("truncate", {}).get(request.path)
    return found if cut is None else Answer(found.body, found.content_type, found.status, found.headers, truncate=cut)


def _answer(request: Request, world: World) -> Answer:
    if request.path == "/robots.txt":
        return text_answer("User-agent: *\nDisallow: /private\n")
    folder, _, name = request.path.strip("/").rpartition("/")
    if request.host == "counter.test":
        return Answer(status=302, headers={"Location": f"https://media.feeds.test/e/{name}"})
    if request.host == "media.feeds.test" and folder == "e":
        clip = world.library.clip(0)
        return file_answer(request, clip.variant(name), clip.content_type)
    if folder == "transcripts":
        return _transcript(name, world)
    feed = _FEEDS.get(request.path)
    return feed(request, world) if feed else Answer(status=404)


def _transcript(name: str, world: World) -> Answer:
    cues = world.library.clip(0).cues
    if name.endswith(".vtt"):
        return text_answer(f"WEBVTT\n\n00:00.000 --> 00:05.000\n{cues[0].text}\n", "text/vtt")
    if name.endswith(".srt"):
        return text_answer("1\r\n00:00:00,000 --> 00:00:05,000\r\nhello\r\n", "application/x-subrip")
    return text_answer(_JSON, "application/json") if name.endswith(".json") else Answer(status=404)


def _show(request: Request, world: World) -> Answer:
    options = world.options("podcast")
    total, size, page = options.get("episodes", 10), options.get("page", 5), int(request.query.get("page", 0))
    numbers = range(page * size, min(total, (page + 1) * size))
    more = page * size + size < total
    following = f'<atom:link rel="next" href="/show.xml?page={page + 1}"/>' if more else ""
    items = "".join(_item(number, world) for number in numbers)
    return text_answer(
        f'<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" {_SPACES}><channel><title>Vườn nói</title>'
        f"<language>vi-VN</language><itunes:author>Ann Nguyễn</itunes:author>{following}{items}</channel></rss>",
        "application/rss+xml; charset=utf-8",
    )


def _item(number: int, world: World) -> str:
    licence = world.options("podcast").get("licence", {}).get(str(number), LICENCES[number % len(LICENCES)])
    ending, kind = (("vtt", "text/vtt"), ("srt", "application/x-subrip"), ("json", "application/json"))[number % 3]
    minutes, seconds = divmod(round(world.library.clip(0).duration), 60)
    return (
        f'<item><title>Tập {number}</title><guid isPermaLink="false">show-{number}</guid>'
        f"<link>https://feeds.test/episodes/{number}</link><pubDate>Wed, 01 May 2024 08:00:00 +0700</pubDate>"
        f"<itunes:duration>{minutes:02d}:{seconds:02d}</itunes:duration>{licence}"
        f'<podcast:transcript url="https://feeds.test/transcripts/{number}.{ending}" type="{kind}"/>'
        f'<enclosure url="https://counter.test/r/{number}.m4a" length="1" type="audio/x-m4a"/></item>'
    )


def _atom(request: Request, world: World) -> Answer:
    return text_answer(
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>Talks</title><author><name>Bob</name></author>'
        "<rights>https://creativecommons.org/licenses/by-sa/3.0/</rights>"
        "<entry><id>tag:feeds.test,2024:1</id><title>One</title><published>2024-05-01T10:00:00Z</published>"
        '<link href="/episodes/one"/><link rel="enclosure" type="audio/mp4" href="https://media.feeds.test/e/one.m4a"/>'
        "</entry></feed>",
        "application/atom+xml",
    )


def _cut(request: Request, world: World) -> Answer:
    return text_answer(f"<rss {_SPACES}><channel><title>{escape('A & B')}</title><item><ti", "application/rss+xml")


_FEEDS = {
    "/show.xml": _show,
    "/atom.xml": _atom,
    "/private/show.xml": _show,
    "/cut.xml": _cut,
    "/bomb.xml": lambda request, world: text_answer(_BOMB, "application/rss+xml"),
    "/page": lambda request, world: html_answer("<!DOCTYPE html><title>Subscribe</title>"),
    "/gone.xml": lambda request, world: Answer(status=410),
}
