# SPDX-License-Identifier: Apache-2.0
"""Audio of a corpus at 16 kHz: decoded once a pass, in memory while short, else in an unlinked file.

Two people on two channels are told apart by their loudness while each of them speaks.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import soxr

from speechmill.alignment.corpus import Recording
from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ, to_samples
from speechmill.formats.decode import Original
from speechmill.formats.samples import Pcm16, from_pcm16, to_pcm16

MEMORY_S = 20 * 60  # seconds held in memory, all channels together: 38 MB
_BYTES = 2
# Each speaker must be so much louder on their channel than the others are, or the channels are mixed: a room's two
# microphones differ by less, telephone lines and headsets by more.
_MIN_APART_DB = 6.0
_MIN_ALONE_S = 0.1


class _Spool:
    """Rows of PCM16: in memory while there are few, then in a file that has no name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: list[Pcm16] = []
        self._file: IO[bytes] | None = None
        self._joined = np.zeros((0, 1), np.int16)
        self.width = 1
        self.length = 0

    def push(self, rows: Pcm16) -> None:
        """Take (n, channels) more."""
        self.width = rows.shape[1]
        self.length += len(rows)
        if self._file is not None:
            self._file.write(rows.tobytes())
            return
        self._parts.append(rows)
        if self.length * self.width > MEMORY_S * WORKING_HZ:
            self._file = tempfile.TemporaryFile(prefix="speechmill-", suffix=".pcm")  # noqa: SIM115
            for part in self._parts:
                self._file.write(part.tobytes())
            self._parts = []

    def finish(self) -> None:
        """Join what there is; from here on, cut."""
        if self._parts:
            self._joined = np.concatenate(self._parts)
            self._parts = []

    def cut(self, first: int, last: int) -> Pcm16:
        """Return rows first to last, both within the spool."""
        if self._file is None:
            return self._joined[first:last]
        size = _BYTES * self.width
        with self._lock:
            self._file.seek(first * size)
            raw = self._file.read((last - first) * size)
        return np.frombuffer(raw, np.int16).reshape(-1, self.width)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class OpenedAudio:
    """A file's channels at 16 kHz, read at random from any thread. Close it after use."""

    def __init__(self, path: Path, *, separate: bool = False) -> None:
        """Decode a file. separate: keep its channels; else their mean is the one channel. Raises AudioError."""
        self._spool = _Spool()
        try:
            for block in _working(path, separate):
                self._spool.push(block)
            self._spool.finish()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._spool.close()

    @property
    def num_channels(self) -> int:
        return self._spool.width

    @property
    def duration(self) -> float:
        """Seconds."""
        return self._spool.length / WORKING_HZ

    def read(self, start: float = 0.0, duration: float | None = None, channel: int | None = None) -> Samples:
        """Return (num_samples,) float32 in [-1, 1], clipped to the file. channel: None is the mean of all."""
        total = self._spool.length
        first = min(max(0, to_samples(start, WORKING_HZ)), total)
        last = total if duration is None else min(max(first, to_samples(start + duration, WORKING_HZ)), total)
        pcm = self._spool.cut(first, last)
        if channel is None and pcm.shape[1] > 1:
            mixed: Samples = from_pcm16(pcm).mean(axis=1, dtype=np.float32)
            return mixed
        return from_pcm16(pcm[:, channel or 0])


def _working(path: Path, separate: bool) -> Iterator[Pcm16]:
    """Yield (n, channels) PCM16 at 16 kHz."""
    with Original(path) as original:
        names = original.channel_names
        kept = [i for i, name in enumerate(names) if not name.startswith("LFE")] or list(range(len(names)))
        width = len(kept) if separate else 1
        same = original.sampling_rate == WORKING_HZ
        resampler: Any = None if same else soxr.ResampleStream(original.sampling_rate, WORKING_HZ, width)
        for block in original.blocks():
            rows = block[kept] if separate or len(kept) == 1 else block[kept].mean(axis=0, keepdims=True)
            samples = np.ascontiguousarray(rows.T)
            yield to_pcm16(samples if same else resampler.resample_chunk(_columns(samples))).reshape(-1, width)
        if not same:
            rest = resampler.resample_chunk(_columns(np.zeros((0, width), np.float32)), last=True)
            yield to_pcm16(rest).reshape(-1, width)


