# SPDX-License-Identifier: Apache-2.0
r"""Captions: SubRip (.srt) and WebVTT (.vtt), both ways, as utterances.

Reads what W3C's WebVTT describes and what SubRip files in the wild hold: cues without numbers, without blank
lines between them, with blank lines inside them, with `.` for `,`, and `{\an8}` marks. Overlapping cues stay as
they are; `read` merges no rolling captions and drops the times inside cues, `read_rolling` takes captions that roll
apart by them. Regions, styles and cue settings are dropped.
"""

from __future__ import annotations

import html
import html.entities
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from speechmill.core.errors import FormatError
from speechmill.core.files import write_bytes
from speechmill.core.timebase import milliseconds, tick
from speechmill.core.types import Utterance, Word
from speechmill.formats.encoding import read_text

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_ALMOST_TIMES = re.compile(r"\s*\d+:\d\d\S*\s*[-–—]+>?\s*\d+:\d\d")
_INNER_TIME = re.compile(rf"<{_TIME}>")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]+([^<>]*)>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")
_ENTITY = re.compile(r"&(#\d+|#[xX][0-9a-fA-F]+|\w+);", re.ASCII)
_ASIDE = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)(?:\s|$)")  # first lines of blocks that aren't cues


class _Cue(Struct):
    start_ms: int
    end_ms: int
    lines: list[str]


def read(path: Path) -> tuple[Utterance, ...]:
    """Read cues in the file's order; lines of a cue are joined by a space, tags stripped, entities unescaped.

    A cue with two voices becomes two utterances of the same times; cues without text are left out.
    Raises FormatError with the line where times are broken or text stands outside a cue.
    """
    text = read_text(path)
    is_vtt = text.startswith("WEBVTT")
    if path.suffix.lower() == ".vtt" and not is_vtt:
        raise FormatError(f"{path}:1: a WebVTT file starts with WEBVTT")
    utterances = []
    for cue in _cues(path, text, is_vtt):
        for speaker, words in _voices("\n".join(cue.lines)):
            duration = (cue.end_ms - cue.start_ms) / 1000
            utterances.append(Utterance(words, cue.start_ms / 1000, duration, speaker=speaker))
    return tuple(utterances)


def read_rolling(path: Path) -> tuple[Utterance, ...] | None:
    """Read captions that a recogniser made and that roll; None where the file has no times inside its cues.

    YouTube's automatic captions show each line twice, first word by word with times inside the cue, then whole above
    the next. Every line is kept once, with its words; a word lasts to the next, the last to the cue's end.
    Raises FormatError as `read` does.
    """
    text = read_text(path)
    if not (text.startswith("WEBVTT") and _INNER_TIME.search(text)):
        return None
    found: list[Utterance] = []
    for cue in _cues(path, text, is_vtt=True):
        line = next((line for line in reversed(cue.lines) if _plain(_TAG.sub("", line))), "")
        words = _inner_words(path, cue, line)
        whole = " ".join(word.symbol for word in words)
        if words and not (found and found[-1].text == whole and not _INNER_TIME.search(line)):
            start, end = words[0].start, cue.end_ms / 1000
            found.append(Utterance(whole, start, tick(end - start), words=words))
    return tuple(found)


def _inner_words(path: Path, cue: _Cue, line: str) -> tuple[Word, ...]:
    """Return the words of a line with times before them; the first has the cue's."""
    parts = _INNER_TIME.split(line)  # text, then again and again the four parts of a time and text
    times = [cue.start_ms, *(_milliseconds(path, 0, parts[i : i + 4]) for i in range(1, len(parts), 5))]
    pieces = [_plain(_TAG.sub("", piece or "")) for piece in parts[::5]]
    spoken = [(start, piece) for start, piece in zip(times, pieces, strict=True) if piece]
    if not spoken:  # a cue without text
        return ()
    ends = [*(start for start, _ in spoken[1:]), cue.end_ms]
    return tuple(
        Word(piece, start / 1000, tick(max(0, end - start) / 1000))
        for (start, piece), end in zip(spoken, ends, strict=True)
    )


