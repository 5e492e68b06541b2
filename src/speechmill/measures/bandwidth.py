# SPDX-License-Identifier: Apache-2.0
"""True bandwidth of a recording behind its sampling rate: where its long-term spectrum breaks off.

A file at 44.1 kHz may hold a telephone line, or an MP3 whose encoder left the treble out. Both leave an edge: all that
lies above is much weaker than what lies just below. Speech by itself falls slowly, and a microphone's noise has no
edge at all, so what has none is as wide as its sampling rate lets it be. Noise that was added after the edge hides it.
Checked on resampled and coded speech: benchmarks/trust.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechmill.core.errors import Unscorable
from speechmill.core.stage import Samples
from speechmill.core.timebase import CANONICAL_HZ
from speechmill.measures.snr import QUANTISATION

FRAME = 1024  # 43 ms at 24 kHz: 23 Hz a bin
BLOCK = 1_000  # frames transformed at a time: 20 MB, however long the stretch is
SMOOTH_HZ = 200.0  # wider than a voice's harmonics lie apart
BELOW_HZ, GAP_HZ = 400.0, 150.0  # the stretch below an edge that is compared, and the edge's own width
DROP_DB = 12.0  # half of the 24 dB by which the faintest edge of the coded speech it was tried on falls
LOWEST_HZ = 1_500.0  # below it the gaps between a vowel's formants look like edges
HIGHEST_HZ = 11_000.0  # above it is the resampler's own edge


def bandwidth_hz(samples: Samples, *, sampling_rate: int = CANONICAL_HZ) -> float:
    """Return the frequency where the spectrum breaks off, in Hz; half the sampling rate where it doesn't.

    The level has fallen by 12 dB there: what was resampled from 8 kHz ends at 3.9 kHz.

    samples: (num_samples,) in [-1, 1], mono. Raises Unscorable: "too-short" (< 0.1 s), "silence".
    """
    if len(samples) < 0.1 * sampling_rate:
        raise Unscorable("too-short", f"{len(samples) / sampling_rate:.3f} s; bandwidth needs 0.1 s")
    power = _long_term(samples)
    if power.sum() <= len(power) * _rounding():
        raise Unscorable("silence")
    step = sampling_rate / FRAME
    width = round(SMOOTH_HZ / step)
    smooth = np.convolve(power, np.full(width, 1 / width), "same")
    edge = _edge(10 * np.log10(smooth + 1e-3 * _rounding()), step)
    return sampling_rate / 2 if edge is None else edge


def _long_term(samples: Samples) -> NDArray[np.float64]:
    """Mean power of each bin: (513,)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[:: FRAME // 2]
    window = np.hanning(FRAME + 1)[:-1].astype(np.float32)
    total = np.zeros(FRAME // 2 + 1)
    for first in range(0, len(frames), BLOCK):
        spectrum = np.fft.rfft(frames[first : first + BLOCK] * window)
        total += (np.square(spectrum.real) + np.square(spectrum.imag)).sum(axis=0)
    return total / len(frames)


def _rounding() -> float:
    """Power of a bin that holds nothing but the rounding to 16 bits."""
    return QUANTISATION * float(np.square(np.hanning(FRAME + 1)).sum())


def _edge(level: NDArray[np.float64], step: float) -> float | None:
    """Return the highest frequency above which all is DROP_DB weaker than what is just below."""
    below, gap = round(BELOW_HZ / step), round(GAP_HZ / step)
    loudest_from = np.maximum.accumulate(level[::-1])[::-1]
    mean_below = np.convolve(level, np.full(below, 1 / below), "valid")  # of `below` bins, the first at its index
    first = max(below, round(LOWEST_HZ / step))
    last = min(round(HIGHEST_HZ / step), len(level) - gap - 1)
    for place in range(last, first - 1, -1):
        inside, outside = float(mean_below[place - below]), float(loudest_from[place + gap])
        if inside - outside >= DROP_DB:
            # A steep edge drags down the mean below it, so the level before it is the best of those a little lower.
            before = float(mean_below[max(0, place - 2 * below) : place - below + 1].max())
            last_loud = next(i for i in range(place + gap, 0, -1) if level[i] >= before - DROP_DB)
            return (last_loud + 0.5) * step
    return None
