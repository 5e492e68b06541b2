# SPDX-License-Identifier: Apache-2.0
"""Timed words out of the tokens that a recogniser emits: pieces of words, letters, characters, bytes.

A word starts at a space, however the vocabulary writes it ("▁" of SentencePiece, "|" of wav2vec 2.0).
Chinese characters and Japanese kana stand for themselves. Other scripts without spaces, such as Thai,
come as what stands between two spaces: cutting them takes a dictionary.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from speechmill.core.timebase import tick
from speechmill.core.types import Interval, Utterance, Word

WHISPERS_CODE = {"jv": "jw", "nb": "no"}  # where Whisper's languages differ from ISO 639-1
TAIL_S = 0.2  # how long a last token may sound where only starts are known: about a syllable

_CJK = "々〆ぁ-ヿㇰ-ㇿ㐀-䶿一-鿿豈-﫿𠀀-𯨟"
_UNIT = re.compile(rf"\s+|[{_CJK}]|[^\s{_CJK}]+")
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACES = ("▁", "|", "<space>")


class Timed(Struct, frozen=True):
    """A token, or a word, on its chunk's timeline in seconds; `score` is a probability, or None."""

    symbol: str
    start: float
    end: float
    score: float | None = None


def from_starts(
    symbols: Sequence[str], starts: Sequence[float], scores: Sequence[float] | None, last: float
) -> list[Timed]:
    """Give tokens an end where a recogniser says only when they start: the next one's start, 0.2 s at most.

    last: end of the chunk, s.
    """
    bounds = [*starts, last]
    ends = [max(start, min(after, start + TAIL_S)) for start, after in pairwise(bounds)]
    known = scores if scores is not None and len(scores) == len(symbols) else [None] * len(symbols)
    return [Timed(*parts) for parts in zip(symbols, starts, ends, known, strict=True)]


def spelled(tokens: Iterable[Timed]) -> list[Timed]:
    """Join tokens to words; a word's score is the mean of its tokens'."""
    words: list[list[Timed]] = []
    is_open = False
    for unit in _units(tokens):
        symbol = unit.symbol
        if symbol.isspace():
            is_open = False
        elif is_open and not _starts_anew(words[-1][-1].symbol, symbol):
            words[-1].append(unit)
        else:
            words.append([unit])
            is_open = True
    return [_joined(word) for word in words]


def _units(tokens: Iterable[Timed]) -> Iterator[Timed]:
    """Cut tokens into spaces, single characters of unspaced scripts, and runs of all else."""
    for token in _decoded(tokens):
        text = token.symbol
        for space in _SPACES:
            text = text.replace(space, " ")
        parts = _UNIT.findall(text)
        sounding = [part for part in parts if not part.isspace()]
        step = (token.end - token.start) / max(1, len(sounding))
        done = 0
        for part in parts:
            start = token.start + done * step
            done += not part.isspace()
            yield Timed(part, start, token.start + done * step, token.score)


def _decoded(tokens: Iterable[Timed]) -> Iterator[Timed]:
    """Join runs of single bytes ("<0xE1>") to the characters that they spell."""
    run: list[Timed] = []
    for token in tokens:
        if _BYTE.fullmatch(token.symbol):
            run.append(token)
            continue
        yield from _from_bytes(run)
        run = []
        yield token
    yield from _from_bytes(run)


def _from_bytes(run: Sequence[Timed]) -> Iterator[Timed]:
    if run:
        raw = bytes(int(token.symbol[3:5], 16) for token in run)
        yield Timed(raw.decode("utf-8", "replace"), run[0].start, run[-1].end, _mean(run))


def _starts_anew(before: str, symbol: str) -> bool:
    """Tell whether two neighbours without a space are two words: where Chinese or Japanese is concerned."""
    is_cjk = re.fullmatch(f"[{_CJK}]", symbol) is not None
    after_cjk = re.fullmatch(f"[{_CJK}]", before) is not None
    return is_cjk or (after_cjk and symbol[0].isalnum())


def _joined(units: Sequence[Timed]) -> Timed:
    symbol = unicodedata.normalize("NFC", "".join(unit.symbol for unit in units))
    return Timed(symbol, units[0].start, units[-1].end, _mean(units))


def _mean(units: Sequence[Timed]) -> float | None:
    scores = [unit.score for unit in units if unit.score is not None]
    return sum(scores) / len(scores) if scores else None


def placed(timed: Iterable[Timed], chunk: Interval, not_before: float = 0.0) -> tuple[Word, ...]:
    """Move words from a chunk's timeline to the recording's, inside the chunk, in order, not overlapping."""
    words = []
    last = max(chunk.start, not_before)
    for one in timed:
        start, end = (min(chunk.end, max(last, chunk.start + edge)) for edge in (one.start, one.end))
        last = max(start, end)
        start, end = tick(start), tick(last)
        score = None if one.score is None else round(min(1.0, max(0.0, one.score)), 4)
        words.append(Word(one.symbol, start, tick(end - start), score))
    return tuple(words)


def utterance(text: str, timed: Sequence[Timed], chunk: Interval, language: str | None) -> Utterance | None:
    """Return a chunk's text as an utterance: over its words, or over the chunk where there are none.

    Words that don't spell the text (a recogniser may rewrite numbers) are left out. None: nothing was said.
    """
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if not text:
        return None
    words = placed(timed, chunk) if _letters(timed) == text.replace(" ", "") else ()
    start, end = (words[0].start, words[-1].end) if words else (tick(chunk.start), tick(chunk.end))
    return Utterance(text, start, tick(end - start), chunk.channel, language=language, words=words)


def _letters(timed: Iterable[Timed]) -> str:
    return "".join(one.symbol for one in timed)
