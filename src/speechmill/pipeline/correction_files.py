# SPDX-License-Identifier: Apache-2.0
"""Files that people correct a corpus in: TextGrid, EAF and CSV, read as what they say of stretches of time.

In a TextGrid or EAF a tier is one speaker's utterances, named by the speaker; `words`, `Ann - words` or `words (Ann)`
time the words, and tiers of phones the phones. A CSV has one utterance or one word a line. Nothing is compared here.
"""

from __future__ import annotations

import bisect
import csv
import fnmatch
import io
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
_MAX = (1e8, 9999)  # of a time in seconds, of a channel
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
    words, phones = _Sorted(tiers.words), _Sorted(tiers.phones)
    taken: set[int] = set()
    for one in tiers.utterances:
        mine = words.inside(one.start, one.end)
        taken.update(mine)
        inside = tuple(tiers.words[i] for i in mine)
        said = tuple(tiers.phones[i] for i in phones.inside(one.start, one.end))
        yield Said(one.start, one.end, one.symbol, speaker, None, inside, said)
    loose = [word for i, word in enumerate(tiers.words) if i not in taken]
    if loose:
        yield Said(loose[0].start, loose[-1].end, None, speaker, None, tuple(loose), tuple(tiers.phones))


class _Sorted:
    """Finds what lies in a stretch without looking at all there is."""

    def __init__(self, symbols: Sequence[Word]) -> None:
        middles = [one.start + one.duration / 2 for one in symbols]
        self._order = sorted(range(len(middles)), key=middles.__getitem__)
        self._middles = [middles[i] for i in self._order]

    def inside(self, start: float, end: float) -> list[int]:
        """Return the indices of those whose middle lies in a stretch, in their own order."""
        first, last = bisect.bisect_left(self._middles, start), bisect.bisect_left(self._middles, end)
        return sorted(self._order[first:last])


def _from_table(path: Path) -> list[Said]:
    """Read a CSV with a header; a tab in it makes it a table of tabs. Raises FormatError with the line."""
    text = read_text(path)
    delimiter = "\t" if "\t" in text.split("\n", 1)[0] else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        columns = [name.strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        cells = [(reader.line_num, {k: (v or "").strip() for k, v in row.items() if k}) for row in reader]
    except csv.Error as error:  # a field of more than 131,072 letters, which is a quote that was never closed
        raise FormatError(f"{path}:{reader.line_num + 1}: {error}") from error
    unknown = sorted(set(columns) - set(COLUMNS))
    if unknown or ("segment" not in columns and "start" not in columns):
        what = f"unknown columns {', '.join(unknown)}" if unknown else "neither a column segment nor start"
        raise FormatError(f"{path}:1: {what}; there are {', '.join(COLUMNS)}")
    rows = [_row(path, line, row) for line, row in cells]
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
    if not 0 <= value <= _MAX[name == "channel"]:
        raise FormatError(f"{path}:{line}: {name} is {value:g}")
    return value


def _with_words(rows: Sequence[Said], words: Sequence[Said]) -> list[Said]:
    """Put words into the utterance around them; those that lie in none are left as a row for each recording."""
    found = []
    groups: dict[tuple[str, str], list[int]] = {}
    for i, one in enumerate(words):
        groups.setdefault(_home(one), []).append(i)
    places = {home: _Sorted([words[i].words[0] for i in mine]) for home, mine in groups.items()}
    taken: set[int] = set()
    for row in rows:
        mine = groups.get(_home(row), [])
        if mine and not row.segment:
            mine = [mine[i] for i in places[_home(row)].inside(row.start, row.end)]
        mine = [i for i in mine if i not in taken]
        taken.update(mine)
        found.append(structs.replace(row, words=tuple(word for i in mine for word in words[i].words)))
    rest = [one for i, one in enumerate(words) if i not in taken]
    loose: dict[tuple[str, str, str | None, int | None], list[Said]] = {}
    for one in rest:
        loose.setdefault((one.recording, one.segment, one.speaker, one.channel), []).append(one)
    for group in loose.values():
        timed = tuple(sorted((word for one in group for word in one.words), key=lambda word: word.start))
        found.append(structs.replace(group[0], start=timed[0].start, end=timed[-1].end, words=timed, text=None))
    return found


def _home(one: Said) -> tuple[str, str]:
    """Name what words and utterances that belong together share: a segment, or else a recording."""
    return (one.segment, "") if one.segment else ("", one.recording)
