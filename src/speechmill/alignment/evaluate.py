# SPDX-License-Identifier: Apache-2.0
"""Boundary errors of a folder of alignments against hand-made or synthesised ones.

Symbols are paired as in `measures.boundary`. Errors are given as they are, and with the median of all starts and of
all ends taken away: what is left is no matter of where a tool puts its frames.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from speechmill.alignment.tiers import TEXTGRID
from speechmill.core.errors import ConfigError, FormatError
from speechmill.core.types import Word
from speechmill.formats import textgrid
from speechmill.measures.boundary import Offsets, boundary_offsets
from speechmill.text.characters import folded, plain

KINDS = ("words", "phones")
_SILENCES = frozenset(("", "sp", "sil", "<sil>", "<eps>", "<p:>", "#"))  # what aligners and people write for silence
Tiers = dict[str, tuple[Word, ...]]  # words, phones -> symbols in order of time


class Row(Struct, frozen=True):
    """Errors of one kind of boundary, in ms; None where nothing was compared."""

    tier: str  # words | phones
    edge: str  # start | end | both
    offset_removed: bool
    compared: int
    offset_ms: float | None = None  # median signed error; positive is late
    mean_ms: float | None = None
    median_ms: float | None = None
    within_10_ms: float | None = None  # share of boundaries, 0..1
    within_25_ms: float | None = None
    within_50_ms: float | None = None


class Comparison(Struct, frozen=True):
    """What was compared, and how far it is off."""

    files: int
    absent: tuple[str, ...]  # gold files without alignment
    symbols: dict[str, int]  # of the gold, by tier
    matched: dict[str, int]
    rows: tuple[Row, ...]


def compare(gold: Path, out: Path, tier: str | None = None) -> Comparison:
    """Compare alignments with the truth, file by file.

    gold: a folder of TextGrids, or JSON: {stem: [[symbol, start, end], ...]}. out: a folder of TextGrids.
    tier: words or phones; None: those the gold has (of JSON, the one its name tells).
    Raises ConfigError where there is nothing to compare, FormatError.
    """
    truth = _gold(gold, tier)
    found = _grids(out)
    by_stem = {Path(key).name: key for key in found}
    pairs: dict[str, list[tuple[Sequence[Word], Sequence[Word]]]] = {}
    absent = []
    for key, tiers in truth.items():
        place = key if key in found else by_stem.get(Path(key).name)
        if place is None:
            absent.append(key)
        for kind, words in tiers.items():
            pairs.setdefault(kind, []).append((words, found[place].get(kind, ()) if place else ()))
    if len(absent) == len(truth):
        raise ConfigError(f"none of {len(truth)} files of {gold} is in {out}, such as {next(iter(truth), 'none')}")
    offsets = {kind: _offsets(kind, mine) for kind, mine in pairs.items()}
    return Comparison(
        files=len(truth),
        absent=tuple(absent),
        symbols={kind: sum(len(words) for words, _ in mine) for kind, mine in pairs.items()},
        matched={kind: len(one) for kind, one in offsets.items()},
        rows=tuple(row for kind, one in offsets.items() for row in _rows(kind, one)),
    )


def _gold(path: Path, tier: str | None) -> dict[str, Tiers]:
    if not path.exists():
        raise ConfigError(f"no such file or folder: {path}")
    if path.is_file():
        return _json(path, tier)
    kinds = (tier,) if tier else KINDS
    grids = {
        key: {kind: words for kind, words in tiers.items() if kind in kinds} for key, tiers in _grids(path).items()
    }
    return {key: tiers for key, tiers in grids.items() if any(tiers.values())}


def _json(path: Path, tier: str | None) -> dict[str, Tiers]:
    kind = tier or next((kind for kind in KINDS if kind[:-1] in path.stem.lower()), None)
    if kind is None:
        raise ConfigError(f"{path}: its name tells neither words nor phones; say which with --tier words or phones")
    try:
        content = msgspec.json.decode(path.read_bytes(), type=dict[str, list[tuple[str, float, float]]])
    except msgspec.MsgspecError as error:
        raise FormatError(f"{path}: not {{stem: [[symbol, start, end], ...]}}: {error}") from error
    return {
        key: {kind: _spoken(Word(symbol, start, end - start) for symbol, start, end in rows)}
        for key, rows in content.items()
    }


def _grids(folder: Path) -> dict[str, Tiers]:
    if not folder.is_dir():
        raise ConfigError(f"no such folder: {folder}")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == TEXTGRID)
    if not paths:
        raise ConfigError(f"no TextGrid below {folder}")
    return {path.relative_to(folder).as_posix()[: -len(TEXTGRID)]: _tiers(path) for path in paths}


def _tiers(path: Path) -> Tiers:
    """Return words and phones of all speakers; tiers are known by how their names end."""
    found: dict[str, list[Word]] = {}
    for tier in textgrid.read(path).tiers:
        kind = next((kind for kind in KINDS if tier.name.strip().lower().endswith((kind, kind[:-1]))), None)
        if kind and isinstance(tier, textgrid.IntervalTier):
            found.setdefault(kind, []).extend(tier.intervals)
    return {kind: _spoken(words) for kind, words in found.items()}


def _spoken(words: Iterable[Word]) -> tuple[Word, ...]:
    kept = [word for word in words if word.symbol.strip() not in _SILENCES]
    return tuple(sorted(kept, key=lambda word: word.start))


def _offsets(kind: str, pairs: Sequence[tuple[Sequence[Word], Sequence[Word]]]) -> Offsets:
    alike = [([_alike(word, kind) for word in one], [_alike(word, kind) for word in two]) for one, two in pairs]
    return np.concatenate([np.empty((0, 2)), *(boundary_offsets(one, two) for one, two in alike)])


def _alike(word: Word, kind: str) -> Word:
    """Spell words in lower case, for some tools write them so; phones count as they are."""
    symbol = folded(plain(word.symbol)) if kind == "words" else unicodedata.normalize("NFC", word.symbol)
    return Word(symbol, word.start, word.duration)


def _rows(kind: str, offsets: Offsets) -> list[Row]:
    medians = np.median(offsets, axis=0) if len(offsets) else np.zeros(2)
    rows = []
    for removed in (False, True):
        kept = offsets - medians if removed else offsets
        for edge, values in (("start", kept[:, 0]), ("end", kept[:, 1]), ("both", kept.ravel())):
            rows.append(_row(kind, edge, removed, values))
    return rows


def _row(kind: str, edge: str, removed: bool, values: Offsets) -> Row:
    if not len(values):
        return Row(kind, edge, removed, 0)
    errors = np.round(np.abs(values), 3)
    shares: Mapping[str, float] = {f"within_{ms}_ms": round(float(np.mean(errors <= ms)), 4) for ms in (10, 25, 50)}
    middle, mean, median = (round(float(one), 3) + 0.0 for one in (np.median(values), errors.mean(), np.median(errors)))
    return Row(kind, edge, removed, len(values), middle, mean, median, **shares)