def _columns(samples: Samples) -> Samples:
    """Shape samples as soxr wants them: (n,) of one channel, (n, channels) of several."""
    return samples[:, 0] if samples.shape[1] == 1 else samples


def opened(recording: Recording) -> OpenedAudio:
    """Decode a recording; its channels stay apart where tiers of several speakers may lie on them."""
    return OpenedAudio(recording.audio, separate=may_have_channels(recording))


def may_have_channels(recording: Recording) -> bool:
    """Tell whether speakers may have channels of their own."""
    speakers = {utterance.speaker for utterance in recording.utterances}
    return recording.tiered and recording.channels > 1 and len(speakers) > 1


def speaker_channels(recording: Recording, audio: OpenedAudio) -> dict[str, int | None]:
    """Find each speaker's channel by loudness; None, the mean of all, where they can't be told apart."""
    speakers = sorted({utterance.speaker for utterance in recording.utterances})
    nobody: dict[str, int | None] = dict.fromkeys(speakers)
    if audio.num_channels < 2 or len(speakers) < 2:
        return nobody
    power = np.array([_power(recording, audio, speaker) for speaker in speakers])
    level_db = 10 * np.log10(power + 1e-12)
    # Against the channel's mean over speakers: one microphone may be set louder than the other.
    apart_db = level_db - level_db.mean(axis=0)
    chosen = apart_db.argmax(axis=1)
    others_db = np.array([np.delete(row, best).max() for row, best in zip(apart_db, chosen, strict=True)])
    clear = apart_db[np.arange(len(speakers)), chosen] - others_db >= _MIN_APART_DB
    if not clear.all():
        return nobody
    return {speaker: int(channel) for speaker, channel in zip(speakers, chosen, strict=True)}


def _power(recording: Recording, audio: OpenedAudio, speaker: str) -> list[float]:
    """Return the mean square of each channel while a speaker speaks, alone where that ever is."""
    mine = _stretches(recording, speaker, alone=True) or _stretches(recording, speaker, alone=False)
    total = sum(end - start for start, end in mine)
    return [
        sum(
            float(np.mean(np.square(cut))) * (end - start)
            for start, end in mine
            if len(cut := audio.read(start, end - start, channel))
        )
        / max(total, 1e-9)
        for channel in range(audio.num_channels)
    ]


def _stretches(recording: Recording, speaker: str, *, alone: bool) -> list[tuple[float, float]]:
    """Return when a speaker speaks; alone: without what anybody else says at the same time."""
    left = [(one.start, one.end) for one in recording.utterances if one.speaker == speaker]
    others = [(one.start, one.end) for one in recording.utterances if alone and one.speaker != speaker]
    for start, end in others:
        parts = [part for one in left for part in ((one[0], min(one[1], start)), (max(one[0], end), one[1]))]
        left = [part for part in parts if part[1] - part[0] > _MIN_ALONE_S]
    return left


class AudioCache:
    """The last few opened recordings, so that a file of many utterances is not decoded for each. Close it after use."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}  # by key, the one used last at the end

    @contextlib.contextmanager
    def opened(self, recording: Recording) -> Iterator[tuple[OpenedAudio, dict[str, int | None]]]:
        """Yield a recording's audio, and its speakers' channels. Raises AudioError."""
        with self._lock:
            held = self._held.pop(recording.key, None) or _Held()
            self._held[recording.key] = held
            held.users += 1
            self._evict()
        try:
            with held.lock:
                if held.audio is None:
                    held.audio = opened(recording)
                    held.channels = speaker_channels(recording, held.audio)
            yield held.audio, held.channels
        finally:
            with self._lock:
                held.users -= 1
                self._evict()

    def _evict(self) -> None:
        for key in [key for key, held in self._held.items() if not held.users][: max(0, len(self._held) - self._size)]:
            self._held.pop(key).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for held in self._held.values():
            held.close()
        self._held.clear()


class _Held:
    """An opened recording, and how many are at it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.audio: OpenedAudio | None = None
        self.channels: dict[str, int | None] = {}

    def close(self) -> None:
        if self.audio is not None:
            self.audio.close()
