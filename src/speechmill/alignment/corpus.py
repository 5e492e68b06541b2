# SPDX-License-Identifier: Apache-2.0
"""Corpora as users of the Montreal Forced Aligner have them: audio with .lab, .txt, .TextGrid or .eaf of the same stem.

A speaker is a folder, the first letters of a file's name, or a tier. Nothing is decoded here. What can't be used is a
`Problem` that says which file and why; the rest of the corpus goes on.
"""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from speechmill.alignment.tiers import EAF, TEXTGRID, utterance_tiers
from speechmill.core.errors import AudioError, ConfigError, FormatError
from speechmill.core.types import Word
from speechmill.formats.audio import probe
from speechmill.formats.decode import Original
from speechmill.formats.encoding import EncodingError, read_text
from speechmill.formats.flac import stream_info
from speechmill.sources.local import AUDIO
from speechmill.text.characters import composed

PLAIN = (".lab", ".txt")
TIERED = (TEXTGRID, EAF)
_SUFFIXES = frozenset("." + suffix for suffix in AUDIO)
_SLACK_S = 0.1  # a tier may outlast its audio by this much: people round, and encoders pad
_MIN_S = 0.01  # what is left of an interval after clipping must last a frame


class Layout(Struct, frozen=True):
    """How to read a corpus."""

    speakers: str = "folder"  # folder | prefix:N | file | one; tiers name their speakers themselves
    tier: tuple[str, ...] = ()  # globs of the utterance tiers' names, or type:GLOB; none: all but words and phones
    skip: Path | None = None  # a folder that is no part of it, such as the one results are written to


class Utterance(Struct, frozen=True):
    """Text and where it is said: an interval of a file, in seconds, or all of it."""

    key: str  # names it: the file's, and the number of the utterance where it has several
    text: str
    speaker: str
    start: float
    duration: float
    tier: str = ""  # the tier it is from; "": the file's one text
    warnings: tuple[str, ...] = ()

    @property
    def end(self) -> float:
        return self.start + self.duration


class Recording(Struct, frozen=True):
    """An audio file with its utterances."""

    key: str  # its path in the corpus, POSIX, without the suffix: where results are written
    audio: Path
    transcript: Path
    duration: float  # seconds, as the container promises
    channels: int
    sampling_rate: int  # Hz
    utterances: tuple[Utterance, ...]

    @property
    def tiered(self) -> bool:
        """Whether the utterances are intervals of tiers."""
        return self.transcript.suffix.lower() in TIERED


class Problem(Struct, frozen=True):
    """What can't be used, and why. `reason`: a short kebab-case class."""

    file: str
    reason: str
    detail: str
    start: float | None = None  # of an interval


class Corpus(Struct, frozen=True):
    """What was found."""

    recordings: tuple[Recording, ...]
    problems: tuple[Problem, ...]

    @property
    def duration(self) -> float:
        """Seconds of all utterances."""
        return sum(utterance.duration for recording in self.recordings for utterance in recording.utterances)

    @property
    def num_utterances(self) -> int:
        return sum(len(recording.utterances) for recording in self.recordings)

    @property
    def speakers(self) -> tuple[str, ...]:
        found = {utterance.speaker for recording in self.recordings for utterance in recording.utterances}
        return tuple(sorted(found))


