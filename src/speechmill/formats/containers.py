# SPDX-License-Identifier: Apache-2.0
"""Audio containers: opening an untrusted file safely, and what it promises before it is decoded.

libav is kept to local files and to a list of demuxers that hold their own data, so that a playlist
(HLS, ffconcat, DASH) renamed to .wav can't make it read other files. Decoding is in `decode`.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from msgspec import Struct

from speechmill.core.errors import AudioError

# Demuxers whose files contain their audio. Absent on purpose: hls, dash, concat, sdp, image and text formats
# (they open other URLs), and raw PCM (anything would be audio).
DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,gsm,loas,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,"
    "mxf,nistsphere,nut,ogg,oma,qcp,rm,shn,tak,tta,voc,w64,wav,wtv,wv,xwma"
)
# Demuxers whose durations come from a header; others estimate them from the bit rate or the last timestamp.
_STATES_DURATION = {"mov", "flac", "matroska", "aiff", "au", "caf", "flv", "tta", "w64", "wv"}
_STREAMED = 0x7FFF_0000  # RIFF sizes from here on are what writers put that can't seek back
_HEAD = 4096  # bytes; longer than the largest MP3 frame with its tag


class Probe(Struct, frozen=True):
    """What a container says of its first audio stream, without decoding."""

    duration: float | None  # seconds; None where only decoding can tell
    sampling_rate: int  # Hz
    channels: int
    codec: str


def probe(path: Path) -> Probe:
    """Read the headers of an audio or video file: a fraction of a millisecond.

    The duration is a promise: a truncated file may hold less. Raises AudioError as `make_canonical` does.
    """
    with open_container(path) as (container, stream):
        context = stream.codec_context
        if not context.sample_rate:
            raise AudioError("decode-error", f"{path}: the sampling rate of its {codec_name(stream)} can't be told")
        return Probe(_container_duration(container, stream), context.sample_rate, context.channels, codec_name(stream))


def codec_name(stream: Any) -> str:
    """Name the codec as ffmpeg does: "aac", "mp3", "pcm_s16le"."""
    return str(stream.codec_context.codec.canonical_name)


@contextlib.contextmanager
def open_container(path: Path) -> Iterator[tuple[Any, Any]]:
    """Yield (container, first audio stream) of a local file.

    Raises AudioError: unreadable (may pass), zero-bytes, not-audio, no-audio-stream, decode-error.
    """
    head = _readable(path)
    try:
        container = av.open(
            # The prefix keeps a name like "http:x" a name; libav takes what follows as it is.
            f"file:{os.path.abspath(path)}",
            options={"protocol_whitelist": "file", "format_whitelist": DEMUXERS},
            metadata_errors="replace",  # tags in Latin-1 are no reason to fail
        )
    except av.error.FFmpegError as error:
        raise _not_opened(path, head, error) from error
    with container:
        yield container, _audio_stream(path, head, container)


def _readable(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise AudioError("not-audio", f"{path} is not a regular file")
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise AudioError("unreadable", f"{path}: {error.strerror or error}", permanent=False) from error
    if not status.st_size:
        raise AudioError("zero-bytes", f"{path} is empty")
    return head


def _not_opened(path: Path, head: bytes, error: Exception) -> AudioError:
    if isinstance(error, OSError) and not isinstance(error, av.error.EOFError):
        return AudioError("unreadable", f"{path}: {error.strerror}", permanent=False)
    if head[4:8] == b"ftyp":
        return _without_index(path)
    return AudioError(
        "not-audio", f"{path}: no supported audio or video container is recognised in its content ({error.args[1]})"
    )


def _without_index(path: Path) -> AudioError:
    return AudioError(
        "decode-error",
        f"{path}: an MP4/M4A without its index (moov), which is written last: the recording or download was cut off. "
        "Fetch it again, or rebuild the index with a repair tool",
    )


def _audio_stream(path: Path, head: bytes, container: Any) -> Any:
    if not container.streams.audio:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "no streams"
        if head[4:8] == b"ftyp" and "video" not in kinds:
            raise _without_index(path)
        raise AudioError("no-audio-stream", f"{path}: {container.format.name} with {kinds}")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise AudioError("decode-error", f"{path}: libav has no decoder for its audio codec")
    _ignore_others(container, stream)
    return stream


def _ignore_others(container: Any, stream: Any) -> None:
    """Keep the demuxer from reading video that nobody decodes."""
    for other in container.streams:
        if other.index != stream.index and hasattr(other, "discard"):  # PyAV before 18 has no such switch
            other.discard = av.stream.Discard.all


def origin(container: Any) -> float | None:
    """Return the second at which the file's timeline starts: the earliest start of its streams.

    An MP3's own encoder delay counts as start here, so that its first kept sample lies at 0.
    Cover pictures don't count. None where no stream says.
    """
    starts = [
        float(stream.start_time * stream.time_base)
        for stream in container.streams
        if stream.type in ("audio", "video") and stream.start_time is not None and not _is_cover(stream)
    ]
    return min(starts, default=None)


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _container_duration(container: Any, stream: Any) -> float | None:
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    alone = all(other.type == "audio" or _is_cover(other) for other in container.streams)
    if container.duration is None or not alone:
        return None
    return float(container.duration) / 1e6  # AV_TIME_BASE


def promised_duration(path: Path, container: Any, stream: Any) -> float | None:
    """Return the seconds that a header states, to tell a truncated file; None where it is only an estimate."""
    duration = _container_duration(container, stream)
    name = container.format.name
    if duration is None or name.split(",")[0] in _STATES_DURATION or (name == "mp3" and _has_xing(path)):
        return duration
    # libav itself goes by the size of the file.
    return duration * _riff_excess(path) if name in ("wav", "avi") else None


def _riff_excess(path: Path) -> float:
    """Return how many times the real size of a RIFF file its header claims; at least 1."""
    with path.open("rb") as file:
        head = file.read(8)
    claimed = int.from_bytes(head[4:8], "little") + 8
    if head[:4] != b"RIFF" or claimed >= _STREAMED:
        return 1.0
    return max(1.0, claimed / path.stat().st_size)


def _has_xing(path: Path) -> bool:
    """Tell whether an MP3 states its number of frames (a Xing, Info or VBRI tag in its first frame)."""
    with path.open("rb") as file:
        head = file.read(10)
        skipped = 0
        if head[:3] == b"ID3":
            skipped = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        file.seek(skipped)
        frame = file.read(_HEAD)
    return any(tag in frame for tag in (b"Xing", b"Info", b"VBRI"))
