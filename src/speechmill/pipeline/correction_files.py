# SPDX-License-Identifier: Apache-2.0
"""Files that people correct a corpus in: TextGrid, EAF and CSV, read as what they say of stretches of time.

In a TextGrid or EAF a tier is one speaker's utterances, named by the speaker; `words`, `Ann - words` or `words (Ann)`
time the words, and tiers of phones the phones. A CSV has one utterance or one word a line. Nothing is compared here.
"""

from __future__ import annotations

import csv
import fnmatch
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, structs

from speechmill.core.errors import ConfigError, FormatError
from speechmill.core.types import Word
from speechmill.formats import eaf, textgrid
from speechmill.formats.encoding import read_text

COLUMNS = ("segment", "recording", "start", "end", "duration", "channel", "text", "speaker", "word")

_KIND = re.compile(
    r"(?:(?P<before>.+?)\s+-\s+)?"
    r"(?P<kind>words?|phones?|phonemes?|utterances?|transcripts?|transcriptions?|sentences?|segments?|text)"
    r"(?:\s+\((?P<after>.+)\))?",
    re.IGNORECASE,
)
_OURS = re.compile(r"(?:.+\s+-\s+)?(?:confidence|syllables?)(?:\s+\(.+\))?", re.IGNORECASE)  # what aligners add
_SILENCES = frozenset(("", "sp", "sil", "<sil>", "<eps>"))
_NOBODY = frozenset(("", "unknown"))  # the TextGrid exporter's name of a speaker that nobody knows


class Said(Struct, frozen=True):
    """What a file says of a stretch: an utterance; or words that lie in none, and belong to whatever is there."""

    start: float
    end: float
    text: str | None = None
    speaker: str | None = None
    channel: int | None = None
    words: tuple[Word, ...] = ()
    phones: tuple[Word, ...] = ()
    recording: str = ""  # as the file names it; "": the file's own name tells
    segment: str = ""  # id of a segment; start and end are then its
    line: int = 0


class _Tiers(Struct):
    """One speaker's."""

    utterances: list[Word] = []
    words: list[Word] = []
    phones: list[Word] = []


def read(path: Path, tier: str | None = None) -> tuple[list[Said], tuple[str, ...]]:
    """Read a file; also return the names of media it says it is of.

    tier: glob of the utterance tiers to use; None: all that aren't words or phones.
    Raises FormatError, ConfigError for another kind of file or a tier that isn't there.
    """
    match path.suffix.lower():
        case ".textgrid":
            grid = textgrid.read(path)
            return _from_tiers(path, [t for t in grid.tiers if isinstance(t, textgrid.IntervalTier)], tier), ()
        case ".eaf":
            document = eaf.read(path)
            return _from_tiers(path, [_named(one) for one in document.tiers], tier), document.media
        case ".csv" | ".tsv":
            return _from_table(path), ()
    raise ConfigError(f"{path}: corrections are read from .TextGrid, .eaf, .csv and .tsv")


def _named(one: eaf.Tier) -> textgrid.IntervalTier:
    """Name an EAF's tier as a TextGrid's would be: by its participant, where it has one."""
    match = _KIND.fullmatch(one.name.strip())
    if one.participant and match is None:
        return textgrid.IntervalTier(one.participant, one.annotations)
    if one.participant and match is not None and not (match["before"] or match["after"]):
        return textgrid.IntervalTier(f"{one.participant} - {one.name.strip()}", one.annotations)
    return textgrid.IntervalTier(one.name, one.annotations)


def _from_tiers(path: Path, tiers: Sequence[textgrid.IntervalTier], pattern: str | None) -> list[Said]:
    speakers: dict[str | None, _Tiers] = {}
    matched = False
    for tier in tiers:
        name = tier.name.strip()
        match = _KIND.fullmatch(name)
        kind = match["kind"][0].lower() if match else "u"
        if kind not in "wp" and (_OURS.fullmatch(name) or (pattern and not fnmatch.fnmatchcase(name, pattern))):
            continue
        speaker = (match["before"] or match["after"]) if match else name
        mine = speakers.setdefault(None if speaker in _NOBODY else speaker, _Tiers([], [], []))
        rows = [one for one in tier.intervals if kind not in "wp" or one.symbol.strip() not in _SILENCES]
        {"w": mine.words, "p": mine.phones}.get(kind, mine.utterances).extend(rows)
        matched |= kind not in "wp"
    if pattern and not matched:
        raise ConfigError(f"{path}: no tier matches {pattern!r}; there are: {', '.join(t.name for t in tiers)}")
    return [said for speaker, mine in speakers.items() for said in _of_speaker(speaker, mine)]