class _Unusable(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def find(root: Path, layout: Layout | None = None) -> Corpus:
    """Find the recordings below a folder, sorted by path, and what can't be used of it.

    Raises ConfigError where there is no such folder or `speakers` is unknown.
    """
    layout = layout or Layout()
    _check(layout)
    if not root.is_dir():
        raise ConfigError(f"no such folder: {root}. Name a folder of audio with texts, or FILE.wav FILE.txt")
    recordings: list[Recording] = []
    problems: list[Problem] = []
    for key, names in _stems(root, layout.skip):
        _add(root, key, names, layout, recordings, problems)
    return Corpus(tuple(recordings), tuple(problems))


def single(audio: Path, transcript: Path, layout: Layout | None = None) -> Corpus:
    """Return the corpus of one file with its text. Raises ConfigError where it can't be used at all."""
    layout = layout or Layout()
    _check(layout)
    for path in (audio, transcript):
        if not path.is_file():
            raise ConfigError(f"no such file: {path}")
    if transcript.suffix.lower() not in (*PLAIN, *TIERED):
        raise ConfigError(f"{transcript}: text is read from {', '.join((*PLAIN, '.TextGrid', EAF))}")
    recordings: list[Recording] = []
    problems: list[Problem] = []
    try:
        recording, less = _recording(audio.stem, audio, transcript, layout)
        recordings.append(recording)
        problems += less
    except _Unusable as error:
        raise ConfigError(f"{error.reason}: {error}") from error
    return Corpus(tuple(recordings), tuple(problems))


def _check(layout: Layout) -> None:
    kind, _, number = layout.speakers.partition(":")
    if layout.speakers in ("folder", "file", "one"):
        return
    if kind != "prefix" or not number.isdecimal() or int(number) < 1:
        raise ConfigError(f"speakers {layout.speakers!r}: there are folder, file, one, and prefix:N, such as prefix:4")


def _stems(root: Path, skip: Path | None) -> Iterator[tuple[str, list[str]]]:
    """Yield (path without suffix, names of the files that have it), sorted; hidden ones are passed over."""
    seen = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen or (skip is not None and real == os.path.realpath(skip)):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        stems: dict[str, list[str]] = {}
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)
            if not name.startswith(".") and suffix.lower() in _SUFFIXES.union(PLAIN, TIERED):
                stems.setdefault(stem, []).append(name)
        for stem in sorted(stems):
            yield (Path(folder) / stem).relative_to(root).as_posix(), stems[stem]


def _add(
    root: Path,
    key: str,
    names: Sequence[str],
    layout: Layout,
    recordings: list[Recording],
    problems: list[Problem],
) -> None:
    folder = (root / key).parent
    audio = sorted((name for name in names if _suffix(name) in _SUFFIXES), key=_audio_rank)
    for other in audio[1:]:
        problems.append(Problem(_file(root, folder / other), "same-name", f"{audio[0]} is used: both would be {key}"))
    order = (*TIERED, *PLAIN) if layout.tier else (*PLAIN, *TIERED)
    texts = sorted((name for name in names if _suffix(name) in order), key=lambda name: order.index(_suffix(name)))
    if not audio:
        problems.append(Problem(_file(root, folder / texts[0]), "no-audio", "no audio file has its name"))
        return
    file = _file(root, folder / audio[0])
    try:
        if not texts:
            raise _Unusable("no-text", f"no .lab, .txt, .TextGrid or .eaf beside it is called {Path(key).name}")
        recording, less = _recording(key, folder / audio[0], folder / texts[0], layout)
    except _Unusable as error:
        problems.append(Problem(file, error.reason, str(error)))
        return
    recordings.append(recording)
    problems += less


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _audio_rank(name: str) -> int:
    return AUDIO.index(_suffix(name)[1:])


