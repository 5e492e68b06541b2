# SPDX-License-Identifier: Apache-2.0
"""The replica's own host, through any of its proxies in the clear: settings, statistics, and what is true.

GET  /             settings
POST /             {"set": {...}, "reset": true, "restore": true} -> settings; each part may be left out
GET  /statistics   what was counted
GET  /videos/ID    what is true of a video
GET  /media/ID     the bytes that a download of it gives
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import ValidationError, to_builtins

from replica.messages import Answer, Request, json_answer
from replica.videos import content, video

if TYPE_CHECKING:
    from replica.world import World

HOST = "control.replica"


def answer(request: Request, world: World) -> Answer:
    """Answer for the replica itself."""
    if request.method == "POST":
        return _change(request, world)
    if request.path == "/statistics":
        return json_answer(world.statistics())
    if request.path.startswith(("/videos/", "/media/")):
        found = video(request.path.rpartition("/")[2], world)
        if found is None:
            return Answer(status=404)
        if request.path.startswith("/videos/"):
            return json_answer(to_builtins(found))
        return Answer(content(found, world), found.clip(world).content_type)
    return json_answer(to_builtins(world.settings))


def _change(request: Request, world: World) -> Answer:
    wanted = request.json()
    if wanted.get("restore"):
        world.restore()
    try:
        world.change(wanted.get("set", {}))
    except ValidationError as error:
        return json_answer({"error": str(error)}, 400)
    if wanted.get("reset"):
        world.reset()
    return json_answer(to_builtins(world.settings))