def _of_speaker(speaker: str | None, tiers: _Tiers) -> Iterator[Said]:
    """Yield a speaker's utterances with the words and phones in them, then the words that lie in none."""
    loose = list(tiers.words)
    for one in tiers.utterances:
        words = _inside(tiers.words, one.start, one.end)
        loose = [word for word in loose if word not in words]
        yield Said(one.start, one.end, one.symbol, speaker, None, words, _inside(tiers.phones, one.start, one.end))
    if loose:
        yield Said(loose[0].start, loose[-1].end, None, speaker, None, tuple(loose), tuple(tiers.phones))


def _inside(symbols: Sequence[Word], start: float, end: float) -> tuple[Word, ...]:
    return tuple(one for one in symbols if start <= one.start + one.duration / 2 < end)


def _from_table(path: Path) -> list[Said]:
    """Read a CSV with a header; a tab in it makes it a table of tabs. Raises FormatError with the line."""
    text = read_text(path)
    delimiter = "\t" if "\t" in text.split("\n", 1)[0] else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns = [name.strip().lower() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    unknown = sorted(set(columns) - set(COLUMNS))
    if unknown or ("segment" not in columns and "start" not in columns):
        what = f"unknown columns {', '.join(unknown)}" if unknown else "neither a column segment nor start"
        raise FormatError(f"{path}:1: {what}; there are {', '.join(COLUMNS)}")
    rows = [_row(path, reader.line_num, {k: (v or "").strip() for k, v in row.items() if k}) for row in reader]
    return _with_words([said for said in rows if not said.words], [said for said in rows if said.words])


def _row(path: Path, line: int, cells: Mapping[str, str]) -> Said:
    segment, word = cells.get("segment", ""), cells.get("word", "")
    start = end = 0.0
    if word or not segment:
        start = _number(path, line, cells, "start")
        end = start + _number(path, line, cells, "duration") if cells.get("duration") else 0.0
        end = end or _number(path, line, cells, "end")
        if end <= start:
            raise FormatError(f"{path}:{line}: it ends at {end:g} s, and starts at {start:g} s")
    channel = int(_number(path, line, cells, "channel")) if cells.get("channel") else None
    return Said(
        start,
        end,
        cells.get("text") or None,
        cells.get("speaker") or None,
        channel,
        (Word(word, start, end - start),) if word else (),
        recording=cells.get("recording", ""),
        segment=segment,
        line=line,
    )


def _number(path: Path, line: int, cells: Mapping[str, str], name: str) -> float:
    try:
        value = float(cells.get(name, ""))
    except ValueError:
        raise FormatError(f"{path}:{line}: {name} is {cells.get(name, '')!r}, not a number of seconds") from None
    if not math.isfinite(value) or value < 0:
        raise FormatError(f"{path}:{line}: {name} is {value:g}")
    return value


def _with_words(rows: Sequence[Said], words: Sequence[Said]) -> list[Said]:
    """Put words into the utterance around them; those that lie in none are left as a row for each recording."""
    found = []
    rest = list(words)
    for row in rows:
        mine = [one for one in rest if _belongs(one, row)]
        rest = [one for one in rest if one not in mine]
        found.append(structs.replace(row, words=tuple(word for one in mine for word in one.words)))
    loose: dict[tuple[str, str, str | None, int | None], list[Said]] = {}
    for one in rest:
        loose.setdefault((one.recording, one.segment, one.speaker, one.channel), []).append(one)
    for group in loose.values():
        timed = tuple(sorted((word for one in group for word in one.words), key=lambda word: word.start))
        found.append(structs.replace(group[0], start=timed[0].start, end=timed[-1].end, words=timed, text=None))
    return found


def _belongs(word: Said, row: Said) -> bool:
    if word.segment or row.segment:
        return word.segment == row.segment
    return word.recording == row.recording and bool(_inside(word.words, row.start, row.end))
