# SPDX-License-Identifier: Apache-2.0
"""Audio in and out: originals to canonical FLAC, canonical FLAC to samples, small files either way.

Canonical audio is 24 kHz mono PCM16, one FLAC per kept channel, made in one pass of constant memory; the 16 kHz
working copy follows from its samples alone, so that it is the same whether made on the way or from the FLAC later.
Containers are in `containers`, decoding and the timeline in `decode`, FLAC in `flac`, the working copy in `working`.
"""

from __future__ import annotations

import contextlib
import math
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from speechmill.core.errors import AudioError
from speechmill.core.files import atomic
from speechmill.core.stage import Samples
from speechmill.core.timebase import CANONICAL_HZ, to_samples, to_seconds
from speechmill.core.types import Canonical
from speechmill.formats.containers import Probe, probe
from speechmill.formats.decode import Original
from speechmill.formats.flac import FlacReader, FlacWriter, encode_flac, write_flac
from speechmill.formats.loudness import LoudnessMeter
from speechmill.formats.samples import from_pcm16, quantise, to_pcm16
from speechmill.formats.working import MEMORY_S, PcmAudio, WorkingCopy

__all__ = [
    "PcmAudio",
    "Probe",
    "encode_flac",
    "make_canonical",
    "open_canonical",
    "probe",
    "read_audio",
    "read_canonical",
    "write_flac",
    "write_wav",
]

Channels = Literal["mix", "each"]
_MARGIN_S = 0.25  # around a cut to be resampled; soxr's HQ filter is a hundredth of that


def make_canonical(
    path: Path,
    folder: Path,
    stem: str,
    channels: Channels,
    *,
    max_duration_s: float | None = None,
    temporary_folder: Path | None = None,
) -> tuple[Canonical, PcmAudio]:
    """Decode an original once into `<stem>-0.flac`, ... in `folder`, and its working copy.

    channels: "mix" averages all channels but the LFE; "each" keeps one file per channel. Video: the first audio
    stream. Returns what was measured (paths relative to `folder`; peak and loudness of the canonical audio, over
    several channels those of the loudest) and the audio, which the caller closes. Files are whole or absent.
    Raises AudioError: unreadable (may pass), zero-bytes, not-audio, no-audio-stream, decode-error, no-samples,
    too-long; and OSError where it can't write (a full disk).
    """
    with contextlib.ExitStack() as on_failure, contextlib.ExitStack() as stack:
        original = stack.enter_context(Original(path))
        weights = _weights(original.channel_names, channels)
        paths = [folder / f"{stem}-{number}.flac" for number in range(len(weights))]
        copies = [_new_copy(on_failure, len(paths), temporary_folder) for _ in paths]
        tracks = [
            stack.enter_context(_writing(target, original.sampling_rate, copy))
            for target, copy in zip(paths, copies, strict=True)
        ]
        for block in original.blocks(max_duration_s):
            for track, row in zip(tracks, weights, strict=True):
                track.push(_combine(block, row))
        for track in tracks:
            track.finish()
        if not tracks[0].num_samples:
            raise AudioError("no-samples", f"{path}: less than one sample at {CANONICAL_HZ} Hz")
        stack.close()  # the files get their names
        canonical = _describe(original, tracks, [target.name for target in paths])
        audio = PcmAudio(paths, copies, tracks[0].num_samples)
        on_failure.pop_all()
    return canonical, audio


def open_canonical(folder: Path, canonical: Canonical, *, temporary_folder: Path | None = None) -> PcmAudio:
    """Return the audio of FLACs that `make_canonical` wrote; the caller closes it.

    Raises AudioError canonical-audio-missing, canonical-audio-corrupt or unreadable; another try may succeed.
    """
    paths = [folder / name for name in canonical.paths]
    with contextlib.ExitStack() as on_failure:
        copies = [_new_copy(on_failure, len(paths), temporary_folder) for _ in paths]
        lengths = [_load(path, copy) for path, copy in zip(paths, copies, strict=True)]
        for path, length in zip(paths, lengths, strict=True):
            if to_seconds(length, CANONICAL_HZ) != canonical.duration:
                detail = f"{path} lasts {length / CANONICAL_HZ:.4f} s, not {canonical.duration:.4f} s"
                raise AudioError("canonical-audio-corrupt", detail, permanent=False)
        on_failure.pop_all()
    return PcmAudio(paths, copies, lengths[0])


def _new_copy(on_failure: contextlib.ExitStack, num_channels: int, folder: Path | None) -> WorkingCopy:
    copy = WorkingCopy(MEMORY_S / num_channels, folder)
    on_failure.callback(copy.close)
    return copy


def _load(path: Path, copy: WorkingCopy) -> int:
    with FlacReader(path) as reader:
        if reader.info.sampling_rate != CANONICAL_HZ:
            detail = f"{path} has {reader.info.sampling_rate} Hz, not {CANONICAL_HZ}"
            raise AudioError("canonical-audio-corrupt", detail, permanent=False)
        for samples in reader.frames():
            copy.push(samples)
    copy.finish()
    return reader.info.num_samples


def _weights(channel_names: Sequence[str], channels: Channels) -> list[list[int]]:
    """Return, for each file, the indices of the original's channels that are averaged into it."""
    indices = range(len(channel_names))
    if channels == "each":
        return [[index] for index in indices]
    return [[index for index in indices if not channel_names[index].startswith("LFE")] or list(indices)]


