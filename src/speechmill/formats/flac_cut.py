# SPDX-License-Identifier: Apache-2.0
"""Clips of canonical FLAC without coding them anew: whole frames are copied, only what is cut through is coded.

A copied frame keeps its bits but for the header, which has the number of its first sample in the clip, and the
CRC-16, which is corrected by what the new header changes in it: where a frame is damaged, its checksum stays wrong.
Both are the clip's own at its edges. The MD5 of a clip is left unknown (RFC 9639, section 8.2): to compute it, all
would have to be decoded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import av
import numpy as np
from numpy.typing import NDArray

from speechmill.core.errors import AudioError
from speechmill.formats.flac import stream_info
from speechmill.formats.flac_bits import FIXED, LONGEST, MONO_16, VARIABLE, frame, headers, moved
from speechmill.formats.samples import Pcm16

_CHUNK = 128 << 10  # bytes looked at together when frames are looked for: they stay in a core's cache
_SYNC = FIXED << 8 | 0xFF  # the first two bytes of a frame, as a little-endian number
_SMALLEST = 16  # samples of a block that isn't the last
_MOST_BLOCKS = 128  # of metadata, that are looked at
_TOGETHER = 64  # frames given to the decoder in one packet, which takes a tenth less time than one each


class _Frames(NamedTuple):
    """Where the frames of a file are."""

    bounds: NDArray[np.int64]  # (num_frames + 1,), bytes from the file's start
    header_lengths: NDArray[np.int64]  # (num_frames,); of the last, if it is short, not to be used
    header_crc16: NDArray[np.uint16]


class FlacCutter:
    """A canonical FLAC held open, to cut clips out of it; not for several threads at once.

    That all frames are there, follow each other and have sound headers is checked when it is opened; what is decoded
    is checked by its CRC-16. Raises AudioError canonical-audio-missing, canonical-audio-corrupt or unreadable.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info = stream_info(path)
        self._ready: dict[_Plan, _New] = {}
        self._last: tuple[int, Pcm16] = (-1, np.zeros(0, np.int16))  # number and samples of the frame decoded last
        # Of all that is read: new memory for each clip takes four times as long as reading into what is there.
        self._buffer = bytearray(_CHUNK)
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise AudioError("unreadable", f"{path}: {error.strerror or error}", permanent=False) from error
        try:
            self._open()
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> None:
        head = self._read(0, 42)
        self._block = int.from_bytes(head[10:12], "big")
        bits = (int.from_bytes(head[18:26], "big") >> 36 & 31) + 1
        if self.info.channels != 1 or bits != 16 or self._block < _SMALLEST:
            raise self._corrupt(f"it has {self.info.channels} channels of {bits} bits, canonical audio has 1 of 16")
        self._decoder = av.CodecContext.create("flac", "r")
        self._decoder.extradata = head[8:]
        self._decoder.thread_count = 1
        self._decoder.options = {"err_detect": "crccheck+explode"}
        self._frames, self._third = self._index(self._first_frame())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def prepare(self, spans: Sequence[tuple[int, int]]) -> None:
        """Make the headers of clips that are going to be asked for, all at once: a third of the time of a clip."""
        plans = sorted({self._plan(*span) for span in spans})
        self._ready = dict(self._with_headers(plans)) if plans else {}

    def flac(self, start: int, stop: int) -> bytes:
        """Return samples start to stop as a FLAC file, clipped to what there is. Equal input, equal bytes.

        Raises AudioError no-samples where there is none.
        """
        plan = self._plan(start, stop)
        new = self._ready.get(plan) or dict(self._with_headers([plan]))[plan]
        return b"".join([self._stream_info(plan.stop - plan.start), *self._pieces(plan, new)])

    def pcm(self, start: int, stop: int) -> Pcm16:
        """Return samples start to stop, (stop - start,) int16, clipped to what there is."""
        start, stop = max(0, start), min(stop, self.info.num_samples)
        if stop <= start:
            return np.zeros(0, np.int16)
        first, last = start // self._block, (stop - 1) // self._block
        if last != self._last[0] or first != last:
            self._last = (last, self._frames_decoded(first, last))
        offset = first * self._block
        samples = self._last[1]
        if offset + len(samples) < stop:
            raise self._corrupt(f"samples {start} to {stop} can't be decoded")
        found = samples[start - offset : stop - offset]
        # A clip that begins where the one before ended needs the same frame.
        self._last = (last, samples[(last - first) * self._block :])
        return found

    def _frames_decoded(self, first: int, last: int) -> Pcm16:
        """Return the samples of frames, both included."""
        parts: list[Pcm16] = []
        for begin in range(first, last + 1, _TOGETHER):
            stop = min(begin + _TOGETHER, last + 1)
            bounds = self._frames.bounds[begin : stop + 1 : stop - begin].tolist()
            parts += self._decoded(self._content(bounds[0], bounds[1] - bounds[0]), stop - begin)
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _decoded(self, content: memoryview, num_frames: int) -> list[Pcm16]:
        """Return the samples of each of some frames that follow each other."""
        try:
            found = self._decoder.decode(av.Packet(content))
        except av.error.FFmpegError as error:
            raise self._corrupt(error) from error
        if len(found) != num_frames:
            raise self._corrupt("a frame can't be decoded")
        return [np.frombuffer(one.planes[0], np.int16, one.samples) for one in found]

    def _plan(self, start: int, stop: int) -> _Plan:
        """Say which frames of a clip are copied: `first` to `last`, the last not included."""
        start, stop = max(0, start), min(stop, self.info.num_samples)
        if stop <= start:
            raise AudioError("no-samples", f"a clip begins at sample {start}, behind the end of {self.path}")
        first = -(-start // self._block)
        if 0 < first * self._block - start < _SMALLEST:
            first += 1
        return _Plan(start, stop, first, max(first, stop // self._block), min(stop, first * self._block) - start)

    def _with_headers(self, plans: Sequence[_Plan]) -> Iterator[tuple[_Plan, _New]]:
        """Yield what is new in the frames that each clip copies."""
        copied = np.concatenate([np.arange(plan.first, plan.last) for plan in plans])
        numbers = np.concatenate([plan.lead + self._block * np.arange(plan.num_frames) for plan in plans])
        new = headers(VARIABLE, self._third, numbers)
        sizes = self._frames.bounds[copied + 1] - self._frames.bounds[copied] - self._frames.header_lengths[copied]
        change = moved(new.crc16 ^ self._frames.header_crc16[copied], sizes - 2)
        begin = 0
        for plan in plans:
            rows = slice(begin, begin + plan.num_frames)
            begin = rows.stop
            yield plan, _New(new.content[rows], new.lengths[rows], change[rows])

    def _pieces(self, plan: _Plan, new: _New) -> list[bytes | memoryview]:
        before = [self._coded(plan.start, plan.start + plan.lead, 0)] if plan.lead else []
        begin = max(plan.start + plan.lead, plan.last * self._block)
        after = [self._coded(begin, plan.stop, begin - plan.start)] if begin < plan.stop else []
        # The last to be read: these are views of what the next reading overwrites.
        copied = self._copied(plan, new) if plan.num_frames else []
        return [*before, *copied, *after]

    def _copied(self, plan: _Plan, new: _New) -> list[bytes | memoryview]:
        """Return the pieces of the frames that are copied."""
        bounds = self._frames.bounds[plan.first : plan.last + 1]
        begin = int(bounds[0])
        view = self._content(begin, int(bounds[-1]) - begin)
        ends = bounds[1:] - begin
        bodies = bounds[:-1] - begin + self._frames.header_lengths[plan.first : plan.last]
        there = np.frombuffer(view, np.uint8)
        # Between two bodies stand the checksum of one frame and the header of the next.
        glue = np.zeros((plan.num_frames + 1, 2 + LONGEST), np.uint8)
        glue[1:, 0], glue[1:, 1] = there[ends - 2] ^ (new.change >> 8), there[ends - 1] ^ (new.change & 0xFF)
        glue[:-1, 2:] = new.content
        between = glue.tobytes()
        begins = np.arange(0, glue.size, glue.shape[1])
        stops = begins + 2 + np.append(new.lengths, 0)
        pieces: list[bytes | memoryview] = [b""] * (2 * plan.num_frames + 1)
        pieces[::2] = [between[a:b] for a, b in zip(begins.tolist(), stops.tolist(), strict=True)]
        pieces[0] = between[2 : int(stops[0])]
        pieces[1::2] = [view[a:b] for a, b in zip(bodies.tolist(), (ends - 2).tolist(), strict=True)]
        return pieces

    def _coded(self, start: int, stop: int, number: int) -> bytes:
        return frame(self._third & 0x0F, number, self.pcm(start, stop))

    def _stream_info(self, num_samples: int) -> bytes:
        """Return a header. Block sizes differ, so the smallest and largest that any clip may have are told."""
        sizes = _SMALLEST.to_bytes(2, "big") + (self._block + _SMALLEST - 1).to_bytes(2, "big") + bytes(6)
        packed = self.info.sampling_rate << 44 | 15 << 36 | num_samples  # one channel is told as 0, 16 bits as 15
        return b"fLaC\x80\x00\x00\x22" + sizes + packed.to_bytes(8, "big") + bytes(16)

    def _content(self, begin: int, size: int) -> memoryview:
        """Return what stands in the file, until something else is read."""
        if size > len(self._buffer):
            self._buffer = bytearray(size)
        content = memoryview(self._buffer)[:size]
        self._fill(content, begin)
        return content

    def _read(self, begin: int, size: int) -> bytes:
        return bytes(self._content(begin, size))

    def _corrupt(self, detail: object) -> AudioError:
        return AudioError("canonical-audio-corrupt", f"{self.path}: {detail}", permanent=False)

    def _first_frame(self) -> int:
        """Return where the blocks of metadata end."""
        at = 4
        for _ in range(_MOST_BLOCKS):
            head = self._read(at, 4)
            at += 4 + int.from_bytes(head[1:], "big")
            if head[0] & 0x80:
                return at
        raise self._corrupt(f"it has more than {_MOST_BLOCKS} blocks of metadata")

    def _index(self, begin: int) -> tuple[_Frames, int]:
        """Find every frame: each has the number that it must have."""
        num_frames = -(-self.info.num_samples // self._block)
        end = os.fstat(self._file.fileno()).st_size
        if not num_frames:
            empty = np.zeros(0, np.int64)
            return _Frames(np.array([end]), empty, empty.astype(np.uint16)), 0
        third = self._read(begin, 4)[2]
        found, content = self._candidates(begin, end, third & 0x0F)
        expected = headers(FIXED, third, np.arange(num_frames))
        if len(found) > num_frames:  # bits of samples may look like a header's first bytes
            chosen = _in_order(content, expected.content, expected.lengths)
            found, content = found[chosen], content[chosen]
        if len(found) != num_frames:
            raise self._corrupt(f"it has {len(found)} frames and should have {num_frames}")
        # The last may be short; then its header is longer, and like those before it only in its number.
        whole = self.info.num_samples // self._block
        mask = np.arange(LONGEST) < expected.lengths[:whole, np.newaxis]
        wrong = np.flatnonzero(((content[:whole] != expected.content[:whole]) & mask).any(axis=1))
        if len(wrong):
            raise self._corrupt(f"the header of frame {wrong[0]} is damaged")
        return _Frames(np.append(found, end), expected.lengths, expected.crc16), third

    def _candidates(self, begin: int, end: int, rate_code: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return where four bytes look like a frame's first, and 15 bytes of each place."""
        raw = np.zeros(_CHUNK + 2 * LONGEST, np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(raw, LONGEST)
        even, odd = raw[:_CHUNK].view("<u2"), raw[1 : _CHUNK + 1].view("<u2")
        places: list[NDArray[np.int64]] = []
        contents: list[NDArray[np.uint8]] = []
        for at in range(begin, end, _CHUNK):
            size = min(_CHUNK + LONGEST, end - at)
            self._fill(raw[:size].data, at)
            raw[size:] = 0
            found = np.concatenate([2 * np.flatnonzero(even == _SYNC), 2 * np.flatnonzero(odd == _SYNC) + 1])
            found.sort()
            found = found[(raw[found + 2] & 0x0F == rate_code) & (raw[found + 3] == MONO_16)]
            places.append(found + at)
            contents.append(windows[found])
        return np.concatenate(places), np.concatenate(contents)

    def _fill(self, content: memoryview, begin: int) -> None:
        try:
            self._file.seek(begin)
            found = self._file.readinto(content)
        except OSError as error:
            raise AudioError("unreadable", f"{self.path}: {error.strerror or error}", permanent=False) from error
        if found != len(content):
            raise self._corrupt(f"it ends at byte {begin + found}")


class _New(NamedTuple):
    """What is new in the frames that a clip copies: as `headers` has it, and the change of their own checksums."""

    content: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    change: NDArray[np.uint16]


class _Plan(NamedTuple):
    start: int  # samples
    stop: int
    first: int  # frames that are copied
    last: int
    lead: int  # samples before these

    @property
    def num_frames(self) -> int:
        return self.last - self.first


def _in_order(content: NDArray[np.uint8], expected: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows that hold the numbers 0, 1, 2, ... in their order; block sizes may differ."""
    chosen: list[int] = []
    for row in range(len(content)):
        k = len(chosen)
        if k < len(expected) and np.array_equal(content[row, 3 : lengths[k] - 1], expected[k, 3 : lengths[k] - 1]):
            chosen.append(row)
    return np.array(chosen, np.int64)
