# SPDX-License-Identifier: Apache-2.0
"""Utterances from JSON: our own `utterances`, or the `segments` that Whisper and its kin write."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from speechmill.core.errors import FormatError
from speechmill.core.timebase import tick
from speechmill.core.types import Utterance, Word
from speechmill.formats.encoding import read_text

_MAX_CHANNEL = 9999


class _Word(Struct):
    symbol: str | None = None
    word: str | None = None
    start: float | None = None
    duration: float | None = None
    end: float | None = None
    score: float | None = None
    probability: float | None = None


class _Utterance(Struct):
    text: str
    start: float | None = None
    duration: float | None = None
    end: float | None = None
    channel: int = 0
    speaker: str | int | None = None
    language: str | None = None
    words: tuple[_Word, ...] | None = None


def read(path: Path) -> tuple[Utterance, ...] | None:
    """Read a JSON transcript; None where the file is JSON of another kind (metadata beside the audio, say).

    Raises FormatError, which names the entry.
    """
    text = read_text(path)
    try:
        content = msgspec.json.decode(text)
        found = content.get("utterances", content.get("segments")) if isinstance(content, dict) else None
        entries = None if found is None else msgspec.convert(found, tuple[_Utterance, ...])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise FormatError(f"{path}: {error}") from error
    if entries is None:
        return None
    return tuple(_utterance(path, number, entry) for number, entry in enumerate(entries))


def _utterance(path: Path, number: int, entry: _Utterance) -> Utterance:
    where = f"{path}: entry {number}"
    if not 0 <= entry.channel <= _MAX_CHANNEL:
        raise FormatError(f"{where} is of channel {entry.channel}; channels count from 0")
    return Utterance(
        entry.text,
        entry.start,
        _duration(where, entry),
        channel=entry.channel,
        speaker=None if entry.speaker is None else str(entry.speaker),
        language=entry.language,
        words=_words(where, entry.words or ()),
    )


def _words(where: str, entries: tuple[_Word, ...]) -> tuple[Word, ...]:
    words = []
    for number, entry in enumerate(entries):
        duration = _duration(f"{where}, word {number}", entry)
        symbol = entry.symbol if entry.symbol is not None else entry.word
        if symbol is None:
            raise FormatError(f"{where}, word {number}: neither symbol nor word")
        if entry.start is None or duration is None:
            return ()  # WhisperX leaves numbers untimed; words with holes would look like pauses
        score = entry.score if entry.score is not None else entry.probability
        # A log probability is no confidence.
        words.append(Word(symbol, entry.start, duration, score if score is not None and 0 <= score <= 1 else None))
    return tuple(words)


def _duration(where: str, entry: _Utterance | _Word) -> float | None:
    if entry.start is None:
        return None
    if entry.duration is not None:
        duration = entry.duration
    elif entry.end is not None:
        duration = tick(entry.end - entry.start)
    else:
        raise FormatError(f"{where} has a start, but neither duration nor end")
    if duration < 0:
        raise FormatError(f"{where} ends before it starts")
    return duration
