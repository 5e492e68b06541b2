# SPDX-License-Identifier: Apache-2.0
"""What YouTube's pages and internal interface say, in the shapes that yt-dlp reads."""

from __future__ import annotations

from typing import Any

from replica.videos import Video


def simple(text: str) -> dict[str, str]:
    return {"simpleText": text}


def runs(text: str, **more: Any) -> dict[str, Any]:
    return {"runs": [{"text": text, **more}]}


def byline(video: Video) -> dict[str, Any]:
    """Name of a video's channel, with where it leads."""
    return runs(
        video.channel_name,
        navigationEndpoint={"browseEndpoint": {"browseId": video.channel_id, "canonicalBaseUrl": f"/{video.handle}"}},
    )


def clock(seconds: float) -> str:
    """Write a duration as pages do: 0:20, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
