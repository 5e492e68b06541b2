# SPDX-License-Identifier: Apache-2.0
"""YouTube's captions (json3: events with pieces and times in milliseconds) as WebVTT.

Automatic captions become cues with the time of each word inside, one for a line; the empty events that make lines roll
on the screen are left out. What people wrote becomes a cue for an event, lines kept. Nothing is taken out of the text
itself: notes such as [Music] are the rules' business (speechmill.transcripts.captions).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from speechmill.core.errors import FetchError
from speechmill.sources._captions import clock, printable

_NOTES = re.compile(r"\[[^\]]*\]|\([^)]*\)|[♩-♯🎵🎶]|>>")


class _Event(Struct, frozen=True):
    start_ms: int
    end_ms: int
    pieces: tuple[tuple[int, str], ...]  # start in ms, text


def as_vtt(content: bytes, kind: str) -> bytes | None:
    """Return json3 as WebVTT; None where nothing is said in it: no text, or notes of sounds alone.

    Raises FetchError "incomplete" where it is not json3. YouTube's empty answers are for clients that it mistrusts.
    """
    events = _events(content)
    spoken = (_NOTES.sub("", text).strip() for event in events for _, text in event.pieces)
    if not any(re.search(r"\w", text) for text in spoken):
        return None
    cues = [_rolling(event) for event in _clipped(events)] if kind == "automatic" else [_written(e) for e in events]
    return printable("\n\n".join(["WEBVTT", *(cue for cue in cues if cue)])).encode() + b"\n"


def _events(content: bytes) -> list[_Event]:
    """Return the events that have text, in their order."""
    try:
        found = json.loads(content)
        rows = [row for row in found.get("events", []) if _text(row).strip()]
        starts = [int(row["tStartMs"]) for row in rows]
        ends = [start + int(row.get("dDurationMs") or 0) for start, row in zip(starts, rows, strict=True)]
        pieces = [_pieces(row, start) for start, row in zip(starts, rows, strict=True)]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        reason = "broken-captions" if content.strip() else "empty-captions"
        raise FetchError("incomplete", reason, f"{len(content)} bytes that are not json3") from None
    return [_Event(start, max(start, end), parts) for start, end, parts in zip(starts, ends, pieces, strict=True)]


def _clipped(events: Sequence[_Event]) -> list[_Event]:
    """End each line where the next starts: rolling ones stay on the screen longer than they are said."""
    nexts = [event.start_ms for event in events[1:]]
    return [
        _Event(event.start_ms, max(event.start_ms, min(event.end_ms, following)), event.pieces)
        for event, following in zip(events, [*nexts, events[-1].end_ms], strict=True)
    ]


def _text(row: dict[str, Any]) -> str:
    return "".join(piece.get("utf8", "") for piece in row.get("segs") or ())


def _pieces(row: dict[str, Any], start_ms: int) -> tuple[tuple[int, str], ...]:
    return tuple((start_ms + int(piece.get("tOffsetMs") or 0), piece.get("utf8", "")) for piece in row["segs"])


def _rolling(event: _Event) -> str:
    """Write a line with times before its words; the first word has the cue's where it starts with it."""
    line = ""
    for start_ms, text in event.pieces:
        inside = event.start_ms < start_ms < event.end_ms and text.strip()
        written = _escaped(" ".join(text.split("\n")))
        line += f"<{clock(start_ms)}><c>{written}</c>" if inside else written
    return f"{_times(event)}\n{line.strip()}" if line.strip() else ""


def _written(event: _Event) -> str:
    lines = "".join(text for _, text in event.pieces).splitlines()
    kept = [_escaped(" ".join(line.split())) for line in lines if line.strip()]
    return "\n".join([_times(event), *kept]) if kept else ""


def _escaped(text: str) -> str:
    return html.escape(text.replace("\u200b", ""), quote=False)


def _times(event: _Event) -> str:
    return f"{clock(event.start_ms)} --> {clock(event.end_ms)}"
