# SPDX-License-Identifier: Apache-2.0
"""The answer of `next` and the page of a video: where its licence and its channel are named."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

from replica.messages import Answer, html_answer
from replica.videos import Video
from replica.youtube import byline, runs, simple
from replica.youtube.player import VISITOR
from replica.youtube.weight import page_start

VERSION = "2.20261020.00.00"


def watch_value(video: Video | None) -> dict[str, Any]:
    """Return what `next` says of a video."""
    contents = [] if video is None else [_primary(video), _secondary(video)]
    return {"contents": {"twoColumnWatchNextResults": {"results": {"results": {"contents": contents}}}}}


def _primary(video: Video) -> dict[str, Any]:
    day = datetime.date.fromisoformat(video.date[:10])
    views = {"videoViewCountRenderer": {"viewCount": simple(f"{video.views:,} views"), "isLive": video.is_live}}
    renderer = {"title": runs(video.title), "dateText": simple(f"{day:%b} {day.day}, {day.year}"), "viewCount": views}
    return {"videoPrimaryInfoRenderer": renderer}


def _secondary(video: Video) -> dict[str, Any]:
    owner = {"title": byline(video), "subscriberCountText": simple("1.2K subscribers")}
    licence = {"metadataRowRenderer": {"title": simple("License"), "contents": [runs(video.licence or "")]}}
    rows = {"metadataRowContainerRenderer": {"rows": [licence] if video.licence else []}}
    renderer = {"owner": {"videoOwnerRenderer": owner}, "metadataRowContainer": rows}
    return {"videoSecondaryInfoRenderer": renderer}


def page(title: str, data: Mapping[str, Any], weight: str, *, logged_in: bool, player: Any = None) -> Answer:
    """Answer with a page that holds its data in scripts, as all of YouTube's do."""
    client = {"clientName": "WEB", "clientVersion": VERSION, "visitorData": VISITOR, "hl": "en", "gl": "US"}
    settings = {
        "INNERTUBE_CONTEXT": {"client": client},
        "INNERTUBE_CONTEXT_CLIENT_NAME": 1,
        "INNERTUBE_CLIENT_VERSION": VERSION,
        "VISITOR_DATA": VISITOR,
        "STS": 20_000,
        "LOGGED_IN": logged_in,
        "PLAYER_JS_URL": "/s/player/abcdef12/player_ias.vflset/en_US/base.js",
        **({"DATASYNC_ID": "123456789||"} if logged_in else {}),
    }
    scripts = [f"ytcfg.set({json.dumps(settings)});", f"var ytInitialData = {json.dumps(data)};"]
    if player is not None:
        scripts.insert(1, f"var ytInitialPlayerResponse = {json.dumps(player)};")
    body = "".join(f"<script>{script}</script>" for script in scripts)
    rest = f"<title>{title} - YouTube</title></head><body>{body}</body></html>"
    if weight == "realistic":
        return page_start().answer(rest.encode(), "text/html; charset=utf-8")
    return html_answer(f"<!DOCTYPE html><html><head>{rest}")
