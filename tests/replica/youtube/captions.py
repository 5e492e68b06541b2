# SPDX-License-Identifier: Apache-2.0
"""Captions as YouTube writes them: a person's cues, or automatic ones that roll and time each word."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from replica.media import Cue
from replica.messages import Answer, text_answer


def captions_answer(cues: Sequence[Cue], language: str, form: str, *, automatic: bool) -> Answer:
    """Answer with captions in a format: json3, vtt, or YouTube's first XML for what else is asked."""
    if form == "json3":
        events = _rolling_events(cues) if automatic else [_event(cue) for cue in cues]
        value = {"wireMagic": "pb3", "pens": [{}], "wsWinStyles": [{}], "wpWinPositions": [{}], "events": events}
        return Answer(json.dumps(value, ensure_ascii=False).encode(), "application/json; charset=UTF-8")
    if form == "vtt":
        blocks = _rolling_blocks(cues) if automatic else [f"{_times(cue)}\n{cue.text}" for cue in cues]
        head = f"WEBVTT\nKind: captions\nLanguage: {language}\n\n"
        return text_answer(head + "\n\n".join(blocks) + "\n\n", "text/vtt; charset=UTF-8")
    lines = (f'<text start="{cue.start:.3f}" dur="{cue.duration:.3f}">{escape(cue.text)}</text>' for cue in cues)
    return text_answer(f'<?xml version="1.0" encoding="utf-8" ?><transcript>{"".join(lines)}</transcript>', "text/xml")


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


def _event(cue: Cue) -> dict[str, Any]:
    return {"tStartMs": _ms(cue.start), "dDurationMs": _ms(cue.duration), "segs": [{"utf8": cue.text}]}


def _word_starts(cue: Cue) -> list[tuple[float, str]]:
    """Return the words of a cue with their starts in seconds after the cue's."""
    words = cue.text.split()
    return [(i * cue.duration / len(words), word) for i, word in enumerate(words)]


def _rolling_events(cues: Sequence[Cue]) -> list[dict[str, Any]]:
    end = max((cue.start + cue.duration for cue in cues), default=0.0)
    window = {"tStartMs": 0, "dDurationMs": _ms(end), "id": 1, "wpWinPosId": 1, "wsWinStyleId": 1}
    events: list[dict[str, Any]] = [window]
    for index, cue in enumerate(cues):
        if index:
            line = {"tStartMs": _ms(cue.start), "dDurationMs": _ms(cue.duration), "wWinId": 1, "aAppend": 1}
            events.append({**line, "segs": [{"utf8": "\n"}]})
        segments = [
            {"utf8": f" {word}" if start else word, **({"tOffsetMs": _ms(start)} if start else {}), "acAsrConf": 0}
            for start, word in _word_starts(cue)
        ]
        # A line stays while the next one is said.
        shown = cue.duration + (cues[index + 1].duration if index + 1 < len(cues) else 0.0)
        events.append({"tStartMs": _ms(cue.start), "dDurationMs": _ms(shown), "wWinId": 1, "segs": segments})
    return events


def _stamp(seconds: float) -> str:
    ms = _ms(seconds)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"


def _times(cue: Cue) -> str:
    return f"{_stamp(cue.start)} --> {_stamp(cue.start + cue.duration)}"


def _rolling_blocks(cues: Sequence[Cue]) -> list[str]:
    """Write two lines at a time: the one before, and the one that is said, with the time of each word."""
    blocks = []
    before = " "
    for cue in cues:
        end = cue.start + cue.duration - 0.01
        words = "".join(
            f"<{_stamp(cue.start + start)}><c> {word}</c>" if start else word for start, word in _word_starts(cue)
        )
        place = "align:start position:0%"
        blocks.append(f"{_stamp(cue.start)} --> {_stamp(end)} {place}\n{before}\n{words}")
        blocks.append(f"{_stamp(end)} --> {_stamp(cue.start + cue.duration)} {place}\n{cue.text}\n ")
        before = cue.text
    return blocks
