# SPDX-License-Identifier: Apache-2.0
"""Transcripts that lie beside the audio, or in a transcripts.tsv.

Reads TextGrid, JSON (ours, Whisper's), SubRip, WebVTT, and plain .lab and .txt. Text is put into NFC and its white
space folded, no more: words, case and punctuation stay as somebody wrote them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from speechmill.core.errors import TranscriptError
from speechmill.core.stage import Context
from speechmill.core.types import Source, Transcript, Utterance
from speechmill.formats import captions, textgrid
from speechmill.formats.encoding import read_text
from speechmill.transcripts import _grid, _json
from speechmill.transcripts._entries import checked, folded, other_language, reading

VERSION = "1"
REQUIRES = ()
LANGUAGES = None


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """How to read TextGrids, and what to do with text that has no times."""

    tier: str | None = None  # glob of the utterance tiers' names; None: all tiers but words and phones
    pause_s: float = 0.5  # in a TextGrid of words only, a longer pause starts a new utterance
    place: str | None = None  # the lexicon's name by which a long recording's one text is found in its audio; None: not


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
            if other_language(sidecar, source.language):
                continue
            path = Path(sidecar)
            utterances = reading(path, self._reader(path))
            if utterances is not None:
                return Transcript("sidecar", checked(sidecar, utterances, duration))
        return None

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


def _text(text: str, where: str) -> str:
    kept = folded(text)
    if not kept:
        raise TranscriptError("empty-transcript", where)
    return kept
