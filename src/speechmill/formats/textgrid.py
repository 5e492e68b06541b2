# SPDX-License-Identifier: Apache-2.0
"""Praat's TextGrid: reads the long and the short text format, writes the long one.

Follows the Praat manual's "TextGrid file formats" and its rule for text files: only free-standing numbers,
quoted strings and <flags> count, the rest is for human readers. So one reader serves both formats.
Not read: the binary and the chronological format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from speechmill.core.errors import FormatError
from speechmill.core.files import write_bytes
from speechmill.core.timebase import tick
from speechmill.core.types import Word
from speechmill.formats.encoding import read_text

_TOKEN = re.compile(r'"[^"]*(?:""[^"]*)*"|![^\n]*|<[^\s<>]*>|[^\s"=!]+|[="]')
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_MAX_S = 1e8  # three years; also of a time that lies before 0
_MAX_DIGITS = 12  # of a number of tiers or intervals
_SLACK = 1e-6  # seconds: boundaries nearer than this are one boundary that floats tore apart


class IntervalTier(Struct, frozen=True):
    """Labelled intervals in order, without overlap. Silence (a label of "") is the gaps between them."""

    name: str
    intervals: tuple[Word, ...] = ()


class Point(Struct, frozen=True):
    """A labelled instant, in seconds."""

    time: float
    label: str


class PointTier(Struct, frozen=True):
    """Labelled instants; Praat's class name for it is TextTier."""

    name: str
    points: tuple[Point, ...] = ()


class KeptTier(Struct, frozen=True):
    """A tier as somebody wrote it, to be written again: every interval, also of "", every number to the last digit."""

    name: str
    lines: tuple[str, ...]  # in the long format


class TextGrid(Struct, frozen=True):
    """Tiers over one stretch of time, in seconds."""

    xmin: float
    xmax: float
    tiers: tuple[IntervalTier | PointTier | KeptTier, ...] = ()


def read(path: Path) -> TextGrid:
    """Read a TextGrid; silence is left out of the tiers.

    xmax is the largest end found, where a sloppy writer let a tier outlast the grid.
    Raises FormatError with the line; EncodingError where the text is neither UTF-8 nor UTF-16 with a mark.
    """
    reader, xmin, xmax = _opened(path)
    tiers: list[IntervalTier | PointTier] = []
    if reader.flag("<exists>") == "<exists>":
        for _ in range(reader.count("the number of tiers")):
            tier, end = _read_tier(reader)
            tiers.append(tier)
            xmax = max(xmax, end)
    reader.end()
    return TextGrid(xmin, xmax, tuple(tiers))


def read_kept(path: Path) -> TextGrid:
    """Read a TextGrid whose tiers are to be written again as they are. Raises as `read` does."""
    reader, xmin, xmax = _opened(path)
    tiers: list[KeptTier] = []
    if reader.flag("<exists>") == "<exists>":
        tiers = [_kept_tier(reader) for _ in range(reader.count("the number of tiers"))]
    reader.end()
    return TextGrid(xmin, xmax, tuple(tiers))


def _kept_tier(reader: _Reader) -> KeptTier:
    kind, name = reader.string("a tier's class"), reader.string("a tier's name")
    times, label = {"IntervalTier": (("xmin", "xmax"), "text"), "TextTier": (("number",), "mark")}.get(kind, ((), ""))
    if not label:
        raise reader.error(f"tier class {kind!r} is neither IntervalTier nor TextTier")
    rows = "intervals" if kind == "IntervalTier" else "points"
    lines = [f"class = {_quoted(kind)}", f"name = {_quoted(name)}"]
    lines += [f"{end} = {reader.written_number(f'a tier {end}')}" for end in ("xmin", "xmax")]
    count = reader.count(f"the number of {rows}")
    lines.append(f"{rows}: size = {count}")
    for number in range(1, count + 1):
        lines.append(f"{rows} [{number}]:")
        lines += [f"    {time} = {reader.written_number(f'{rows} [{number}] {time}')}" for time in times]
        lines.append(f"    {label} = {_quoted(reader.string('a label'))}")
    return KeptTier(name, tuple(lines))


