# SPDX-License-Identifier: Apache-2.0
"""Segments as subtitles that can be read: at most two lines of 42 characters, for at most 7 seconds.

The limits are those of Netflix's "Timed Text Style Guide"; a letter of the width of a Chinese one counts as two. A
segment is cut where a word begins, and each part has the times of its words; the text stays as it was, to the letter.
Where words have no times a segment is one cue, of as many lines as it takes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.core.timebase import milliseconds
from speechmill.core.types import Segment, Utterance, Word
from speechmill.exporters import About, Shard, Written
from speechmill.exporters._per_recording import place
from speechmill.formats.captions import write


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """How much stands on the screen at once."""

    max_chars: int = 42  # of a line; a longer word has a line of its own
    max_lines: int = 2
    max_s: float = 7.0  # seconds; a longer word stays whole
    max_pause_s: float = 1.0  # seconds between two words; a longer one ends the cue


class Piece(Struct, frozen=True):
    """A word as the text has it, with what stands around it up to the next, and its times."""

    text: str
    start: float
    end: float


class Subtitles:
    """Writes `<split>/<recording><suffix>`."""

    suffix = ""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def shard(self, shard: Shard, folder: Path) -> None:
        """Write the recordings of a shard; cues are ordered by time, whatever their channel."""
        for recording, segments in shard.rows():
            found = [cue for segment in segments for cue in cues(segment, self._config)]
            in_order = sorted(found, key=lambda cue: (cue.start or 0.0, cue.duration or 0.0, cue.speaker or ""))
            write(place(folder, shard, recording, self.suffix), in_order, keep_lines=True, durable=False)

    def index(self, shards: Sequence[Written], about: About, folder: Path) -> None:
        """Add nothing: each file stands alone."""


def cues(segment: Segment, config: Config) -> Iterator[Utterance]:
    """Yield the cues of a segment; none where it has no text."""
    for group in _groups(pieces(segment), config):
        start, end = milliseconds(group[0].start), milliseconds(group[-1].end)
        text = "\n".join(lines("".join(piece.text for piece in group), config))
        yield Utterance(text, start / 1000, max(1, end - start) / 1000, speaker=segment.speaker)


def pieces(segment: Segment) -> list[Piece]:
    """Part a segment's text at its words; a word that is not found in it shares the piece of the one before."""
    text = segment.text or ""
    if not text.strip():
        return []
    folded = "".join(_one_lower(letter) for letter in text)
    found: list[tuple[int, Word]] = []
    at = 0
    for word in segment.words:
        place = _place("".join(_one_lower(letter) for letter in word.symbol), folded, at)
        if place is not None:
            at = place + len(word.symbol)
            found.append((place, word))
    if not found:
        return [Piece(text, segment.start, segment.end)]
    bounds = [0, *(_with_opening(text, place) for place, _ in found[1:]), len(text)]
    ends = _ends([word for _, word in found], segment)
    return [
        Piece(text[bounds[i] : bounds[i + 1]], word.start, end)
        for i, ((_, word), end) in enumerate(zip(found, ends, strict=True))
    ]


def _one_lower(letter: str) -> str:
    """Fold a letter's case, where that leaves one letter: places in the text must stay."""
    lower = letter.lower()
    return lower if len(lower) == 1 else letter


def _place(word: str, text: str, at: int) -> int | None:
    """Find a word at or behind a place; None where it isn't near: farther on it is another of that name."""
    place = text.find(word, at, at + 40 + 2 * len(word)) if word else -1
    while place > at and text[place - 1].isalnum():  # the end of a longer word
        place = text.find(word, place + 1, at + 40 + 2 * len(word))
    return None if place < 0 else place


def _with_opening(text: str, place: int) -> int:
    """Step back over quotes and brackets that open before a word."""
    while place > 0 and unicodedata.category(text[place - 1]) in ("Ps", "Pi", "Po") and not text[place - 1].isspace():
        if text[place - 1] in ",.;:!?…，。；：！？、%" or (place > 1 and text[place - 2].isalnum()):
            break
        place -= 1
    return place


def _ends(words: Sequence[Word], segment: Segment) -> list[float]:
    """Return when each piece ends: with its last word, found in the text or not."""
    starts = [word.start for word in words[1:]] + [float("inf")]
    ends = []
    for word, following in zip(words, starts, strict=True):
        inside = [other.end for other in segment.words if word.start <= other.start < following]
        ends.append(min(max([word.end, *inside]), following))
    return ends


def _groups(found: Iterable[Piece], config: Config) -> Iterator[list[Piece]]:
    """Join pieces as long as they fit on the screen."""
    group: list[Piece] = []
    for piece in found:
        if group and not _fits([*group, piece], config):
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def _fits(group: Sequence[Piece], config: Config) -> bool:
    if group[-1].end - group[0].start > config.max_s or group[-1].start - group[-2].end > config.max_pause_s:
        return False
    return len(_wrapped([piece.text for piece in group], config.max_chars)) <= config.max_lines


def lines(text: str, config: Config) -> list[str]:
    """Break a text into lines that fit, of lengths as even as their number allows."""
    parts = _parts(text)
    widest = max(config.max_chars, 1)
    fewest = len(_wrapped(parts, widest))
    low, high = 1, widest  # the narrowest screen that takes no more lines than the widest
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(_wrapped(parts, middle)) <= fewest else (middle + 1, high)
    return _wrapped(parts, low)


def _parts(text: str) -> list[str]:
    """Part a text where a line may break: behind blanks, and between letters as wide as Chinese ones."""
    parts: list[str] = []
    for letter in " ".join(text.split()):
        joins = parts and not parts[-1].endswith(" ") and not (_width(letter) == 2 and letter.isalnum())
        if joins:
            parts[-1] += letter
        else:
            parts.append(letter)
    return parts


def _wrapped(parts: Sequence[str], max_chars: int) -> list[str]:
    """Fill lines one after the other; a part that is wider than a line has one of its own."""
    found: list[str] = []
    line, width = "", 0
    for part in parts:
        folded = " ".join(part.split()) + (" " if part[-1:].isspace() else "")
        wide = _width(folded.rstrip())
        if line and width + wide > max_chars:
            found.append(line.strip())
            line, width = "", 0
        line, width = line + folded, width + _width(folded)
    return [*found, line.strip()] if line.strip() else found


def _width(text: str) -> int:
    marks = sum(unicodedata.combining(letter) > 0 for letter in text)
    return len(text) + sum(unicodedata.east_asian_width(letter) in "WF" for letter in text) - marks
