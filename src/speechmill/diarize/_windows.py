# SPDX-License-Identifier: Apache-2.0
"""Windows of speech: where they lie, what they sound like, and which stretch each speaks for.

A window is what the voice encoder hears, 1.6 s; neighbours overlap, and each speaks for the stretch
of speech around its middle. Audio is read a stretch at a time: ten hours of it never are in memory.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.stage import Audio, Samples
from speechmill.core.timebase import WORKING_HZ, on_millisecond, to_samples
from speechmill.core.types import Interval
from speechmill.diarize._voice_encoder import FRAME, STEP, WINDOW_FRAMES, Array, mel_spectrogram

WINDOW_S = WINDOW_FRAMES * STEP / WORKING_HZ
STRETCH_S = 60.0  # audio read at once: 4 MB
LEVEL_DBFS = -30.0  # what quieter speech is raised to, as in the encoder's training
_HALF_FRAME = FRAME // 2
_SHARED_FRAMES = 10  # windows that share 0.1 s count as apart: a hop isn't always an even part of a window
_FLOOR = 1e-5  # -100 dBFS: digital silence is not raised


class Window(Struct, frozen=True):
    """What the encoder hears of one channel, and the stretch of speech it speaks for."""

    first: int  # 10 ms frame on which its 1.6 s begin; negative where they reach over the recording's start
    start: float  # s
    end: float
    channel: int


def windows_of(interval: Interval, hop_s: float) -> list[Window]:
    """Cut an interval into equal stretches of about hop_s; each is heard by the window around its middle.

    The first and the last window reach over the interval's ends.
    """
    count = max(1, round(interval.duration / hop_s))
    step = interval.duration / count
    inner = [on_millisecond(interval.start + index * step) for index in range(1, count)]
    edges = [interval.start, *inner, interval.end]
    return [
        Window(round((start + end - WINDOW_S) / 2 * WORKING_HZ / STEP), start, end, interval.channel)
        for start, end in itertools.pairwise(edges)
    ]


def halves(window: Window) -> list[Window]:
    """The windows around the middles of both halves of a window's stretch."""
    return windows_of(
        Interval(window.start, window.end - window.start, window.channel), (window.end - window.start) / 2
    )


def joined(windows: Sequence[Window]) -> NDArray[np.bool_]:
    """Tell which windows speak for a stretch that touches the one before: (num_windows,)."""
    touch = [one.end == other.start and one.channel == other.channel for one, other in itertools.pairwise(windows)]
    return np.array([False, *touch][: len(windows)], dtype=bool)


def apart(windows: Sequence[Window]) -> NDArray[np.bool_]:
    """Tell which pairs of windows share no audio: (num_windows, num_windows)."""
    first = np.array([window.first for window in windows])
    channel = np.array([window.channel for window in windows])
    far = np.abs(first[:, None] - first) >= WINDOW_FRAMES - _SHARED_FRAMES
    return np.asarray(far | (channel[:, None] != channel))


def mels(audio: Audio, windows: Sequence[Window]) -> Iterator[Array]:
    """Yield the mel spectrograms of windows in their order, some at a time: (some, 160, 40).

    windows: of one channel after the other, each in the order of time.
    """
    for group in _stretches(windows):
        first, last = group[0].first, group[-1].first + WINDOW_FRAMES
        samples = _read(audio, first * STEP - _HALF_FRAME, (last - 1) * STEP + _HALF_FRAME, group[0].channel)
        spectrogram = mel_spectrogram(samples)
        yield np.stack([_levelled(spectrogram, samples, window.first - first) for window in group])


def _stretches(windows: Sequence[Window]) -> Iterator[list[Window]]:
    """Cut a sequence of windows into runs of one channel and at most a minute."""
    limit = math.floor(STRETCH_S * WORKING_HZ / STEP)
    group: list[Window] = []
    for window in windows:
        if group and (window.channel != group[0].channel or window.first + WINDOW_FRAMES - group[0].first > limit):
            yield group
            group = []
        group.append(window)
    if group:
        yield group


def _read(audio: Audio, start: int, end: int, channel: int) -> Samples:
    """Read [start, end) in samples, with zeros where the recording has none."""
    first = max(0, start)
    found = audio.read(first / WORKING_HZ, max(0, end - first) / WORKING_HZ, channel=channel)[: end - first]
    padded = np.zeros(end - start, dtype=np.float32)
    padded[first - start : first - start + len(found)] = found
    return padded


def _levelled(spectrogram: Array, samples: Samples, offset: int) -> Array:
    """Cut a window out and raise it to the level that the encoder knows; a loud one stays as it is."""
    begin = offset * STEP + _HALF_FRAME
    heard = samples[begin : begin + to_samples(WINDOW_S, WORKING_HZ)].astype(np.float64)
    level = max(float(np.sqrt(np.mean(heard**2))), _FLOOR) if len(heard) else 1.0
    gain = max(1.0, 10 ** (LEVEL_DBFS / 20) / level)
    return spectrogram[offset : offset + WINDOW_FRAMES] * np.float32(gain**2)
