# SPDX-License-Identifier: Apache-2.0
"""The 16 kHz working copy of a recording's canonical channels: in memory while short, else in an unlinked file.

The file is read, not mapped: mapped pages count as the worker's memory, and a watchdog would kill it.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np
import soxr

from speechmill.core.stage import Samples
from speechmill.core.timebase import CANONICAL_HZ, WORKING_HZ, to_samples
from speechmill.formats.flac import FlacReader
from speechmill.formats.samples import Blocks, Pcm16, from_pcm16, to_pcm16

MEMORY_S = 20 * 60  # seconds held in memory, all channels together: 38 MB
_BYTES = 2  # a sample


class WorkingCopy:
    """One channel at 16 kHz, made from its canonical 24 kHz PCM16 as that streams by, then read at random.

    memory_s: seconds kept in memory; with more, all of it goes to a temporary file in `folder`
    (None: where the system puts them).
    """

    def __init__(self, memory_s: float = MEMORY_S, folder: Path | None = None) -> None:
        self._limit = to_samples(memory_s, WORKING_HZ) * _BYTES
        self._folder = folder
        self._blocks = Blocks(1, CANONICAL_HZ, np.int16)
        self._resampler = soxr.ResampleStream(CANONICAL_HZ, WORKING_HZ, 1)
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self.num_samples = 0

    def push(self, canonical: Pcm16) -> None:
        """Take (n,) more samples at 24 kHz."""
        for block in self._blocks.push(canonical[np.newaxis]):
            self._store(self._resampler.resample_chunk(from_pcm16(block[0])))

    def finish(self) -> None:
        """Flush the resampler; from here on, read."""
        self._store(self._resampler.resample_chunk(from_pcm16(self._blocks.rest()[0]), last=True))
        if self._file is not None:
            self._file.flush()

    def _store(self, samples: Samples) -> None:
        content = to_pcm16(samples).tobytes()
        self.num_samples += len(samples)
        if self._file is None and len(self._memory) + len(content) > self._limit:
            self._file = tempfile.TemporaryFile(prefix="speechmill-", suffix=".pcm", dir=self._folder)  # noqa: SIM115
            self._file.write(self._memory)
            self._memory = bytearray()
        if self._file is None:
            self._memory += content
        else:
            self._file.write(content)

    def read(self, start: int, stop: int) -> Pcm16:
        """Return samples start to stop, (stop - start,) int16; both within the copy."""
        if self._file is None:
            return np.frombuffer(self._memory, np.int16, stop - start, start * _BYTES)
        self._file.seek(start * _BYTES)
        return np.frombuffer(self._file.read((stop - start) * _BYTES), np.int16)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class PcmAudio:
    """Canonical audio of one recording, as `core.stage.Audio` wants it. Close it after use."""

    def __init__(self, paths: Sequence[Path], copies: Sequence[WorkingCopy], num_samples: int) -> None:
        """Take finished working copies, one per path. num_samples: per channel at 24 kHz."""
        self._paths = tuple(paths)
        self._copies = tuple(copies)
        self._num_samples = num_samples
        self._readers: dict[int, FlacReader] = {}

    @property
    def num_channels(self) -> int:
        return len(self._paths)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self._num_samples / CANONICAL_HZ

    def read(
        self,
        start: float = 0.0,
        duration: float | None = None,
        *,
        channel: int = 0,
        sampling_rate: int = WORKING_HZ,
    ) -> Samples:
        """Return (num_samples,) float32 in [-1, 1]; clipped to the recording, None means to its end.

        sampling_rate: 16,000 (the working copy) or 24,000 Hz (from the FLAC). Raises AudioError where that is gone.
        """
        if sampling_rate not in (WORKING_HZ, CANONICAL_HZ):
            raise ValueError(f"audio is read at {WORKING_HZ} or {CANONICAL_HZ} Hz, not {sampling_rate}")
        copy = self._copies[channel]
        total = copy.num_samples if sampling_rate == WORKING_HZ else self._num_samples
        end = total if duration is None else to_samples(start + duration, sampling_rate)
        first = min(max(0, to_samples(start, sampling_rate)), total)
        last = min(max(first, end), total)
        return from_pcm16(copy.read(first, last) if sampling_rate == WORKING_HZ else self._flac(channel, first, last))

    def _flac(self, channel: int, start: int, stop: int) -> Pcm16:
        if channel not in self._readers:
            self._readers[channel] = FlacReader(self._paths[channel])
        return self._readers[channel].read(start, stop)

    def close(self) -> None:
        with contextlib.ExitStack() as stack:
            for copy in self._copies:
                stack.callback(copy.close)
            for reader in self._readers.values():
                stack.callback(reader.close)
        self._readers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
