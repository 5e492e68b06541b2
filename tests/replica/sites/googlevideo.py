# SPDX-License-Identifier: Apache-2.0
"""*.googlevideo.com: the media of YouTube's videos, and the list of a stream that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from replica.messages import Answer, Request, file_answer, text_answer
from replica.videos import content, video

if TYPE_CHECKING:
    from replica.world import World

HOSTS = ("*.googlevideo.com",)
STREAM = """#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:5
#EXT-X-MEDIA-SEQUENCE:1
#EXTINF:5.0,
https://rr1---sn-replica.googlevideo.com/segment/itag/91/1.ts
"""
FORBIDDEN = Answer(status=403)


def answer(request: Request, world: World) -> Answer:
    if request.path.startswith("/api/manifest/"):
        return text_answer(STREAM, "application/vnd.apple.mpegurl")
    if request.path != "/videoplayback":
        return Answer(status=404)
    name = request.query.get("id", "")
    made = video(name, world)
    world.videos[name]["media"] += 1
    if made is None:
        return FORBIDDEN
    whole = content(made, world)
    good = file_answer(request, whole, made.clip(world).content_type)
    if made.fault not in ("media-403", "truncated", "shortened", "slow") or not world.fails(f"{made.fault}/{name}"):
        return good
    broken = {
        "media-403": FORBIDDEN,
        "truncated": replace(good, truncate=len(good.body) // 2),
        "shortened": file_answer(request, whole[: len(whole) // 2], good.content_type),
        "slow": replace(good, bytes_per_s=world.settings.slow_bytes_per_s),
    }
    return broken[made.fault]
