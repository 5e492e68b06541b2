# SPDX-License-Identifier: Apache-2.0
"""Decoding one original, once, in constant memory, onto its own timeline.

Time 0 is where the container says that playing starts. libav removes the encoder delay that a file declares
(LAME tag, MP4 edit list, Opus pre-skip); where none is declared (bare ADTS, MP3 without a LAME tag) it can't be
known and stays: 20 to 50 ms. A late start and holes become silence. Resampling and encoding are the caller's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np

from speechmill.core.errors import AudioError
from speechmill.core.stage import Samples
from speechmill.formats.containers import codec_name, open_container, origin, promised_duration
from speechmill.formats.samples import Blocks

JITTER_S = 0.1  # timestamps this far off are rounding or jitter (ffmpeg's aresample: min_hard_comp)
MAX_HOLE_S = 3600.0  # a longer jump forward is a broken clock, not a muted participant
TRUNCATION_S = 0.5  # less missing than this is padding and rounding of headers
LOUDEST = 64.0  # +36 dBFS: float files beyond it are broken

# Offset and full scale of libav's sample formats, without the "p" of planar ones.
_FULL_SCALE = {"u8": (128, 1 << 7), "s16": (0, 1 << 15), "s32": (0, 1 << 31), "flt": (0, 1), "dbl": (0, 1)}


class Original:
    """An audio or video file opened for one pass over its first audio stream.

    After `blocks` has ended, `num_samples`, `truncated` and `warnings` hold.
    """

    def __init__(self, path: Path) -> None:
        """Open the file and decode up to the first frame. Raises AudioError."""
        self.path = path
        self.num_samples = 0  # per channel, at sampling_rate
        self.truncated = False
        self.warnings: list[str] = []
        self._broken_packets = 0
        self._first_error = ""
        self._reformatted = False
        self._unstack = contextlib.ExitStack()
        try:
            self._container, self._stream = self._unstack.enter_context(open_container(path))
            self._open_decoder()
        except BaseException:
            self.close()
            raise

    def _open_decoder(self) -> None:
        self._stream.codec_context.thread_count = 1
        self.codec = codec_name(self._stream)
        self._frames = self._decode()
        first = next(self._frames, None)
        if first is None:
            if self._broken_packets:
                raise AudioError("decode-error", f"{self.path}: no {self.codec} packet decodes ({self._first_error})")
            raise AudioError("no-samples", f"{self.path}: its {self.codec} stream is empty")
        self._first = first
        self.sampling_rate = int(first.sample_rate)
        self.channel_names = tuple(channel.name for channel in first.layout.channels)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._unstack.close()

    def blocks(self, max_duration_s: float | None = None) -> Iterator[Samples]:
        """Yield (channels, sampling_rate) float32, a second each; the last is shorter. Only once.

        A block is valid until the next one. Raises AudioError too-long beyond max_duration_s.
        """
        blocks = Blocks(len(self.channel_names), self.sampling_rate, np.float32)
        timeline = _Timeline(self.sampling_rate, origin(self._container))
        limit = None if max_duration_s is None else round(max_duration_s * self.sampling_rate)
        for frame in self._uniform_frames():
            silence = timeline.place(frame)
            self.num_samples = timeline.position
            if limit is not None and self.num_samples > limit:
                raise AudioError("too-long", f"{self.path} is longer than {max_duration_s:g} s")
            for block in blocks.silence(silence):
                yield self._finite(block)
            for block in blocks.push(_to_float(frame)):
                yield self._finite(block)
        yield self._finite(blocks.rest())
        self._finish(timeline)

    def _finish(self, timeline: _Timeline) -> None:
        promised = promised_duration(self.path, self._container, self._stream)
        duration = self.num_samples / self.sampling_rate
        if promised is not None and duration < promised - TRUNCATION_S:
            self.truncated = True
            self.warnings.append(f"truncated: {promised:.1f} s promised, {duration:.1f} s found")
        elif self.truncated:
            self.warnings.append(f"truncated: reading stopped at {duration:.1f} s")
        if self._broken_packets:
            self.warnings.append(f"broken-packets: {self._broken_packets} could not be decoded ({self._first_error})")
        if self._reformatted:
            self.warnings.append("format-changes: sampling rate or channels change on the way; the first was kept")
        self.warnings += timeline.warnings()

    def _decode(self) -> Iterator[Any]:
        """Yield every frame that decodes; what doesn't is counted, and the timestamps tell the hole."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                self._check_disk(error)
                packet = None
            if packet is None:
                return
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                self._note_broken(error)
                continue
            yield from (frame for frame in frames if frame.samples)

    def _note_broken(self, error: Any) -> None:
        self._broken_packets += 1
        self._first_error = self._first_error or str(error.args[1])

    def _check_disk(self, error: Exception) -> None:
        """A demuxer says EIO both for a cut-off file and for a failing disk; only the latter may pass."""
        self._note_broken(error)
        try:
            with self.path.open("rb") as file:
                while file.read(1 << 20):
                    pass
        except OSError as failure:
            raise AudioError("unreadable", f"{self.path}: {failure}", permanent=False) from failure
        self.truncated = True

    def _uniform_frames(self) -> Iterator[Any]:
        """Yield all frames in the first one's rate and layout (a chained Ogg or a broadcast may change them)."""
        wanted = (self._first.sample_rate, self._first.layout.name)
        current: tuple[Any, ...] | None = None
        resampler: Any = None
        for frame in self._all_frames():
            kind = (frame.sample_rate, frame.layout.name)
            if resampler is not None and (*kind, frame.format.name) != current:
                yield from resampler.resample(None)
                resampler = None
            if kind == wanted and frame.format.name.rstrip("p") in _FULL_SCALE:
                yield frame
                continue
            if resampler is None:
                self._reformatted = self._reformatted or kind != wanted
                current = (*kind, frame.format.name)
                resampler = av.AudioResampler(format="fltp", layout=wanted[1], rate=wanted[0])
            yield from resampler.resample(frame)
        if resampler is not None:
            yield from resampler.resample(None)

    def _all_frames(self) -> Iterator[Any]:
        yield self._first
        yield from self._frames

    def _finite(self, block: Samples) -> Samples:
        """Float files may hold NaN, infinities or nonsense, which would spread through a resampler."""
        if not block.size or max(block.max(), -block.min()) <= LOUDEST:
            return block
        if not any(warning.startswith("not-finite") for warning in self.warnings):
            self.warnings.append(
                "not-finite: samples that are no numbers, or beyond +36 dBFS, were silenced or limited"
            )
        return np.clip(np.nan_to_num(block, nan=0.0), -LOUDEST, LOUDEST)


