# SPDX-License-Identifier: Apache-2.0
"""The answer of `player`: whether a video plays, what it is, its formats and its captions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from replica.faults import GEO_COUNTRY
from replica.messages import Answer, json_answer
from replica.videos import LANGUAGES, Video, content
from replica.youtube import runs, simple
from replica.youtube.weight import formats_start

if TYPE_CHECKING:
    from replica.world import World

CODECS = {".m4a": "mp4a.40.2", ".mp4": "mp4a.40.2", ".webm": "opus", ".ogg": "vorbis", ".opus": "opus"}
CODECS |= {".mp3": "mp3", ".wav": "pcm_s16le", ".flac": "flac"}
TRANSLATING = ("WEB", "MWEB")  # clients that are told of translations
BOT = "Sign in to confirm you\u2019re not a bot"
VISITOR = "Cgt2aXNpdG9yMTIzNCiA"


def status(name: str, reason: str, subreason: str = "") -> dict[str, Any]:
    """Say why a video does not play."""
    answer: dict[str, Any] = {"status": name, "reason": reason}
    if subreason:
        screen = {"reason": simple(reason), "subreason": runs(subreason)}
        answer["errorScreen"] = {"playerErrorMessageRenderer": screen}
    return answer


PRIVATE = status("LOGIN_REQUIRED", "Private video", "Sign in if you've been granted access to this video")
DELETED = status("ERROR", "Video unavailable", "This video has been removed by the uploader")
NO_VIDEO = status("ERROR", "Video unavailable", "This video is unavailable")
GEO = status("UNPLAYABLE", "Video unavailable", "The uploader has not made this video available in your country")
MEMBERS = status(
    "UNPLAYABLE",
    "Join this channel to get access to members-only content like this video, and other exclusive perks.",
)
AGE = status("LOGIN_REQUIRED", "Sign in to confirm your age", "This video may be inappropriate for some users.")
TRY_LATER = status("UNPLAYABLE", "This content isn't available, try again later.")
UPCOMING = status("LIVE_STREAM_OFFLINE", "Premieres in 3 days")
NEEDS_PERSON = status("LOGIN_REQUIRED", BOT)
BARE = (PRIVATE, DELETED, NO_VIDEO, TRY_LATER, NEEDS_PERSON)  # refusals that say nothing of the video


def playability(video: Video, world: World, *, logged_in: bool, country: str) -> dict[str, Any]:
    """Return whether a video plays for who asks. Counts a try where the fault heals."""
    fixed = {"private": PRIVATE, "deleted": DELETED, "members": MEMBERS, "upcoming": UPCOMING}
    if video.fault in fixed:
        return fixed[video.fault]
    if video.fault == "geo" and country != GEO_COUNTRY:
        return GEO
    if video.fault == "age" and not logged_in:
        return AGE
    if video.fault == "bot" and not logged_in and world.fails(f"bot/{video.id}"):
        return NEEDS_PERSON
    if video.fault == "try-later" and world.fails(f"try-later/{video.id}"):
        return TRY_LATER
    return {"status": "OK", "playableInEmbed": True}


def player_value(video: Video, playable: dict[str, Any], world: World, client: str = "WEB") -> dict[str, Any]:
    """Return a player answer as a value, with the formats that have audio alone."""
    value: dict[str, Any] = {"playabilityStatus": playable, "responseContext": {"visitorData": VISITOR}}
    if playable not in BARE:
        value["videoDetails"] = _details(video)
    if playable not in BARE and world.settings.microformat:
        value["microformat"] = {"playerMicroformatRenderer": _microformat(video)}
    if playable["status"] == "OK" and video.fault != "no-formats":
        value["streamingData"] = _streams(video, world)
        value["captions"] = _captions(video, client)
    return value


def player_answer(value: dict[str, Any], world: World) -> Answer:
    """Answer with a player answer, with forty formats where pages are realistic."""
    formats = value.get("streamingData", {}).get("adaptiveFormats")
    if world.settings.weight == "small" or not formats or "drmFamilies" in formats[0]:
        return json_answer(value)
    streams = {**value["streamingData"]}
    del streams["adaptiveFormats"]
    own = json.dumps(formats)[1:] + (", " + json.dumps(streams)[1:-1] if streams else "") + "}, "
    rest = json.dumps({name: part for name, part in value.items() if name != "streamingData"}, ensure_ascii=False)
    return formats_start().answer((own + rest[1:]).encode())


def _details(video: Video) -> dict[str, Any]:
    return {
        "videoId": video.id,
        "title": video.title,
        "lengthSeconds": str(0 if video.is_live else max(1, round(video.duration))),
        "keywords": ["speech", "talk"],
        "channelId": video.channel_id,
        "shortDescription": f"About talk {video.number}.\n" + "More of the same. " * 20,
        "viewCount": str(video.views),
        "author": video.channel_name,
        "isPrivate": False,
        "isLiveContent": video.is_live or video.was_live,
        "isUpcoming": video.fault == "upcoming",
        **({"isLive": True} if video.is_live else {}),
    }


def _microformat(video: Video) -> dict[str, Any]:
    return {
        "category": video.category,
        "uploadDate": video.date,
        "publishDate": video.date,
        "lengthSeconds": str(round(video.duration)),
        "isFamilySafe": video.fault != "age",
        "isUnlisted": False,
        "isShortsEligible": video.short,
        "ownerChannelName": video.channel_name,
        "ownerProfileUrl": f"http://www.youtube.com/{video.handle}",
        "externalChannelId": video.channel_id,
        "availableCountries": [GEO_COUNTRY] if video.fault == "geo" else ["VN", "US", GEO_COUNTRY],
    }


def _streams(video: Video, world: World) -> dict[str, Any]:
    if video.is_live:
        manifest = f"https://manifest.googlevideo.com/api/manifest/hls_variant/id/{video.id}/file/index.m3u8"
        return {"adaptiveFormats": [], "hlsManifestUrl": manifest}
    audio = _format(video, world)
    if video.fault != "drm":
        return {"expiresInSeconds": "21540", "adaptiveFormats": [audio]}
    licences = [{"drmFamily": "WIDEVINE", "url": "https://www.youtube.com/api/drm/widevine"}]
    return {"adaptiveFormats": [{**audio, "drmFamilies": ["WIDEVINE"]}], "licenseInfos": licences}


def _format(video: Video, world: World) -> dict[str, Any]:
    clip = video.clip(world)
    size = len(content(video, world))
    itag = 251 if clip.extension == ".webm" else 140
    host = f"rr{video.number % 4 + 1}---sn-replica.googlevideo.com"
    return {
        "itag": itag,
        "url": f"https://{host}/videoplayback?expire=1999999999&id={video.id}&itag={itag}&clen={size}",
        "mimeType": f'{clip.content_type}; codecs="{CODECS[clip.extension]}"',
        "bitrate": round(8 * size / max(clip.duration, 0.1)),
        "contentLength": str(size),
        "approxDurationMs": str(round(clip.duration * 1000)),
        "quality": "tiny",
        "audioQuality": "AUDIO_QUALITY_MEDIUM",
        "audioSampleRate": "44100",
        "audioChannels": 1,
    }


def _captions(video: Video, client: str) -> dict[str, Any]:
    name = LANGUAGES.get(video.language, video.language)
    base = f"https://www.youtube.com/api/timedtext?v={video.id}&lang={video.language}"
    tracks: list[dict[str, Any]] = []
    if video.manual:
        tracks.append({"baseUrl": base, "vssId": f".{video.language}", "name": simple(name)})
    if video.automatic:
        label = simple(f"{name} (auto-generated)")
        tracks.append({"baseUrl": f"{base}&kind=asr", "vssId": f"a.{video.language}", "name": label, "kind": "asr"})
    for track in tracks:
        track.update(languageCode=video.language, isTranslatable=True)
    listed: dict[str, Any] = {"captionTracks": tracks}
    if client in TRANSLATING:
        listed["translationLanguages"] = [
            {"languageCode": code, "languageName": simple(label)} for code, label in LANGUAGES.items()
        ]
    return {"playerCaptionsTracklistRenderer": listed}