def _file(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _recording(key: str, audio: Path, transcript: Path, layout: Layout) -> tuple[Recording, list[Problem]]:
    """Return a recording and what of it can't be used; raises _Unusable where that is all of it."""
    duration, channels, sampling_rate = _promised(audio)
    speaker = _speaker(audio, layout.speakers)
    problems: list[Problem] = []
    try:
        if transcript.suffix.lower() in TIERED:
            utterances = _from_tiers(key, transcript, layout, duration, speaker, problems)
        else:
            text = " ".join(composed(read_text(transcript)).split())
            if not text:
                raise _Unusable("empty-text", f"{transcript} holds no text")
            utterances = [Utterance(key, text, speaker, 0.0, duration)]
    except EncodingError as error:
        raise _Unusable("not-utf8", str(error)) from error
    except FormatError as error:
        raise _Unusable("broken-text", str(error)) from error
    except OSError as error:
        raise _Unusable("unreadable-text", f"{transcript}: {error.strerror}") from error
    if not utterances:
        first = problems[0] if problems else None
        raise _Unusable("empty-text", f"{transcript}: {first.detail if first else 'its tiers hold no text'}")
    return Recording(key, audio, transcript, duration, channels, sampling_rate, tuple(utterances)), problems


def _promised(audio: Path) -> tuple[float, int, int]:
    """Return duration, channels and sampling rate."""
    try:
        if (found := _header(audio)) is not None:
            return found
        told = probe(audio)
        if told.duration is not None:
            return told.duration, told.channels, told.sampling_rate
        with Original(audio) as original:  # a stream that doesn't say how long it is
            for _ in original.blocks():
                pass
            return original.num_samples / original.sampling_rate, told.channels, told.sampling_rate
    except AudioError as error:
        raise _Unusable("undecodable-audio", str(error)) from error


def _header(audio: Path) -> tuple[float, int, int] | None:
    """Read the header of a plain FLAC or WAV, thirty times as fast as `probe`; None for what isn't plain."""
    try:
        if audio.suffix.lower() == ".flac":
            info = stream_info(audio)
            rate, channels, num_samples = info.sampling_rate, info.channels, info.num_samples
        elif audio.suffix.lower() == ".wav":
            with wave.open(str(audio), "rb") as file:
                rate, channels, num_samples = file.getframerate(), file.getnchannels(), file.getnframes()
                if num_samples * channels * file.getsampwidth() > audio.stat().st_size:  # written by a stream
                    return None
        else:
            return None
    except (AudioError, wave.Error, EOFError, OSError):
        return None  # `probe` says what is wrong
    return (num_samples / rate, channels, rate) if rate and num_samples else None


def _speaker(audio: Path, rule: str) -> str:
    kind, _, number = rule.partition(":")
    if kind == "prefix":
        return composed(audio.stem)[: int(number)]
    return {"file": audio.stem, "one": "speaker"}.get(rule, composed(_folder(audio)))


def _folder(audio: Path) -> str:
    """Return the folder's name as the corpus has it: a linked file belongs to the speaker it is linked for."""
    return os.path.basename(os.path.dirname(os.path.abspath(audio)))


def _from_tiers(
    key: str, path: Path, layout: Layout, duration: float, speaker: str, problems: list[Problem]
) -> list[Utterance]:
    found = utterance_tiers(path, layout.tier)
    if not found.chosen:
        wanted = f"matches {', '.join(layout.tier)}" if layout.tier else "holds utterances"
        raise _Unusable("no-such-tier", f"{path}: no tier {wanted}; there are: {', '.join(found.names) or 'none'}")
    utterances: list[Utterance] = []
    placed = sorted(((tier, word) for tier in found.chosen for word in tier.intervals), key=lambda one: one[1].start)
    for tier, word in placed:
        start, end = max(0.0, word.start), min(word.end, duration)
        if end - start < _MIN_S:
            detail = f"{tier.name!r}: {word.start:.3f} to {word.end:.3f} s of {duration:.3f} s of audio"
            problems.append(Problem(key, "outside-audio", detail, word.start))
            continue
        text = " ".join(composed(word.symbol).split())
        named = f"{key}#{len(utterances) + 1}"
        utterances.append(
            Utterance(named, text, tier.speaker or speaker, start, end - start, tier.name, _clipped(word, duration))
        )
    return utterances


def _clipped(word: Word, duration: float) -> tuple[str, ...]:
    if word.end <= duration + _SLACK_S and word.start >= -_SLACK_S:
        return ()
    return (f"interval-clipped: {word.start:.3f} to {word.end:.3f} s, the audio ends at {duration:.3f} s",)