def _blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield runs of lines that aren't blank, each with its first line's number."""
    block: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.strip():
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def _cues(path: Path, text: str, is_vtt: bool) -> list[_Cue]:
    cues: list[_Cue] = []
    for number, lines in _blocks(text):
        first = next((index for index, line in enumerate(lines) if "-->" in line), None)
        aside = is_vtt and _ASIDE.match(lines[0]) is not None
        if aside and (first is None or number > 1):
            continue
        if first is None:
            _continue(path, number, lines, cues, is_vtt)
            continue
        if first > 1 and not aside:
            raise FormatError(f"{path}:{number}: expected a cue's number or times, found {lines[0][:60]!r}")
        for index in range(first, len(lines)):
            if "-->" not in lines[index]:
                cues[-1].lines.append(lines[index])
                continue
            if index > first and lines[index - 1].strip().isdecimal():
                cues[-1].lines.pop()  # the number of this cue, not text of the one before
            cues.append(_cue(path, number + index, lines[index]))
    return cues


def _continue(path: Path, number: int, lines: list[str], cues: list[_Cue], is_vtt: bool) -> None:
    """Give a block without times to the cue before it: people leave blank lines inside cues."""
    numbered = not is_vtt and lines[0].strip().isdecimal()
    if not cues or numbered or _ALMOST_TIMES.match(lines[0]):
        raise FormatError(f"{path}:{number}: a cue without times (00:00:01,000 --> 00:00:02,000): {lines[0][:60]!r}")
    cues[-1].lines.extend(lines)


def _cue(path: Path, number: int, line: str) -> _Cue:
    match = _TIMES.fullmatch(line)
    if match is None:
        raise FormatError(
            f"{path}:{number}: broken times {line.strip()[:60]!r}; expected 00:00:01,000 --> 00:00:02,000"
        )
    start, end = (_milliseconds(path, number, match.groups()[side : side + 4]) for side in (0, 4))
    if end < start:
        raise FormatError(f"{path}:{number}: the cue ends before it starts: {line.strip()[:60]}")
    return _Cue(start, end, [])


def _milliseconds(path: Path, number: int, parts: Sequence[str | None]) -> int:
    hours, minutes, seconds = (int(part or 0) for part in parts[:3])
    if minutes > 59 or seconds > 59:
        raise FormatError(f"{path}:{number}: broken times: {minutes} minutes and {seconds} seconds")
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int((parts[3] or "0").ljust(3, "0"))


def _voices(text: str) -> Iterator[tuple[str | None, str]]:
    """Yield speaker and text of each voice in a cue."""
    before, *spans = _VOICE.split(text)
    pieces: list[tuple[str | None, str]] = [(None, before)]
    for name, spoken in zip(spans[::2], spans[1::2], strict=True):
        inside, _, after = spoken.partition("</v>")
        pieces += [(_plain(name) or None, inside), (None, after)]
    for speaker, piece in pieces:
        if words := _plain(_TAG.sub("", piece)):
            yield speaker, words


def _plain(text: str) -> str:
    return " ".join(_ENTITY.sub(_unescape, text).split())


def _unescape(match: re.Match[str]) -> str:
    name = match.group(1)
    # html.unescape would also take "&notit;" for "¬it;".
    return html.unescape(match.group()) if name[0] == "#" else html.entities.html5.get(name + ";", match.group())


def write(path: Path, utterances: Sequence[Utterance], *, keep_lines: bool = False, durable: bool = True) -> None:
    """Write .vtt (with voices) or .srt (which has no place for a speaker), by the path's suffix.

    keep_lines: a line of a text is a line on the screen; otherwise each text is one line. Utterances without text are
    left out. Raises FormatError where one has no times or the suffix is another. durable: see `core.files.atomic`.
    """
    suffix = path.suffix.lower()
    if suffix not in (".srt", ".vtt"):
        raise FormatError(f"{path}: captions are .srt or .vtt")
    cues = []
    for utterance in utterances:
        lines = (utterance.text or "").split("\n") if keep_lines else [utterance.text or ""]
        text = "\n".join(folded for line in lines if (folded := " ".join(line.split())))
        if not text:
            continue
        if utterance.start is None or utterance.duration is None:
            raise FormatError(f"{path}: {text[:40]!r} has no times and can't be a caption")
        start, end = milliseconds(utterance.start), milliseconds(utterance.start + utterance.duration)
        if suffix == ".vtt":
            voice = f"<v {_folded_name(utterance.speaker)}>" if utterance.speaker else ""
            cues.append(f"{_clock(start, '.')} --> {_clock(end, '.')}\n{voice}{_escape_vtt(text)}\n")
        else:
            cues.append(f"{len(cues) + 1}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{_escape_srt(text)}\n")
    head = ["WEBVTT\n"] if suffix == ".vtt" else []
    write_bytes(path, "\n".join(head + cues).encode(), durable=durable)


def _clock(total_ms: int, point: str) -> str:
    seconds, ms = divmod(total_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{ms:03d}"


def _folded_name(name: str) -> str:
    # With the tag's own ">" a name that ends in "--" would make an arrow.
    return _escape_vtt(" ".join(name.split())).replace("--", "-&#45;")


def _escape_vtt(text: str) -> str:
    return html.escape(text, quote=False).replace("{\\", "&#123;\\")


def _escape_srt(text: str) -> str:
    """Escape only what would be misread: many players show SubRip entities as they stand."""
    text = _ENTITY.sub(r"&amp;\1;", text).replace("-->", "--&gt;").replace("{\\", "&#123;\\")
    return re.sub(r"<(?=[/A-Za-z\d])", "&lt;", text)
