# SPDX-License-Identifier: Apache-2.0
"""The published fault schedule: twelve classes of faults, four egresses, and what a good crawler gets of it.

`world(seed)` are the settings that a replica is started with; `videos(seed)` says of each listed video what it is.
Obtainable: neither its fault nor its licence stands in the way; transient faults heal after one try. What is not
obtainable and says why for good must be asked once, and never again.
"""

from __future__ import annotations

import random
from typing import Any, Literal

from msgspec import Struct

from replica.faults import BY_NAME
from replica.settings import Settings
from replica.videos import channel_videos

# Share of all listed videos. 6 % never come, 18 % come at another try.
SHARES = {
    "private": 0.01,
    "deleted": 0.01,
    "members": 0.01,
    "age": 0.01,
    "drm": 0.01,
    "geo": 0.01,
    "try-later": 0.03,
    "licence-lost": 0.03,
    "server-error": 0.03,
    "bad-json": 0.03,
    "dropped": 0.03,
    "truncated": 0.03,
}
EGRESSES: dict[str, dict[str, Any]] = {
    "0": {},  # healthy
    "1": {"dead": True},
    "2": {"ban_after": 30},  # requests
    "3": {"rate": 20, "window_s": 10.0},
}
CHANNELS, VIDEOS_PER_CHANNEL = 8, 250

Outcome = Literal["obtainable", "permanent", "geo", "unlicensed"]


class Planned(Struct, frozen=True):
    """One video of the schedule."""

    id: str
    channel: int
    fault: str | None
    licensed: bool  # cc-by
    outcome: Outcome  # of the first thing that stands in its way, if any


def world(seed: int, channels: int = CHANNELS) -> dict[str, Any]:
    """Return settings for `Replica.start(ports=4, **world(seed))`."""
    return {
        "channels": channels,
        "videos_per_channel": VIDEOS_PER_CHANNEL,
        "search_results": channels * VIDEOS_PER_CHANNEL,
        "faults": SHARES,
        "seed": seed,
        "fault_times": 1,
        "egress": EGRESSES,
    }


def videos(seed: int, channels: int = CHANNELS) -> list[Planned]:
    """Return every video that the channels list, in an order that depends on the seed."""
    settings = Settings(channels=channels, videos_per_channel=VIDEOS_PER_CHANNEL, faults=SHARES, seed=seed)
    names = [(channel, name) for channel in range(channels) for name in channel_videos(channel, "videos", settings)]
    random.Random(seed).shuffle(names)
    return [_planned(channel, name) for channel, name in names]


def _planned(channel: int, name: str) -> Planned:
    fault = next((fault for fault in map(BY_NAME.get, SHARES) if fault and fault.prefix == name[0]), None)
    licensed = int(name[1:]) % 2 == 0  # as videos.video has it
    outcome: Outcome = "obtainable" if licensed else "unlicensed"
    if fault and fault.permanent:
        outcome = "geo" if fault.name == "geo" else "permanent"
    return Planned(name, channel, fault.name if fault else None, licensed, outcome)
