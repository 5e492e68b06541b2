# SPDX-License-Identifier: Apache-2.0
"""Landmarks of a recording: the peaks of its spectrogram, by which its copies are known.

A peak is louder than all that is near it, in time and in frequency, and so outlives noise, codecs, gain and another
speed. What is kept of it is when and how high, never how loud. `near_audio` finds recordings whose landmarks agree.

Source: Wang, "An industrial-strength audio search algorithm", ISMIR 2003. Peaks' places are interpolated, as there is
a change of speed to be told (Six & Leman, "Panako", ISMIR 2014).
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechmill.core.errors import FormatError

VERSION = 1  # the first byte; raise it when the same audio gives other landmarks
SAMPLING_RATE = 16_000
TICKS = 250  # a second: a quarter of a frame, 4 ms
OCTAVE = 4096  # steps of frequency

_WINDOW = 1024  # 64 ms: harmonics of a voice stand apart
_HOP = 256
_FIRST_BIN, _LAST_BIN = 12, 256  # 190 to 4,000 Hz: what a codec for telephones leaves
_NEAR_BINS, _NEAR_FRAMES = 8, 10  # a peak is the loudest within 125 Hz and 160 ms of itself
_FLOOR = 1e-3  # 60 dB below the loudest within _FLOOR_FRAMES there is nothing that a copy would keep
_FLOOR_FRAMES = 128
_SILENCE = 5e-7  # of a window's sum: the last bit of 16, as noise
_BLOCK = 1024  # frames at a time, counted from the recording's start, so that results depend on no chunk's size
_HEADER = struct.Struct("<BI")
_LONGEST_STEP = 0xFFFF

Samples = NDArray[np.float32]


class Peaks(NamedTuple):
    """Peaks in the order of time, and how long the recording is."""

    time: NDArray[np.int64]  # (num_peaks,) in TICKS a second
    frequency: NDArray[np.int64]  # (num_peaks,) in steps of an octave / OCTAVE, above 1 Hz
    duration: float  # seconds


class Landmarker:
    """Takes a recording piece by piece; ten hours are never in memory, their landmarks are 4 MB."""

    def __init__(self) -> None:
        self._samples: Samples = np.zeros(0, np.float32)  # from _first on
        self._first = 0  # frame that _samples begins with
        self._next = 0  # frame that the next block begins with
        self._num_samples = 0
        self._found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._window = np.hanning(_WINDOW).astype(np.float32)

    def push(self, samples: Samples) -> None:
        """Take (n,) more samples at SAMPLING_RATE."""
        self._num_samples += len(samples)
        self._samples = np.concatenate([self._samples, samples])
        while self._whole_frames() >= self._next + _BLOCK + _FLOOR_FRAMES:
            self._block(self._next + _BLOCK + _FLOOR_FRAMES)

    def finish(self) -> bytes:
        """Return the landmarks. Raises nothing: a recording shorter than a frame has none."""
        while self._next < self._whole_frames():
            self._block(min(self._whole_frames(), self._next + _BLOCK + _FLOOR_FRAMES))
        return encode(self._found, self._num_samples)

    def _whole_frames(self) -> int:
        return max(0, (self._num_samples - _WINDOW) // _HOP + 1)

    def _block(self, last: int) -> None:
        """Find the peaks of the next block; frames up to `last` are looked at for what is near."""
        inside = self._samples[: (last - self._first - 1) * _HOP + _WINDOW]
        frames = np.lib.stride_tricks.sliding_window_view(inside, _WINDOW)[::_HOP]
        spectrum = np.fft.rfft(frames * self._window, axis=1)
        loudness = np.abs(spectrum[:, _FIRST_BIN - _NEAR_BINS : _LAST_BIN + _NEAR_BINS]).astype(np.float32)
        begin = self._next - self._first
        time, frequency = _peaks(loudness, begin, begin + _BLOCK)
        self._found.append((time + self._first * (TICKS * _HOP // SAMPLING_RATE), frequency))
        self._next += _BLOCK
        first = max(0, self._next - _FLOOR_FRAMES)
        self._samples = self._samples[(first - self._first) * _HOP :]
        self._first = first


def landmarks(samples: Samples) -> bytes:
    """Return the landmarks of (num_samples,) at SAMPLING_RATE."""
    made = Landmarker()
    made.push(samples)
    return made.finish()


def encode(found: list[tuple[NDArray[np.int64], NDArray[np.int64]]], num_samples: int) -> bytes:
    """Write peaks as steps of time and heights, 16 bits each; a pause that is longer is a peak of no height."""
    time = np.concatenate([np.zeros(1, np.int64), *(one for one, _ in found)])
    frequency = np.concatenate([np.zeros(0, np.int64), *(one for _, one in found)])
    steps = np.diff(time)
    pauses = steps // _LONGEST_STEP
    place = np.cumsum(pauses + 1) - 1
    pairs = np.zeros((int((pauses + 1).sum()), 2), "<u2")
    pairs[:, 0] = _LONGEST_STEP
    pairs[place, 0] = steps % _LONGEST_STEP
    pairs[place, 1] = frequency
    return _HEADER.pack(VERSION, num_samples) + pairs.tobytes()


def decode(landmarks: bytes) -> Peaks:
    """Read landmarks. Raises FormatError where they are none of this version."""
    duration = duration_of(landmarks)
    pairs = np.frombuffer(landmarks, "<u2", offset=_HEADER.size).reshape(-1, 2).astype(np.int64)
    real = pairs[:, 1] > 0
    return Peaks(np.cumsum(pairs[:, 0])[real], pairs[real, 1], duration)


def duration_of(landmarks: bytes) -> float:
    """Return how many seconds the recording lasts. Raises FormatError where they are none of this version."""
    if len(landmarks) < _HEADER.size or (len(landmarks) - _HEADER.size) % 4 or landmarks[0] != VERSION:
        raise FormatError(f"landmarks of {len(landmarks)} bytes are not of version {VERSION}; run the stage again")
    num_samples: int = _HEADER.unpack_from(landmarks)[1]
    return num_samples / SAMPLING_RATE


def _peaks(loudness: Samples, begin: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the peaks of frames begin to end; those around are only looked at.

    loudness: (num_frames, num_bins), with _NEAR_BINS more on either side.
    """
    nearby = _largest(_largest(loudness, _NEAR_BINS, axis=1), _NEAR_FRAMES, axis=0)
    loudest = _largest(loudness.max(axis=1, keepdims=True), _FLOOR_FRAMES, axis=0)
    audible = np.maximum(loudest * np.float32(_FLOOR), np.float32(_SILENCE * _WINDOW / 2))
    is_peak = (loudness == nearby) & (loudness > audible)
    is_peak[:, :_NEAR_BINS] = is_peak[:, -_NEAR_BINS:] = False
    is_peak[:begin] = is_peak[end:] = is_peak[:1] = is_peak[-1:] = False
    frame, column = np.nonzero(is_peak)
    here = loudness[frame, column]
    height = column + _between(loudness[frame, column - 1], here, loudness[frame, column + 1])
    moment = frame + _between(loudness[frame - 1, column], here, loudness[frame + 1, column])
    hertz = (height + (_FIRST_BIN - _NEAR_BINS)) * (SAMPLING_RATE / _WINDOW)
    time = np.rint(moment * (TICKS * _HOP / SAMPLING_RATE)).astype(np.int64)
    frequency = np.rint(np.log2(hertz) * OCTAVE).astype(np.int64)
    order = np.lexsort((frequency, time))
    return time[order], frequency[order]


def _between(before: Samples, here: Samples, after: Samples) -> NDArray[np.float64]:
    """Return where a parabola through the logarithms of three values has its top, -0.5 to 0.5 of a step."""
    quiet = 1e-12
    one, two, three = (np.log(np.maximum(values.astype(np.float64), quiet)) for values in (before, here, after))
    bend = one - 2 * two + three
    return np.clip(0.5 * (one - three) / np.where(bend < -quiet, bend, -math.inf), -0.5, 0.5)


def _largest(values: Samples, reach: int, axis: int) -> Samples:
    """Return the largest value within `reach` before and after, in log2(reach) passes."""
    values = np.moveaxis(values, axis, 0)
    edge = np.zeros((reach, *values.shape[1:]), np.float32)
    row = np.concatenate([edge, values, edge])
    width, done = 2 * reach + 1, 1
    while done * 2 <= width:
        row = np.maximum(row[:-done], row[done:])
        done *= 2
    rest = width - done
    if rest:
        row = np.maximum(row[:-rest], row[rest:])
    return np.moveaxis(row, 0, axis)
