# SPDX-License-Identifier: Apache-2.0
"""Rows for `speechmill crawl search`: what a look at a platform found, before anything is fetched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from speechmill.core.remote import LICENCE_STATES, CaptionTrack, Description

UNKNOWN = "-"
MAX_LANGUAGES = 4  # shown of each kind of captions


class Row(NamedTuple):
    """One item as a table shows it."""

    id: str
    title: str
    channel: str
    duration: str  # h:mm:ss
    licence: str  # state
    captions: str  # languages by hand; then automatic ones
    language: str


class Hours(NamedTuple):
    """What there is of one licence state."""

    state: str
    items: int
    hours: float  # of items whose length is stated


def rows(described: Iterable[Description]) -> list[Row]:
    """Return a row for each item, in the order that the platform gives."""
    return [
        Row(
            id=item.id,
            title=item.title,
            channel=item.author or item.channel_handle or item.channel_id or UNKNOWN,
            duration="live" if item.live else clock(item.duration),
            licence=item.rights.state,
            captions=captions(item.tracks),
            language=item.language or UNKNOWN,
        )
        for item in described
    ]


def hours_by_licence(described: Sequence[Description]) -> list[Hours]:
    """Return items and hours of each licence state that there is, in the order of LICENCE_STATES."""
    found: dict[str, list[float]] = {}
    for item in described:
        found.setdefault(item.rights.state, []).append((item.duration or 0.0) / 3600)
    known = [state for state in LICENCE_STATES if state in found]
    states = (*known, *sorted(found.keys() - set(known)))
    return [Hours(state, len(found[state]), sum(found[state])) for state in states]


def captions(tracks: Sequence[CaptionTrack]) -> str:
    """Say which captions there are: those by hand, then a recogniser's.

    >>> captions([CaptionTrack("vi", "manual"), CaptionTrack("en", "manual"), CaptionTrack("vi", "automatic")])
    'en, vi; automatic: vi'
    """
    by_hand = _languages(track.language for track in tracks if track.kind == "manual")
    automatic = _languages(track.language for track in tracks if track.kind == "automatic")
    return "; ".join(part for part in (by_hand, automatic and f"automatic: {automatic}") if part) or UNKNOWN


def clock(seconds: float | None) -> str:
    """Write seconds as h:mm:ss.

    >>> clock(3725.6), clock(59.0), clock(None)
    ('1:02:06', '0:00:59', '-')
    """
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _languages(languages: Iterable[str]) -> str:
    found = sorted(set(languages))
    more = [f"and {len(found) - MAX_LANGUAGES} more"] if len(found) > MAX_LANGUAGES else []
    return ", ".join([*found[:MAX_LANGUAGES], *more])
