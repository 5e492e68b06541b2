# SPDX-License-Identifier: Apache-2.0
"""Search results, channels' tabs and playlists, page by page. A token says where a listing goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from replica.videos import Video, channel_id, channel_videos, found, video
from replica.youtube import byline, clock, runs, simple

if TYPE_CHECKING:
    from replica.world import World

PAGE_SIZES = {"search": 20, "playlist": 100, "videos": 30, "shorts": 48, "streams": 30}
TABS = {"videos": "Videos", "shorts": "Shorts", "streams": "Live"}


class Place(Struct, frozen=True):
    """A page of a listing. kind: a tab's name, "search" or "playlist"; key: the words, or a channel's number."""

    kind: str
    key: str
    start: int = 0

    @property
    def token(self) -> str:
        return f"{self.kind}|{self.start}|{self.key}"


def place_of(token: str) -> Place:
    """Read a token; raises ValueError where it is none."""
    kind, start, key = token.split("|", 2)
    return Place(kind, key, int(start))


def items(place: Place, world: World) -> list[dict[str, Any]]:
    """Return the renderers of one page, with a token at its end where there are more."""
    size = PAGE_SIZES[place.kind]
    if place.kind == "search":
        names = found(place.key, place.start, size + 1, world.settings)
    else:
        tab = "videos" if place.kind == "playlist" else place.kind
        names = channel_videos(int(place.key), tab, world.settings)[place.start : place.start + size + 1]
    videos = [made for name in names[:size] if (made := video(name, world))]
    rendered = [RENDERERS[place.kind](item) for item in videos]
    return rendered + ([_more(Place(place.kind, place.key, place.start + size))] if len(names) > size else [])


def _more(place: Place) -> dict[str, Any]:
    command = {"continuationCommand": {"token": place.token, "request": "CONTINUATION_REQUEST_TYPE_BROWSE"}}
    return {"continuationItemRenderer": {"trigger": "CONTINUATION_TRIGGER", "continuationEndpoint": command}}


def search_page(query: str, world: World) -> dict[str, Any]:
    """Return the first page of a search."""
    sections = {"sectionListRenderer": {"contents": sectioned(items(Place("search", query), world))}}
    return {"contents": {"twoColumnSearchResultsRenderer": {"primaryContents": sections}}}


def sectioned(rendered: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put results into a section and leave the token behind it."""
    results = [item for item in rendered if "continuationItemRenderer" not in item]
    rest = [item for item in rendered if "continuationItemRenderer" in item]
    return [{"itemSectionRenderer": {"contents": results}}, *rest]


def channel_page(channel: int, tab: str, world: World) -> dict[str, Any]:
    """Return a channel's page with one tab open; "" opens its home, which lists nothing."""
    home = {"title": "Home", "endpoint": _endpoint(channel, "featured"), "selected": not tab, "content": EMPTY}
    tabs = [{"tabRenderer": home if not tab else {**home, "content": None}}]
    for name, title in TABS.items():
        renderer: dict[str, Any] = {"title": title, "endpoint": _endpoint(channel, name), "selected": name == tab}
        if name == tab:
            renderer["content"] = {"richGridRenderer": {"contents": items(Place(tab, str(channel)), world)}}
        tabs.append({"tabRenderer": renderer})
    metadata = {
        "title": f"Channel {channel}",
        "externalId": channel_id(channel),
        "description": "Talks",
        "vanityChannelUrl": f"http://www.youtube.com/@channel{channel}",
        "channelUrl": f"https://www.youtube.com/channel/{channel_id(channel)}",
    }
    return {
        "contents": {"twoColumnBrowseResultsRenderer": {"tabs": tabs}},
        "metadata": {"channelMetadataRenderer": metadata},
    }


EMPTY: dict[str, Any] = {"sectionListRenderer": {"contents": []}}


def _endpoint(channel: int, tab: str) -> dict[str, Any]:
    return {"commandMetadata": {"webCommandMetadata": {"url": f"/@channel{channel}/{tab}"}}}


