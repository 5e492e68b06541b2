# SPDX-License-Identifier: Apache-2.0
"""Where a word ends that fades into a pause: finer and stricter than a model of silence puts it.

A vowel before a pause goes on as breath and echo, which models of silence and of the vowel both fit, and people who
mark boundaries by hand leave out. They mark its end where its voice has fallen by about 18 dB; so does this.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechmill.acoustic import seed
from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ

FALL_DB = 18.0  # best of 16 to 24 on the even half of VoxAngeles' development set, by 1 to 8 ms of mean error
LATER_S = 0.04  # how far behind the path's end it may lie; 0 to 0.1 s differ by less than 1 ms
_LOUD = 90  # percentile of a phone's energy that counts as its level
_BAND_HZ = (80.0, 1000.0)  # the voice; breath and hiss lie higher
_NUM_FFT, _WINDOW = 512, 320  # 20 ms
_QUIET = 1e-9
_OBSTRUENTS = frozenset(["P", "T", "K", "B", "D", "G", "CH", "JH", "S", "SH", "Z", "ZH", "F", "TH", "V", "DH", "HH"])


def sonorants(phones: Iterable[str]) -> frozenset[str]:
    """Return the phones that are voiced throughout, as far as the seed knows them: vowels, nasals, l, r, glides."""
    return frozenset(phone for phone, like in seed.likened(phones).items() if like and not _OBSTRUENTS & set(like))


def faded(samples: Samples, start_s: float, end_s: float, limit_s: float, step_s: float) -> float:
    """Return when a sonorant that lasts from start_s to end_s, before a pause, has faded; never after limit_s.

    samples: (num_samples,) at 16 kHz. step_s: from one measurement of its level to the next.
    """
    step = round(step_s * WORKING_HZ)
    first, last = round(start_s * WORKING_HZ / step), round(end_s * WORKING_HZ / step)
    end = round(min(limit_s, end_s + LATER_S) * WORKING_HZ / step)
    if last <= first:
        return end_s
    level = _level(samples, first, max(end, last), step)
    floor = float(np.percentile(level[: last - first], _LOUD)) - FALL_DB
    above = level > floor
    stop = last - first
    while stop < len(level) and above[stop]:
        stop += 1
    heard = np.flatnonzero(above[:stop])
    return min(limit_s, (first + _crossing(level, int(heard[-1]), floor)) * step / WORKING_HZ)


def _crossing(level: NDArray[np.float64], place: int, floor: float) -> float:
    """Return where the level falls below the floor after `place`, in steps; a level belongs to its step's middle."""
    if place + 1 == len(level):
        return place + 1.0
    return place + 0.5 + float((level[place] - floor) / (level[place] - level[place + 1]))


def _level(samples: Samples, first: int, end: int, step: int) -> NDArray[np.float64]:
    """Return the voice's level in dB, at the middle of steps `first` to `end`."""
    begin = first * step + step // 2 - _WINDOW // 2
    stop = begin + (end - first - 1) * step + _WINDOW
    inside = samples[max(0, begin) : max(0, stop)]
    padded = np.zeros(stop - begin, np.float32)
    padded[max(0, -begin) : max(0, -begin) + len(inside)] = inside
    window, band = _tables()
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::step]
    spectrum = np.fft.rfft(windows * window, _NUM_FFT, axis=1)[:, band]
    power: NDArray[Any] = (spectrum.real**2 + spectrum.imag**2).sum(axis=1)
    return np.asarray(10 * np.log10(power + _QUIET), np.float64)


@functools.lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.float32], slice]:
    low, high = (int(np.ceil(hertz * _NUM_FFT / WORKING_HZ)) for hertz in _BAND_HZ)
    return np.hanning(_WINDOW).astype(np.float32), slice(low, high)
