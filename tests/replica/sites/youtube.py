# SPDX-License-Identifier: Apache-2.0
"""www.youtube.com: pages, and the interface that pages and apps use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from msgspec.structs import replace

from replica.messages import Answer, Request, json_answer, text_answer
from replica.videos import channel_id, number_of, video
from replica.youtube.captions import captions_answer
from replica.youtube.lists import (
    PAGE_SIZES,
    TABS,
    channel_page,
    items,
    nothing_there,
    place_of,
    playlist_page,
    search_page,
    sectioned,
)
from replica.youtube.player import NEEDS_PERSON, NO_VIDEO, playability, player_answer, player_value
from replica.youtube.watch import page, watch_value
from replica.youtube.weight import LIST_BYTES, NEXT_BYTES, weighted

if TYPE_CHECKING:
    from replica.world import World

HOSTS = ("www.youtube.com", "youtube.com", "m.youtube.com", "music.youtube.com", "youtubei.googleapis.com")
INTERFACE = "/youtubei/v1/"
SHORT_LIVED = ("bad-json", "dropped", "server-error", "too-many")  # faults of `player` below its own answer
PLAYER_SCRIPT = "var player = {signatureTimestamp: 20000};"
NOT_FOUND = Answer(b"<title>404 Not Found</title>", "text/html", 404)
NO_PLAYLIST = "The playlist does not exist."


def answer(request: Request, world: World) -> Answer:
    world.egresses[request.egress].counted += 1
    made = _answer(request, world)
    if not logged_in(request, world):
        return made
    memory = world.memory("youtube")  # an account's cookies are renewed all the time
    memory["renewals"] = memory.get("renewals", 0) + 1
    cookie = f"SIDCC=renewed-{memory['renewals']}; Domain=.youtube.com; Path=/; Secure; HttpOnly"
    return replace(made, headers={**made.headers, "Set-Cookie": cookie})


def _answer(request: Request, world: World) -> Answer:
    if request.path.startswith(INTERFACE):
        return _interface(request.path.removeprefix(INTERFACE), request, world)
    if request.path == "/watch" or request.path.startswith("/shorts/"):
        return _watch(request, world)
    if request.path == "/api/timedtext":
        return _captions(request, world)
    if request.path == "/playlist":
        return _page("Playlist", _playlist(request.query.get("list", ""), world), request, world)
    if request.path.startswith(("/@channel", "/channel/")):
        return _channel(request, world)
    if request.path == "/iframe_api":
        return text_answer(r"var scriptUrl = 'https:\/\/www.youtube.com\/s\/player\/abcdef12\/www-widgetapi.js';")
    if request.path.startswith("/s/player/"):
        return text_answer(PLAYER_SCRIPT, "text/javascript")
    if request.path == "/robots.txt":
        return text_answer("User-agent: *\nDisallow: /api/\nDisallow: /youtubei/\n")
    if request.path in ("/", "/tv", "/results") or request.path.startswith("/embed/"):
        return _page("YouTube", {"contents": {}}, request, world)
    return NOT_FOUND


def logged_in(request: Request, world: World) -> bool:
    """Whether the request has an account's cookies that are still good."""
    account = {"LOGIN_INFO"} & set(request.cookies) and {"SAPISID", "__Secure-3PAPISID"} & set(request.cookies)
    return bool(account) and not world.settings.cookies_revoked


def _page(title: str, data: dict[str, Any], request: Request, world: World, player: Any = None) -> Answer:
    return page(title, data, world.settings.weight, logged_in=logged_in(request, world), player=player)


def _interface(endpoint: str, request: Request, world: World) -> Answer:
    wanted = request.json()
    weight = world.settings.weight
    if endpoint == "player":
        return _player(wanted.get("videoId", ""), request, world)
    if endpoint == "next":
        return _next(wanted.get("videoId", ""), world)
    if endpoint == "navigation/resolve_url":
        return _resolve(wanted.get("url", ""))
    if endpoint not in ("search", "browse"):
        return error(404, "Requested entity was not found.")
    if token := wanted.get("continuation"):
        return _more(endpoint, token, world)
    if endpoint == "search":
        return weighted(search_page(wanted.get("query", ""), world), LIST_BYTES, weight)
    return weighted(_browse(wanted.get("browseId", ""), wanted.get("params", ""), world), LIST_BYTES, weight)


def error(status: int, message: str, retry_after_s: int | None = None) -> Answer:
    """Answer as the interface does where it fails."""
    value = {"error": {"code": status, "message": message, "errors": [{"message": message, "domain": "global"}]}}
    made = json_answer(value, status)
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return Answer(made.body, made.content_type, status, headers)


def too_many(world: World) -> Answer:
    return error(429, "Resource has been exhausted (e.g. check quota).", world.settings.retry_after_s)


def _player(name: str, request: Request, world: World) -> Answer:
    made = video(name, world)
    world.videos[name]["player"] += 1
    if made and made.fault in SHORT_LIVED and world.fails(f"{made.fault}/{name}"):
        broken = {
            "bad-json": Answer(b'{"playabilityStatus": {"status": "O', "application/json"),
            "dropped": Answer(drop=True),
            "server-error": error(500, "Internal error encountered."),
            "too-many": too_many(world),
        }
        return broken[made.fault]
    value = _player_value(name, request, world)
    return player_answer(value, world)


