# SPDX-License-Identifier: Apache-2.0
"""What there is on the replica's YouTube: channels, playlists and videos, each made from its number alone.

Video ids are a letter and ten digits: the letter tells its fault (faults.py), the digits are channel * 1000 + index.
Index 0 to 899: videos; 900 to 929: shorts; 930 to 939: streams, of which the last is always running.
"""

from __future__ import annotations

import datetime
import zlib
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from replica.faults import BY_NAME, BY_PREFIX, HEALTHY
from replica.media import Clip

if TYPE_CHECKING:
    from replica.settings import Settings
    from replica.world import World

FIRST_SHORT, FIRST_STREAM, END = 900, 930, 940
CC_BY = "Creative Commons Attribution license (reuse allowed)"
CATEGORIES = ("Education", "Science & Technology", "News & Politics", "People & Blogs")
LANGUAGES = {"vi": "Vietnamese", "en": "English", "fr": "French", "de": "German", "es": "Spanish"}
DAYS_OF_DATES = 4_200  # from 2015 to the middle of 2026


class Video(Struct, frozen=True):
    """Everything that is true of a video. `control(videos={id: {...}})` sets fields."""

    id: str
    number: int
    channel: int
    title: str
    duration: float  # seconds
    views: int
    date: str  # of publication, ISO, with hour and zone
    language: str
    category: str
    licence: str | None  # None: the platform's own, which its pages don't name
    manual: bool  # captions by a person
    automatic: bool
    short: bool = False
    was_live: bool = False
    fault: str | None = None

    @property
    def channel_id(self) -> str:
        return channel_id(self.channel)

    @property
    def channel_name(self) -> str:
        return f"Channel {self.channel}"

    @property
    def handle(self) -> str:
        return f"@channel{self.channel}"

    @property
    def is_live(self) -> bool:
        return self.fault == "live"

    def clip(self, world: World) -> Clip:
        """Return its audio."""
        return world.library.clip(self.number % 1000)


def channel_id(channel: int) -> str:
    return f"UCreplica{channel:015d}"


def playlist_id(channel: int) -> str:
    return f"PLreplica{channel:09d}"


def content(video: Video, world: World) -> bytes:
    """Return the bytes of a video's audio."""
    clip = video.clip(world)
    return clip.variant(video.id) if world.settings.distinct else clip.content


def video(name: str, world: World) -> Video | None:
    """Return what is true of a video; None where there is none of that id."""
    settings = world.settings
    if len(name) != 11 or not (name[1:].isascii() and name[1:].isdigit()):
        return None
    channel, index = divmod(int(name[1:]), 1000)
    exists = index < min(settings.videos_per_channel, FIRST_SHORT) or FIRST_SHORT <= index < END
    if channel >= settings.channels or not exists or name[0] not in (HEALTHY, *BY_PREFIX):
        return None
    made = _make(name, channel, index, world)
    return replace(made, **settings.videos[name]) if name in settings.videos else made


def _make(name: str, channel: int, index: int, world: World) -> Video:
    number = int(name[1:])
    clip = world.library.clip(index)
    fault = BY_PREFIX.get(name[0])
    published = datetime.date(2015, 1, 1) + datetime.timedelta(days=_chance(number, "date") % DAYS_OF_DATES)
    return Video(
        id=name,
        number=number,
        channel=channel,
        title=f"Talk {number}: chuyện kể số {index}, {clip.name}",
        duration=clip.duration,
        views=_chance(number, "views") % 1_000_000,
        date=f"{published.isoformat()}T08:00:00-07:00",
        language=world.settings.languages[number % len(world.settings.languages)],
        category=CATEGORIES[number % len(CATEGORIES)],
        licence=CC_BY if number % 2 == 0 else None,
        manual=number % 3 == 0,
        automatic=number % 7 != 6,
        short=FIRST_SHORT <= index < FIRST_STREAM,
        was_live=index >= FIRST_STREAM,
        fault=fault.name if fault else None,
    )


def _chance(number: int, what: str) -> int:
    return zlib.crc32(f"{what}/{number}".encode())


def listed(number: int, settings: Settings) -> str:
    """Return the id under which a video is listed: with a fault's letter for the share of them that have it."""
    if number % 1000 == END - 1:
        return f"{BY_NAME['live'].prefix}{number:010d}"
    chance = zlib.crc32(f"{settings.seed}/{number}".encode()) / 2**32
    for name, share in settings.faults.items():
        if chance < share:
            return f"{BY_NAME[name].prefix}{number:010d}"
        chance -= share
    return f"{HEALTHY}{number:010d}"


def channel_videos(channel: int, tab: str, settings: Settings) -> list[str]:
    """Return ids of a channel's tab: "videos", "shorts" or "streams"."""
    videos = range(min(settings.videos_per_channel, FIRST_SHORT))
    indices = {"shorts": range(FIRST_SHORT, FIRST_STREAM), "streams": range(FIRST_STREAM, END)}.get(tab, videos)
    return [listed(channel * 1000 + index, settings) for index in indices]


def found(query: str, start: int, count: int, settings: Settings) -> list[str]:
    """Return ids of search results from `start`: every query walks over all videos in an order of its own."""
    per_channel = min(settings.videos_per_channel, FIRST_SHORT)
    total = settings.channels * per_channel
    step = next(number for number in (7_919, 104_729, 1_299_709) if total % number)
    offset = zlib.crc32(query.encode()) % total
    ids = []
    for place in range(start, min(start + count, settings.search_results, total)):
        channel, index = divmod((offset + place * step) % total, per_channel)
        if settings.search_mixed and place % 20 in (10, 19):
            index = FIRST_SHORT + index % 30 if place % 20 == 10 else FIRST_STREAM + index % 10
        ids.append(listed(channel * 1000 + index, settings))
    return ids


def number_of(name: str, prefix: str) -> int | None:
    """Return the channel that a made-up id or handle names."""
    digits = name.removeprefix(prefix)
    return int(digits) if name.startswith(prefix) and digits.isascii() and digits.isdigit() else None
