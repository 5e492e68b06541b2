# SPDX-License-Identifier: Apache-2.0
"""What every transcript read from a file goes through: whose it is, clean text, times inside the recording."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from speechmill.core.errors import FormatError, TranscriptError
from speechmill.core.timebase import tick
from speechmill.core.types import Utterance, Word
from speechmill.formats.encoding import EncodingError, read_text

SLACK_S = 0.5  # captions and containers disagree by some frames; more is another recording's transcript
_INFIX = re.compile(r".+\.([A-Za-z]{2,3})(?:-[A-Za-z0-9]{2,8})*\.[^.]+")  # talk.en.srt

Read = TypeVar("Read")


def reading(path: Path, read: Callable[[Path], Read]) -> Read:
    """Read a file. Raises TranscriptError: broken-utf8, broken-sidecar, empty-transcript, unreadable-sidecar."""
    try:
        if not read_text(path).strip():
            raise TranscriptError("empty-transcript", str(path))
        return read(path)
    except EncodingError as error:
        raise TranscriptError("broken-utf8", f"{path}: byte {error.offset}") from error
    except FormatError as error:
        raise TranscriptError("broken-sidecar", str(error)) from error
    except OSError as error:
        raise TranscriptError("unreadable-sidecar", f"{path}: {error.strerror}", permanent=False) from error


def other_language(sidecar: str, language: str | None) -> bool:
    """Tell whether a file's name says another language than the recording's: talk.en.srt."""
    infix = _INFIX.fullmatch(Path(sidecar).name)
    return language is not None and infix is not None and infix.group(1).lower() != language.split("-")[0].lower()


def folded(text: str) -> str:
    """Put text into NFC and fold its white space."""
    return " ".join(unicodedata.normalize("NFC", text.replace("\ufeff", "")).split())


def checked(path: str, utterances: tuple[Utterance, ...], total: float) -> tuple[Utterance, ...]:
    """Normalise text, clip times, leave out what has no text."""
    kept = [replace(one, text=text) for one in utterances if (text := folded(one.text or ""))]
    timed = sum(one.start is not None for one in kept)
    if 0 < timed < len(kept):
        raise TranscriptError("partly-timed", f"{path}: {len(kept) - timed} of {len(kept)} utterances have no times")
    return tuple(_clipped(path, one, total) if timed else one for one in kept)


def _clipped(path: str, utterance: Utterance, total: float) -> Utterance:
    if utterance.start is None or utterance.duration is None:
        return utterance
    end = utterance.start + utterance.duration
    # What lies outside within the slack is kept, with no duration: a filter drops it and says so.
    after = utterance.start >= total and end > total + SLACK_S
    before = end <= 0 and utterance.start < -SLACK_S
    if after or before:
        raise TranscriptError(
            "times-outside-recording",
            f"{path}: {utterance.text!r:.60} at {utterance.start:.3f}-{end:.3f} s; the recording lasts {total:.3f} s",
        )
    start, duration = _inside(utterance.start, utterance.duration, total)
    words = tuple(_clipped_word(word, total) for word in utterance.words if word.start < total and folded(word.symbol))
    return replace(utterance, start=start, duration=duration, words=words)


def _clipped_word(word: Word, total: float) -> Word:
    start, duration = _inside(word.start, word.duration, total)
    return Word(folded(word.symbol), start, duration, word.score)


def _inside(start: float, duration: float, total: float) -> tuple[float, float]:
    """Clip an interval to 0..total."""
    first, last = min(max(start, 0.0), total), min(max(start + duration, 0.0), total)
    return tick(first), tick(last - first)