def _player_value(name: str, request: Request, world: World) -> dict[str, Any]:
    """Return what the player says to this client, and remember where it wants to see a person."""
    made, egress = video(name, world), world.egresses[request.egress]
    settings = world.egress_settings(request.egress)
    account = logged_in(request, world)
    if made is None:
        return {"playabilityStatus": NO_VIDEO}
    if egress.banned(settings) and not account:
        playable = NEEDS_PERSON
    else:
        playable = playability(made, world, logged_in=account, country=settings.country)
    if playable is NEEDS_PERSON:
        egress.counts["bot_checks"] += 1
    context = request.json().get("context", {}) if request.method == "POST" else {}
    client = context.get("client", {}).get("clientName", "WEB")
    return player_value(made, playable, world, client)


def _next(name: str, world: World) -> Answer:
    made = video(name, world)
    world.videos[name]["next"] += 1
    if made and made.fault == "licence-lost" and world.fails(f"licence-lost/{name}"):
        return too_many(world)
    return weighted(watch_value(made), NEXT_BYTES, world.settings.weight)


def _watch(request: Request, world: World) -> Answer:
    name = request.query.get("v") or request.path.rpartition("/")[2]
    world.videos[name]["watch"] += 1
    made = video(name, world)
    value = _player_value(name, request, world)
    return _page(made.title if made else "YouTube", watch_value(made), request, world, value)


def _captions(request: Request, world: World) -> Answer:
    name, automatic = request.query.get("v", ""), request.query.get("kind") == "asr"
    world.videos[name]["captions"] += 1
    made = video(name, world)
    if made is None or not (made.automatic if automatic else made.manual):
        return NOT_FOUND
    if made.fault == "captions-429" and world.fails(f"captions-429/{name}"):
        return Answer(b"Too many requests", status=429, headers={"Retry-After": str(world.settings.retry_after_s)})
    cues = made.clip(world).cues
    return captions_answer(cues, made.language, request.query.get("fmt", ""), automatic=automatic)


def _channel(request: Request, world: World) -> Answer:
    parts = request.path.strip("/").split("/")
    name, tab = (parts[1:2] or [""])[0] if parts[0] == "channel" else parts[0], parts[-1]
    channel = channel_of(name, world)
    if channel is None:
        return NOT_FOUND
    return _page(f"Channel {channel}", channel_page(channel, tab if tab in TABS else "", world), request, world)


def channel_of(name: str, world: World) -> int | None:
    """Return the channel that a handle or an id names, where there is one."""
    numbers = (number_of(name, "@channel"), number_of(name, "UCreplica"))
    number = next((number for number in numbers if number is not None), None)
    return number if number is not None and number < world.settings.channels else None


def _playlist(name: str, world: World) -> dict[str, Any]:
    """Return the first page of a playlist, a channel's uploads included."""
    numbers = (number_of(name, "PLreplica"), number_of(name, "UUreplica"))
    number = next((number for number in numbers if number is not None), None)
    if number is None or number >= world.settings.channels:
        return nothing_there(NO_PLAYLIST)
    return playlist_page(number, name, world)


PARAMS = {"EgZ2aWRlb3PyBgQKAjoA": "videos", "EgZzaG9ydHPyBgUKA5oBAA==": "shorts", "EgdzdHJlYW1z8gYECgJ6AA==": "streams"}


def _browse(name: str, params: str, world: World) -> dict[str, Any]:
    if name.startswith("VL"):
        return _playlist(name.removeprefix("VL"), world)
    channel = channel_of(name, world)
    tab = PARAMS.get(params.replace("%3D", "="), "")
    return nothing_there("This channel does not exist.") if channel is None else channel_page(channel, tab, world)


def _resolve(url: str) -> Answer:
    """Tell which page an address leads to."""
    parts = urlsplit(url)
    if listed := parse_qs(parts.query).get("list"):
        return json_answer({"endpoint": {"browseEndpoint": {"browseId": f"VL{listed[0]}"}}})
    names = parts.path.strip("/").split("/")
    number = number_of(names[0], "@channel")
    name = channel_id(number) if number is not None else names[1] if names[0] == "channel" and names[1:] else ""
    if not name:
        return error(404, "Requested entity was not found.")
    params = next((params for params, tab in PARAMS.items() if tab == names[-1]), None)
    return json_answer({"endpoint": {"browseEndpoint": {"browseId": name, **({"params": params} if params else {})}}})


def _more(endpoint: str, token: str, world: World) -> Answer:
    try:
        place = place_of(token)
    except ValueError:
        return error(400, "Request contains an invalid argument.")
    if place.kind not in PAGE_SIZES:
        return error(400, "Request contains an invalid argument.")
    rendered = items(place, world)
    if endpoint == "search":
        name, rendered = "onResponseReceivedCommands", sectioned(rendered)
    else:
        name = "onResponseReceivedActions"
    value = {name: [{"appendContinuationItemsAction": {"continuationItems": rendered}}]}
    return weighted(value, LIST_BYTES, world.settings.weight)
