# SPDX-License-Identifier: Apache-2.0
"""What is kept of yt-dlp's answers about a video: named fields alone, and the licence by what was really said.

YouTube names a licence only where it is Creative Commons, in an answer of its own (`next`). So its absence means the
standard licence only where that answer was there; anything else is "failed".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from msgspec.structs import replace

from speechmill.core.errors import FetchError
from speechmill.core.remote import CaptionTrack, Description, Ref
from speechmill.core.types import Rights
from speechmill.sources import _answers
from speechmill.sources._licences import Licence, read_licence, rights_of
from speechmill.sources._youtube_query import watch_url

PLATFORM = "youtube"
STANDARD = "YouTube standard licence"
# YouTube's Creative Commons licence has no version on the page. Its terms named 3.0 until August 2025, then 4.0.
_VERSION_4_SINCE = "2025-08-01"
_LIVE = ("is_live", "is_upcoming", "post_live")


def ref_of(entry: Mapping[str, Any], *, shorts: bool = False, listing: Mapping[str, Any] | None = None) -> Ref:
    """Return a listing's entry. listing: what YouTube says of the whole, where entries name no channel."""
    whole = listing or {}
    status = entry.get("live_status")
    return Ref(
        PLATFORM,
        entry["id"],
        watch_url(entry["id"]),
        title=_answers.text(entry.get("title")),
        duration=_seconds(entry.get("duration")),
        channel=_answers.text(entry.get("channel")) or _answers.text(whole.get("channel")),
        channel_id=_answers.text(entry.get("channel_id")) or _answers.text(whole.get("channel_id")),
        views=entry.get("view_count"),
        live=status in _LIVE if status else None,
        short=True if shorts or "/shorts/" in (entry.get("url") or "") else None,
    )


def description_of(info: Mapping[str, Any], today: str) -> Description:
    """Return the whitelisted fields. Raises FetchError "incomplete" where the player's part is absent."""
    if not info.get("title") or not info.get("id"):
        raise FetchError("incomplete", "no-details", "the player's answer has no title")
    title, author = _answers.text(info["title"]) or info["id"], _answers.text(info.get("channel"))
    date, url, live = _date(info), watch_url(info["id"]), info.get("live_status") in _LIVE
    described = Description(
        PLATFORM,
        info["id"],
        url,
        title,
        duration=_seconds(info.get("duration")),
        author=author,  # in the answer `next` alone
        channel_id=_answers.text(info.get("channel_id")),
        channel_handle=_answers.text(info.get("uploader_id")),
        author_url=_answers.text(info.get("channel_url")) or _answers.text(info.get("uploader_url")),
        date=date,
        language=_language(info),
        views=info.get("view_count"),
        category=_answers.text(next(iter(info.get("categories") or ()), None)),
        licence=_answers.text(info.get("license")),
        rights=_rights(Rights(title=title, author=author, url=url, seen=today), info.get("license"), date),
        tracks=tuple(caption_urls(info)),
        live=live,
        short=info.get("media_type") == "short",
        missing=(),
    )
    return with_missing(described)


def with_missing(described: Description, *others: str) -> Description:
    """Name the fields that YouTube usually states and here did not."""
    usual = ("author", "channel_id", "date", "views", "category", *(() if described.live else ("duration",)))
    absent = [name for name in usual if getattr(described, name) is None]
    lost = ["licence"] if described.rights.state == "failed" else []
    return replace(described, missing=(*absent, *lost, *others))


def _rights(common: Rights, stated: Any, date: str | None) -> Rights:
    """common: title, author, address and day."""
    wording, today = _answers.text(stated), common.seen
    said = f'the video\'s page says "{wording}"'
    if wording and read_licence(wording).name == "CC BY":
        return creative_commons(common, said, date, read_licence(wording).version)
    if wording:
        return replace(common, licence=wording, state="standard", evidence=f"{said}; seen {today}")
    # The channel's name stands in the very part of `next` where a licence would: seen, so is what it says of licences.
    if common.author:
        said = f"the video's page names no licence, as with all under YouTube's standard licence; seen {today}"
        return replace(common, licence=STANDARD, state="standard", evidence=said)
    lost = f"the part of the page that names a licence did not come; asked {today}"
    return replace(common, state="failed", evidence=lost)


def creative_commons(common: Rights, said: str, date: str | None, stated: str | None = None) -> Rights:
    """Return rights under CC BY, in the version stated, or else the one that YouTube's terms named on that date."""
    meant = None if date is None else "4.0" if date >= _VERSION_4_SINCE else "3.0"
    if stated:
        reason = f"version {stated} is named"
    elif meant:
        reason = f"it names no version: {meant} is what YouTube's terms meant on {date}, when it was published"
    else:
        reason = "it names no version, and there is no date to tell it by"
    return rights_of(
        Licence("cc-by", "CC BY", stated or meant),
        title=common.title,
        author=common.author,
        url=common.url,
        evidence=f"{said}; seen {common.seen}; {reason}",
        seen=common.seen,
    )


def caption_urls(info: Mapping[str, Any]) -> dict[CaptionTrack, str]:
    """Return addresses (of json3) of captions that were written or recognised; of several alike those that come first.

    What a machine translated is left out: it has `tlang` in its address, and stands beside automatic captions in
    yt-dlp's answer.
    """
    kinds: tuple[tuple[str, Literal["manual", "automatic"]], ...]
    kinds = (("subtitles", "manual"), ("automatic_captions", "automatic"))
    found: dict[CaptionTrack, str] = {}
    for field, kind in kinds:
        for formats in (info.get(field) or {}).values():
            url = next((one["url"] for one in formats if one.get("ext") == "json3" and one.get("url")), None)
            query = parse_qs(urlsplit(url).query) if url else {}
            language = _answers.text(query.get("lang", [None])[-1])
            is_automatic = query.get("kind", [""])[-1] == "asr"
            if url and language and "tlang" not in query and is_automatic == (kind == "automatic"):
                found.setdefault(CaptionTrack(language, kind), url)
    return found


def _language(info: Mapping[str, Any]) -> str | None:
    """Return the language of the sound: of the original audio track, which yt-dlp also tells by automatic captions."""
    spoken = [one for one in info.get("formats") or () if one.get("acodec") not in (None, "none")]
    spoken.sort(key=lambda one: one.get("language_preference") or -1)
    stated = [one["language"] for one in spoken if one.get("language")]
    if stated:
        return str(stated[-1])
    automatic = [track.language for track in caption_urls(info) if track.kind == "automatic"]
    return automatic[0] if len(automatic) == 1 else None


def _date(info: Mapping[str, Any]) -> str | None:
    written = info.get("upload_date")
    return f"{written[:4]}-{written[4:6]}-{written[6:8]}" if written and len(written) == 8 else None


def _seconds(value: Any) -> float | None:
    return float(value) if value is not None else None


def today_utc() -> str:
    """Return the date, as ISO."""
    return dt.datetime.now(dt.UTC).date().isoformat()
