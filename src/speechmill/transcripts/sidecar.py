# SPDX-License-Identifier: Apache-2.0
"""Transcripts that lie beside the audio, or in a transcripts.tsv.

Reads TextGrid, JSON (ours, Whisper's), SubRip, WebVTT, and plain .lab and .txt. Text is put into NFC and its white
space folded, no more: words, case and punctuation stay as somebody wrote them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from speechmill.core.errors import FormatError, TranscriptError
from speechmill.core.stage import Context
from speechmill.core.timebase import tick
from speechmill.core.types import Source, Transcript, Utterance, Word
from speechmill.formats import captions, textgrid
from speechmill.formats.encoding import EncodingError, read_text
from speechmill.transcripts import _grid, _json

VERSION = "1"
REQUIRES = ()
LANGUAGES = None

SLACK_S = 0.5  # captions and containers disagree by some frames; more is another recording's transcript
_INFIX = re.compile(r".+\.([A-Za-z]{2,3})(?:-[A-Za-z0-9]{2,8})*\.[^.]+")  # talk.en.srt


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """How to read TextGrids."""

    tier: str | None = None  # glob of the utterance tiers' names; None: all tiers but words and phones
    pause_s: float = 0.5  # in a TextGrid of words only, a longer pause starts a new utterance


class Backend:
    """Reads what somebody wrote down."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def read(self, source: Source, duration: float) -> Transcript | None:
        """Return `source.text`, or else the first sidecar that is a transcript; None where there is neither.

        duration: of the recording, in seconds. Times are clipped to it. A sidecar that names another language than
        the source's (talk.en.srt) is passed over, as is JSON or a TextGrid that holds no utterances.
        Raises TranscriptError: broken-utf8, broken-sidecar, empty-transcript, unreadable-sidecar, no-such-tier,
        partly-timed, times-outside-recording.
        """
        if source.text is not None:
            return Transcript("sidecar", (Utterance(_text(source.text, "transcripts.tsv")),))
        for sidecar in source.sidecars:
            if _other_language(sidecar, source.language):
                continue
            utterances = self._utterances(Path(sidecar))
            if utterances is not None:
                return Transcript("sidecar", _checked(sidecar, utterances, duration))
        return None

    def _utterances(self, path: Path) -> tuple[Utterance, ...] | None:
        read = self._reader(path)
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

    def _reader(self, path: Path) -> Callable[[Path], tuple[Utterance, ...] | None]:
        match path.suffix.lower():
            case ".textgrid":
                return self._grid
            case ".json":
                return _json.read
            case ".vtt" | ".srt":
                return captions.read
            case ".lab" | ".txt":
                return _plain
            case suffix:
                raise TranscriptError("broken-sidecar", f"{path}: no transcript format has the suffix {suffix!r}")

    def _grid(self, path: Path) -> tuple[Utterance, ...] | None:
        try:
            return _grid.utterances(textgrid.read(path), self._config.tier, self._config.pause_s)
        except TranscriptError as error:
            raise TranscriptError(error.reason, f"{path}: {error.detail}") from error


def _plain(path: Path) -> tuple[Utterance, ...]:
    return (Utterance(_text(read_text(path), str(path))),)


def _other_language(sidecar: str, language: str | None) -> bool:
    infix = _INFIX.fullmatch(Path(sidecar).name)
    return language is not None and infix is not None and infix.group(1).lower() != language.split("-")[0].lower()


def _text(text: str, where: str) -> str:
    folded = _folded(text)
    if not folded:
        raise TranscriptError("empty-transcript", where)
    return folded


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text.replace("\ufeff", "")).split())


def _checked(path: str, utterances: tuple[Utterance, ...], total: float) -> tuple[Utterance, ...]:
    """Normalise text, clip times, leave out what has no text."""
    kept = [replace(one, text=text) for one in utterances if (text := _folded(one.text or ""))]
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
    words = tuple(_clipped_word(word, total) for word in utterance.words if word.start < total and _folded(word.symbol))
    return replace(utterance, start=start, duration=duration, words=words)


def _clipped_word(word: Word, total: float) -> Word:
    start, duration = _inside(word.start, word.duration, total)
    return Word(_folded(word.symbol), start, duration, word.score)


def _inside(start: float, duration: float, total: float) -> tuple[float, float]:
    """Clip an interval to 0..total."""
    first, last = min(max(start, 0.0), total), min(max(start + duration, 0.0), total)
    return tick(first), tick(last - first)
