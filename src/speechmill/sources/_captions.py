# SPDX-License-Identifier: Apache-2.0
"""Captions of open platforms as WebVTT: SubRip, WebVTT, and the JSON of podcasts.

Cues are not judged here: what is broken in a file is found, and said, where it is read as a transcript.
"""

from __future__ import annotations

import codecs
import html
import logging
import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from speechmill.core.errors import FetchError
from speechmill.core.remote import Caption, CaptionTrack
from speechmill.sources import _answers
from speechmill.sources._languages import serves

MAX_BYTES = 8 << 20  # 100 hours of speech as WebVTT
_log = logging.getLogger(__name__)
_UNSAID = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_ARROW = re.compile(r"^[ \t]*[\d:]+[,.]?\d*[ \t]*-->.*$", re.MULTILINE)


def asked_for(tracks: Iterable[CaptionTrack], languages: Sequence[str], kinds: Sequence[str]) -> list[CaptionTrack]:
    """Return the tracks in these languages (all where none are named) and of these kinds, each once.

    "en" asks for "en-US" as well.
    """
    chosen: list[CaptionTrack] = []
    for track in tracks:
        fits = not languages or any(serves(language, track.language) for language in languages)
        if fits and track.kind in kinds and track not in chosen:
            chosen.append(track)
    return chosen


def gather(tracks: Iterable[CaptionTrack], fetch: Callable[[CaptionTrack], bytes | None]) -> list[Caption]:
    """Fetch tracks one after the other, as WebVTT; what is gone or no captions is left out with a warning.

    The recording is worth having without them; a refusal that may pass (rate, net) is the caller's.
    """
    found = []
    for track in tracks:
        try:
            content = fetch(track)
        except FetchError as error:
            if error.kind != "permanent":
                raise
            _log.warning("captions in %s are left out: %s", track.language, error)
            continue
        if content is None:
            _log.warning("captions in %s are left out: neither SubRip, WebVTT nor JSON", track.language)
        else:
            found.append(Caption(track.language, track.kind, content))
    return found


def as_webvtt(content: bytes) -> bytes | None:
    r"""Return captions of either kind as WebVTT in UTF-8; None for what is neither.

    >>> as_webvtt(b"1\r\n00:00:01,000 --> 00:00:02,500\r\nHello\r\n")
    b'WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.500\nHello\n'
    """
    text = _decoded(content)
    if text is None:
        return None
    if text.startswith("WEBVTT"):
        return text.encode()
    if text.lstrip().startswith("{"):
        return _of_podcast(text)
    if _ARROW.search(text) is None:
        return None
    return f"WEBVTT\n\n{_ARROW.sub(lambda line: line.group().replace(',', '.'), text.lstrip())}".encode()


def _decoded(content: bytes) -> str | None:
    mark = next((mark for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) if content.startswith(mark)), None)
    try:
        text = content.decode("utf-16" if mark else "utf-8-sig")
    except UnicodeDecodeError:
        return None  # another code page would be a guess
    return printable(text.replace("\r\n", "\n").replace("\r", "\n"))


def _of_podcast(text: str) -> bytes | None:
    """Read the JSON of the podcast namespace; a segment without end lasts to the next."""
    try:
        segments = _answers.entries(_answers.mapping(msgspec.json.decode(text)).get("segments"))
    except (msgspec.DecodeError, RecursionError):
        return None
    spoken = []
    for segment in segments:
        start, body = _answers.number(segment.get("startTime")), _answers.text(segment.get("body"))
        if start is not None and body is not None:
            spoken.append((start, _answers.number(segment.get("endTime")), _answers.text(segment.get("speaker")), body))
    nexts = [start for start, *_ in spoken[1:]]
    cues = [
        f"{times(start, max(start, after if end is None else end))}\n{_voice(speaker)}{_escaped(body)}\n"
        for (start, end, speaker, body), after in zip(
            spoken, [*nexts, *(start + 5 for start, *_ in spoken[-1:])], strict=True
        )
    ]
    return "\n".join(["WEBVTT\n", *cues]).encode() if cues else None


def _voice(speaker: str | None) -> str:
    return f"<v {_escaped(speaker)}>" if speaker else ""


def _escaped(body: str) -> str:
    return html.escape(body, quote=False).replace("--", "-&#45;")  # no arrow inside a cue


def printable(text: str) -> str:
    """Leave out what no caption says: control characters, half characters, changes of direction."""
    return _UNSAID.sub("", text)


def times(start: float, end: float) -> str:
    """Write the times of a cue, in seconds, as WebVTT has them."""
    return f"{clock(round(start * 1000))} --> {clock(round(end * 1000))}"


def clock(total_ms: int) -> str:
    """Write a moment as WebVTT has it."""
    seconds, ms = divmod(max(0, total_ms), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"