def _combine(block: Samples, indices: Sequence[int]) -> Samples:
    combined: Samples = block[indices[0]]
    if len(indices) > 1:
        combined = block[list(indices)].mean(axis=0, dtype=np.float32)
    return combined


class _Track:
    """One kept channel on its way: original rate to 24 kHz to PCM16, to FLAC, meter and working copy."""

    def __init__(self, writer: FlacWriter, sampling_rate: int, copy: WorkingCopy) -> None:
        self._writer = writer
        self._copy = copy
        self._meter = LoudnessMeter(CANONICAL_HZ)
        same = sampling_rate == CANONICAL_HZ
        self._resampler = None if same else soxr.ResampleStream(sampling_rate, CANONICAL_HZ, 1)
        self.num_limited = 0
        self.peak = 0  # of 32,768
        self.loudness_lufs: float | None = None

    @property
    def num_samples(self) -> int:
        return self._writer.num_samples

    def push(self, samples: Samples) -> None:
        """Take (n,) more at the original's rate."""
        contiguous = np.ascontiguousarray(samples)
        self._take(contiguous if self._resampler is None else self._resampler.resample_chunk(contiguous))

    def finish(self) -> None:
        if self._resampler is not None:
            self._take(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        self._copy.finish()
        self._writer.close()
        self.loudness_lufs = self._meter.integrated_lufs()

    def _take(self, samples: Samples) -> None:
        if not samples.size:
            return
        pcm, num_limited = quantise(samples)
        self.num_limited += num_limited
        self.peak = max(self.peak, int(pcm.max()), -int(pcm.min()))
        self._writer.write(pcm[np.newaxis])
        self._meter.push(pcm)
        self._copy.push(pcm)


@contextlib.contextmanager
def _writing(target: Path, sampling_rate: int, copy: WorkingCopy) -> Iterator[_Track]:
    """Yield a track whose file gets its name when all went well."""
    with atomic(target) as temporary, temporary.open("wb") as file:
        writer = FlacWriter(file, CANONICAL_HZ)
        try:
            yield _Track(writer, sampling_rate, copy)
        except BaseException:
            writer.abandon()
            raise


def _describe(original: Original, tracks: Sequence[_Track], names: Sequence[str]) -> Canonical:
    peak = max(track.peak for track in tracks)
    num_limited = sum(track.num_limited for track in tracks)
    limited = [f"clipped-samples: {num_limited} were louder than full scale and limited"] if num_limited else []
    return Canonical(
        paths=tuple(names),
        duration=to_seconds(tracks[0].num_samples, CANONICAL_HZ),
        sampling_rate=original.sampling_rate,
        channels=len(original.channel_names),
        codec=original.codec,
        loudness_lufs=max((track.loudness_lufs for track in tracks if track.loudness_lufs is not None), default=None),
        peak_dbfs=round(20 * math.log10(peak / 32768), 2) if peak else None,
        truncated=original.truncated,
        warnings=(*original.warnings, *limited),
    )


def read_canonical(path: Path, start: float, duration: float, *, sampling_rate: int = CANONICAL_HZ) -> Samples:
    """Cut (num_samples,) float32 out of a canonical FLAC, exact to the sample, clipped to the file.

    Decodes only what it returns. At another sampling rate the cut is resampled with a margin around it and
    is within one step of PCM16 of the same stretch of the whole file resampled. Raises AudioError as open_canonical.
    """
    with FlacReader(path) as reader:
        native = reader.info.sampling_rate
        if sampling_rate == native:
            return from_pcm16(reader.read(to_samples(start, native), to_samples(start + duration, native)))
        return _resampled_cut(reader, start, duration, sampling_rate)


def _resampled_cut(reader: FlacReader, start: float, duration: float, sampling_rate: int) -> Samples:
    native = reader.info.sampling_rate
    total = round(reader.info.num_samples * sampling_rate / native)
    first = min(max(0, to_samples(start, sampling_rate)), total)
    last = min(max(first, to_samples(start + duration, sampling_rate)), total)
    # Both rates have a sample at every multiple of `step`: starting there, the two grids coincide.
    step = native // math.gcd(native, sampling_rate)
    begin = max(0, int(first / sampling_rate * native - _MARGIN_S * native)) // step * step
    end = math.ceil(last / sampling_rate * native + _MARGIN_S * native)
    resampled = soxr.resample(from_pcm16(reader.read(begin, end)), native, sampling_rate)
    offset = begin * sampling_rate // native
    return from_pcm16(to_pcm16(resampled[first - offset : last - offset]))


def read_audio(path: Path) -> tuple[Samples, int]:
    """Decode a whole small file: ((channels, num_samples) float32, sampling rate in Hz). Raises AudioError."""
    with Original(path) as original:
        blocks = [block.copy() for block in original.blocks()]
        return np.concatenate(blocks, axis=1), original.sampling_rate


def write_wav(path: Path, samples: NDArray[Any], sampling_rate: int) -> None:
    """Write (n,) or (channels, n) float32 in [-1, 1] or int16 as PCM16 WAV, whole or not at all."""
    pcm = np.atleast_2d(to_pcm16(samples))
    with atomic(path) as temporary, wave.open(str(temporary), "wb") as file:
        file.setnchannels(len(pcm))
        file.setsampwidth(2)
        file.setframerate(sampling_rate)
        file.writeframes(np.ascontiguousarray(pcm.T).astype("<i2").tobytes())