def playlist_page(channel: int, name: str, world: World) -> dict[str, Any]:
    """Return the first page of a playlist of a channel's videos."""
    rendered = items(Place("playlist", str(channel)), world)
    videos = {"playlistVideoListRenderer": {"contents": rendered, "playlistId": name}}
    content = {"sectionListRenderer": {"contents": [{"itemSectionRenderer": {"contents": [videos]}}]}}
    count = len(channel_videos(channel, "videos", world.settings))
    owner = video(f"v{channel * 1000:010d}", world)
    header = {
        "playlistId": name,
        "privacy": "PUBLIC",
        "numVideosText": runs(f"{count} videos"),
        **({"ownerText": byline(owner)} if owner else {}),
    }
    return {
        "contents": {
            "twoColumnBrowseResultsRenderer": {"tabs": [{"tabRenderer": {"selected": True, "content": content}}]}
        },
        "metadata": {"playlistMetadataRenderer": {"title": f"Playlist {channel}", "description": ""}},
        "header": {"playlistHeaderRenderer": header},
    }


def nothing_there(message: str) -> dict[str, Any]:
    """Return the page of a listing that does not exist."""
    return {"alerts": [{"alertRenderer": {"type": "ERROR", "text": simple(message)}}]}


def _result(video: Video) -> dict[str, Any]:
    return {"videoRenderer": _renderer(video)}


def _renderer(video: Video) -> dict[str, Any]:
    address = f"/shorts/{video.id}" if video.short else f"/watch?v={video.id}"
    renderer: dict[str, Any] = {
        "videoId": video.id,
        "title": runs(video.title),
        "navigationEndpoint": {"commandMetadata": {"webCommandMetadata": {"url": address}}},
        "publishedTimeText": simple("Streamed 2 years ago" if video.was_live else "2 years ago"),
        "viewCountText": simple(f"{video.views:,} {'watching' if video.is_live else 'views'}"),
        "shortBylineText": byline(video),
        "ownerText": byline(video),
    }
    if video.is_live:
        renderer["badges"] = [{"metadataBadgeRenderer": {"style": "BADGE_STYLE_TYPE_LIVE_NOW", "label": "LIVE"}}]
        del renderer["publishedTimeText"]
    else:
        renderer["lengthText"] = simple(clock(video.duration))
    return renderer


def _playlist_entry(video: Video) -> dict[str, Any]:
    more = {} if video.is_live else {"lengthSeconds": str(round(video.duration))}
    return {"playlistVideoRenderer": {**_renderer(video), **more, "isPlayable": True}}


def _card(video: Video) -> dict[str, Any]:
    """Make the card of a channel's tab."""
    badge = {"text": clock(video.duration), "badgeStyle": "THUMBNAIL_OVERLAY_BADGE_STYLE_DEFAULT"}
    if video.is_live:
        badge = {"text": "LIVE", "badgeStyle": "THUMBNAIL_OVERLAY_BADGE_STYLE_LIVE"}
    overlay = {"thumbnailBottomOverlayViewModel": {"badges": [{"thumbnailBadgeViewModel": badge}]}}
    when = "Streamed 2 years ago" if video.was_live else "2 years ago"
    parts = [{"text": {"content": f"{video.views} views"}}, {"text": {"content": when}, "accessibilityLabel": when}]
    rows = {"contentMetadataViewModel": {"metadataRows": [{"metadataParts": parts}]}}
    model = {
        "contentId": video.id,
        "contentType": "LOCKUP_CONTENT_TYPE_VIDEO",
        "contentImage": {"thumbnailViewModel": {"image": {"sources": []}, "overlays": [overlay]}},
        "metadata": {"lockupMetadataViewModel": {"title": {"content": video.title}, "metadata": rows}},
    }
    return {"richItemRenderer": {"content": {"lockupViewModel": model}}}


def _short(video: Video) -> dict[str, Any]:
    model = {
        "entityId": f"shorts-shelf-item-{video.id}",
        "onTap": {"innertubeCommand": {"reelWatchEndpoint": {"videoId": video.id}}},
        "overlayMetadata": {
            "primaryText": {"content": video.title},
            "secondaryText": {"content": f"{video.views} views"},
        },
    }
    return {"richItemRenderer": {"content": {"shortsLockupViewModel": model}}}


RENDERERS = {"search": _result, "playlist": _playlist_entry, "videos": _card, "shorts": _short, "streams": _card}