class _Timeline:
    """Where frames lie: counts samples, and compares them with the frames' timestamps."""

    def __init__(self, sampling_rate: int, start: float | None) -> None:
        self.position = 0  # samples so far, silence included
        self._rate = sampling_rate
        self._start = start
        self._shift = 0  # samples by which a broken clock is corrected
        self._holes = 0
        self._silence = 0
        self._jumps = 0

    def place(self, frame: Any) -> int:
        """Return the samples of silence that come before a frame, and count both."""
        silence = self._silence_before(frame)
        self.position += silence + int(frame.samples)
        return silence

    def _silence_before(self, frame: Any) -> int:
        ticks, base = frame.pts, frame.time_base
        if ticks is None or base is None:
            return 0
        at = ticks * base.numerator / base.denominator
        if self._start is None:
            self._start = at
        ahead: int = round((at - self._start) * self._rate) - self._shift - self.position
        is_first = self.position == 0
        if abs(ahead) <= JITTER_S * self._rate and not is_first:
            return 0
        if 0 <= ahead <= MAX_HOLE_S * self._rate:
            self._holes += not is_first
            self._silence += ahead
            return ahead
        if abs(ahead) > JITTER_S * self._rate:
            self._jumps += 1
        self._shift += ahead
        return 0

    def warnings(self) -> list[str]:
        found = []
        if self._holes:
            found.append(f"holes: {self._holes} filled with silence, {self._silence / self._rate:.2f} s in all")
        elif self._silence:
            found.append(f"late-start: {self._silence / self._rate:.3f} s of silence put before the audio")
        if self._jumps:
            found.append(f"clock-jumps: timestamps jump {self._jumps} times; the audio was kept without gaps there")
        return found


def _to_float(frame: Any) -> Samples:
    """Return (channels, samples) float32 in [-1, 1] of a frame, whatever its sample format."""
    name = frame.format.name
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = array.reshape(-1, len(frame.layout.channels)).T
    offset, full_scale = _FULL_SCALE[name.rstrip("p")]
    samples: Samples = array.astype(np.float32)
    if offset:
        samples -= np.float32(offset)
    if full_scale != 1:
        samples *= np.float32(1 / full_scale)
    return samples