def _opened(path: Path) -> tuple[_Reader, float, float]:
    """Return a reader behind the header, xmin and xmax."""
    _refuse_binary(path)
    reader = _Reader(path, read_text(path))
    if not reader.string("a file type").startswith("ooTextFile"):
        raise reader.error('not a TextGrid: it does not start with File type = "ooTextFile"')
    if (kind := reader.string("an object class")) != "TextGrid":
        raise reader.error(f"holds a Praat {kind}, not a TextGrid")
    xmin, xmax = reader.number("xmin"), reader.number("xmax")
    if xmax < xmin:
        raise reader.error(f"xmax {xmax} lies before xmin {xmin}")
    return reader, xmin, xmax


def _refuse_binary(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(12) == b"ooBinaryFile":
            raise FormatError(f"{path}:1: a binary TextGrid; save it from Praat as a text file")


def _read_tier(reader: _Reader) -> tuple[IntervalTier | PointTier, float]:
    kind, name = reader.string("a tier's class"), reader.string("a tier's name")
    reader.number("a tier's xmin")
    end = reader.number("a tier's xmax")
    if kind == "IntervalTier":
        intervals = tuple(_read_intervals(reader))
        if intervals and intervals[-1].end > end + _SLACK:
            end = intervals[-1].end
        return IntervalTier(name, tuple(word for word in intervals if word.symbol)), end
    if kind == "TextTier":
        points = tuple(
            Point(reader.number("a point's time"), reader.string("a point's mark"))
            for _ in range(reader.count("the number of points"))
        )
        return PointTier(name, points), end
    raise reader.error(f"tier class {kind!r} is neither IntervalTier nor TextTier")


def _read_intervals(reader: _Reader) -> Iterator[Word]:
    last = float("-inf")
    for _ in range(reader.count("the number of intervals")):
        start, end = reader.number("an interval's xmin"), reader.number("an interval's xmax")
        if end < start:
            raise reader.error(f"the interval ends at {end} s, before its start at {start} s")
        if start < last - _SLACK:
            raise reader.error(f"the interval starts at {start} s, inside the one before, which ends at {last} s")
        last = end
        # Nanoseconds: 0.3 - 0.1 is 0.2, not 0.19999999999999998.
        yield Word(reader.string("an interval's text"), start, round(end - start, 9))


class _Reader:
    """Hands out the tokens that count, one by one, and knows the line it is at."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text
        self._tokens = _TOKEN.finditer(text)
        self._at = 0

    def error(self, message: str) -> FormatError:
        return FormatError(f"{self._path}:{self._text.count(chr(10), 0, self._at) + 1}: {message}")

    def _next(self) -> str | None:
        for match in self._tokens:
            token = match.group()
            if token[0] in '"<' or _NUMBER.fullmatch(token):
                self._at = match.start()
                if token == '"':
                    raise self.error("a quote is opened and never closed")
                return token
        self._at = len(self._text.rstrip())
        return None

    def _expect(self, what: str, good: re.Pattern[str]) -> str:
        token = self._next()
        if token is None:
            raise self.error(f"the file ends where {what} should be")
        if not good.match(token):
            raise self.error(f"expected {what}, found {token[:40]!r}")
        return token

    def string(self, what: str) -> str:
        return self._expect(what, re.compile('"'))[1:-1].replace('""', '"')

    def number(self, what: str) -> float:
        token = self._expect(what, _NUMBER)
        value = float(token)
        if abs(value) > _MAX_S:
            raise self.error(f"{what} is {token[:40]}, which is not a time in a recording")
        return value

    def written_number(self, what: str) -> str:
        return self._expect(what, _NUMBER)

    def count(self, what: str) -> int:
        token = self._expect(what, _NUMBER)
        if not token.isdecimal() or len(token) > _MAX_DIGITS:
            raise self.error(f"{what} is {token[:40]}, not a whole number of up to {_MAX_DIGITS} digits")
        return int(token)

    def flag(self, what: str) -> str:
        return self._expect(what, re.compile("<"))

    def end(self) -> None:
        token = self._next()
        if token is not None:
            raise self.error(f"more follows than the number of tiers announces: {token[:40]!r}")


def in_order(symbols: Iterable[Word], duration: float) -> tuple[Word, ...]:
    """Make symbols fit a tier: inside the recording, each after the one before it.

    What overlaps is clipped at its start; what has then nothing left shares the interval before it ("a b"), or is
    left out where there is none.
    """
    placed: list[Word] = []
    for symbol in sorted(symbols, key=lambda symbol: symbol.start):
        start = max(symbol.start, placed[-1].end if placed else 0.0)
        length = min(symbol.end, duration) - start
        if tick(length) > 0:
            placed.append(Word(symbol.symbol, start, length, symbol.score))
        elif placed:
            last = placed[-1]
            placed[-1] = Word(f"{last.symbol} {symbol.symbol}", last.start, last.duration, last.score)
    return tuple(placed)


def write(path: Path, grid: TextGrid, *, durable: bool = True) -> None:
    """Write the long format in UTF-8; gaps become intervals of "", so each tier covers xmin to xmax.

    Boundaries are written to the nanosecond, xmin and xmax exactly. Raises FormatError where intervals overlap,
    are empty, out of order or outside xmin..xmax: Praat would refuse them. durable: see `core.files.atomic`.
    """
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        f"xmin = {_exactly(grid.xmin)}",
        f"xmax = {_exactly(grid.xmax)}",
        "tiers? <exists>",
        f"size = {len(grid.tiers)}",
        "item []:",
    ]
    for number, tier in enumerate(grid.tiers, start=1):
        lines.append(f"    item [{number}]:")
        lines.extend(" " * 8 + line for line in _tier_lines(path, tier, grid))
    write_bytes(path, ("\n".join(lines) + "\n").encode(), durable=durable)


def _tier_lines(path: Path, tier: IntervalTier | PointTier | KeptTier, grid: TextGrid) -> Iterator[str]:
    if isinstance(tier, KeptTier):
        yield from tier.lines
        return
    yield 'class = "IntervalTier"' if isinstance(tier, IntervalTier) else 'class = "TextTier"'
    yield f"name = {_quoted(tier.name)}"
    yield f"xmin = {_exactly(grid.xmin)}"
    yield f"xmax = {_exactly(grid.xmax)}"
    if isinstance(tier, PointTier):
        yield f"points: size = {len(tier.points)}"
        for number, point in enumerate(tier.points, start=1):
            yield from (f"points [{number}]:", f"    number = {_seconds(point.time)}")
            yield f"    mark = {_quoted(point.label)}"
        return
    intervals = list(_contiguous(path, tier, grid))
    yield f"intervals: size = {len(intervals)}"
    for number, (start, end, label) in enumerate(intervals, start=1):
        yield from (f"intervals [{number}]:", f"    xmin = {start}", f"    xmax = {end}")
        yield f"    text = {_quoted(label)}"


def _contiguous(path: Path, tier: IntervalTier, grid: TextGrid) -> Iterator[tuple[str, str, str]]:
    """Yield start, end (both as written, so that neighbours agree to the last digit) and label."""
    at, written = grid.xmin, _exactly(grid.xmin)
    for word in tier.intervals:
        if word.duration <= 0:
            raise FormatError(f"{path}: tier {tier.name!r}: {word.symbol!r} at {word.start} s has no duration")
        if word.start < at - _SLACK:
            raise FormatError(f"{path}: tier {tier.name!r}: {word.symbol!r} starts at {word.start} s, before {at} s")
        if word.end > grid.xmax + _SLACK:
            raise FormatError(f"{path}: tier {tier.name!r}: {word.symbol!r} ends after xmax, {grid.xmax} s")
        if word.start > at + _SLACK:
            start = _seconds(word.start)
            yield written, start, ""
            written = start
        end = _exactly(grid.xmax) if abs(word.end - grid.xmax) <= _SLACK else _seconds(word.end)
        yield written, end, word.symbol
        at, written = word.end, end
    if grid.xmax > at + _SLACK or not tier.intervals:
        yield written, _exactly(grid.xmax), ""


def _exactly(seconds: float) -> str:
    return repr(float(seconds))


def _seconds(seconds: float) -> str:
    return f"{seconds:.9f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
