# SPDX-License-Identifier: Apache-2.0
"""FLAC at rest: writing PCM16 byte-reproducibly, and cutting any stretch out of it to the sample.

Writes mono and stereo 16 bit, and reads mono back, which is all that speechmill stores; other people's FLAC
goes through `decode`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import av
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.errors import AudioError
from speechmill.core.files import atomic
from speechmill.formats.samples import Pcm16, to_pcm16

_LAYOUTS = {1: "mono", 2: "stereo"}
_COMPRESSION = "5"  # 3,300x real time; 8 halves the speed for 0.5 % of the size
_BACK_OFF_S = 10  # how far to step back where a seek lands too late


class _Sink:
    """A file for libav that remembers why writing failed: libav itself only says that a callback did."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, content: bytes) -> int:
        try:
            return self._file.write(content)
        except OSError as error:
            self.error = self.error or error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class FlacWriter:
    """Streams PCM16 into an open, seekable file. A full disk raises the OSError that it is."""

    def __init__(self, file: BinaryIO, sampling_rate: int, channels: int = 1) -> None:
        if channels not in _LAYOUTS:
            raise ValueError(f"FLAC is written with 1 or 2 channels, not {channels}")
        self.num_samples = 0  # per channel
        self._rate = sampling_rate
        self._layout = _LAYOUTS[channels]
        self._file = file
        self._sink = _Sink(file)
        # bitexact: no version of libav in the file, so that equal samples give equal bytes.
        self._container = av.open(self._sink, "w", format="flac", container_options={"fflags": "+bitexact"})
        options = {"compression_level": _COMPRESSION, "flags": "+bitexact"}
        self._stream = self._container.add_stream("flac", rate=sampling_rate, layout=self._layout, options=options)
        self._stream.codec_context.thread_count = 1

    def write(self, samples: Pcm16) -> None:
        """Encode (channels, n) more."""
        if not samples.size:
            return
        interleaved = np.ascontiguousarray(samples.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=self._layout)
        frame.sample_rate = self._rate
        frame.pts = self.num_samples
        self.num_samples += samples.shape[1]
        self._encode(frame)

    def close(self) -> None:
        """Write what is left, and the header's count and MD5. The file stays open."""
        self._encode(None)
        with self._true_error():
            self._container.close()
        self._file.flush()

    def abandon(self) -> None:
        """Free the encoder after a failure; what it wrote is of no use."""
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self._container.close()

    def _encode(self, frame: Any) -> None:
        with self._true_error():
            for packet in self._stream.encode(frame):
                self._container.mux(packet)

    @contextlib.contextmanager
    def _true_error(self) -> Iterator[None]:
        try:
            yield
        except av.error.FFmpegError:
            if self._sink.error is None:
                raise
        if self._sink.error is not None:
            raise self._sink.error


def encode_flac(samples: NDArray[Any], sampling_rate: int) -> bytes:
    """Return a FLAC file of (n,) or (channels, n) float32 in [-1, 1] or int16: equal samples, equal bytes."""
    file = io.BytesIO()
    pcm = np.atleast_2d(to_pcm16(samples))
    writer = FlacWriter(file, sampling_rate, len(pcm))
    for start in range(0, pcm.shape[1], sampling_rate):
        writer.write(pcm[:, start : start + sampling_rate])
    writer.close()
    return file.getvalue()


def write_flac(path: Path, samples: NDArray[Any], sampling_rate: int) -> None:
    """Write (n,) or (channels, n) float32 in [-1, 1] or int16 as a 16 bit FLAC, whole or not at all."""
    content = encode_flac(samples, sampling_rate)
    with atomic(path) as temporary:
        temporary.write_bytes(content)


class StreamInfo(Struct, frozen=True):
    """The header of a FLAC."""

    sampling_rate: int
    channels: int
    num_samples: int
    md5: bytes  # of the interleaved little-endian samples


def stream_info(path: Path) -> StreamInfo:
    """Read the STREAMINFO block (RFC 9639, section 8.2). Raises AudioError, as FlacReader does."""
    try:
        with path.open("rb") as file:
            head = file.read(42)
    except FileNotFoundError as error:
        raise AudioError("canonical-audio-missing", f"{path} is gone", permanent=False) from error
    except OSError as error:
        raise AudioError("unreadable", f"{path}: {error.strerror or error}", permanent=False) from error
    if len(head) < 42 or head[:4] != b"fLaC":
        raise _corrupt(path, "it has no FLAC header")
    packed = int.from_bytes(head[18:26], "big")
    return StreamInfo(packed >> 44, (packed >> 41 & 7) + 1, packed & (1 << 36) - 1, head[26:42])


def _corrupt(path: Path, detail: object) -> AudioError:
    return AudioError("canonical-audio-corrupt", f"{path}: {detail}", permanent=False)


class FlacReader:
    """A mono 16 bit FLAC held open, to be cut at any sample or read through.

    Raises AudioError canonical-audio-missing, canonical-audio-corrupt or unreadable; another try may succeed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info = stream_info(path)
        if self.info.channels != 1:
            raise _corrupt(path, f"it has {self.info.channels} channels, canonical audio has one")
        try:
            self._container = av.open(
                f"file:{path.absolute()}", options={"protocol_whitelist": "file", "format_whitelist": "flac"}
            )
        except av.error.FFmpegError as error:
            raise _corrupt(path, error) from error
        self._stream = self._container.streams.audio[0]
        self._stream.codec_context.thread_count = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._container.close()

    def read(self, start: int, stop: int) -> Pcm16:
        """Return samples start to stop, (stop - start,) int16, clipped to the file; decodes no more than it must."""
        start, stop = max(0, start), min(stop, self.info.num_samples)
        if stop <= start:
            return np.zeros(0, np.int16)
        samples = self._cut(start, start, stop)
        if samples is None:
            samples = self._cut(max(0, start - _BACK_OFF_S * self.info.sampling_rate), start, stop)
        if samples is None or len(samples) != stop - start:
            raise _corrupt(self.path, f"samples {start} to {stop} can't be decoded")
        return samples

    def _cut(self, seek_to: int, start: int, stop: int) -> Pcm16 | None:
        """Seek and decode; None where the seek lands after `start`."""
        parts: list[Pcm16] = []
        for at, samples in self._frames_from(seek_to):
            if not parts and at > start:
                return None
            parts.append(samples[max(0, start - at) : stop - at])
            if at + len(samples) >= stop:
                break
        return np.concatenate(parts) if parts else None

    def _frames_from(self, sample: int) -> Iterator[tuple[int, Pcm16]]:
        try:
            self._container.seek(sample, stream=self._stream)
            for frame in self._container.decode(self._stream):
                if frame.pts is None:
                    raise _corrupt(self.path, "a frame has lost its place")
                # A seek lands on a frame's header, whose sample number is exact.
                yield round(frame.pts * frame.time_base * self.info.sampling_rate), frame.to_ndarray().reshape(-1)
        except av.error.FFmpegError as error:
            raise _corrupt(self.path, error) from error

    def frames(self) -> Iterator[Pcm16]:
        """Yield all samples, frame by frame, and check them against the header's count and MD5."""
        digest = hashlib.md5(usedforsecurity=False)
        num_samples = 0
        for _, samples in self._frames_from(0):
            digest.update(samples.astype("<i2", copy=False).tobytes())
            num_samples += len(samples)
            yield samples
        if num_samples != self.info.num_samples or digest.digest() != self.info.md5:
            raise _corrupt(self.path, f"{num_samples} samples decoded, which are not those that were written")
