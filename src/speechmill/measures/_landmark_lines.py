# SPDX-License-Identifier: Apache-2.0
"""Lay one recording's landmarks over another's: at which place, at which speed, and how much of it agrees."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechmill.measures._landmark_hashes import Hashes
from speechmill.measures.landmarks import OCTAVE, TICKS, Peaks

MAX_SPEED = 0.035  # how much faster or slower a copy may be
_STEPS = 300  # of speed that are tried
_BIN = 0.1 * TICKS  # of places that are tried
_SPAN = 300 * TICKS  # a line is first looked for in so much of the recording: beyond, speeds would have to be finer
_NEAR_TIME, _NEAR_HEIGHT = 0.028 * TICKS, OCTAVE / 40  # how far a peak of a copy is from the original's
_WINDOW = 2 * TICKS  # agreement is judged in pieces of two seconds
_AGREES = 0.16  # share of a piece's peaks that agree, beyond those that agree by chance
_FEW = 8  # a piece of fewer peaks says nothing
_ELSEWHERE = (-1.37, -0.61, 0.73, 1.51)  # seconds beside the place: what agrees there agrees by chance

_Times = NDArray[np.float64]


class Line(NamedTuple):
    """Time in one recording = offset + speed x time in the other; frequencies are `height` steps higher."""

    offset: float  # TICKS
    speed: float
    height: float


def agreeing(one: Hashes, other: Hashes, most: int = 40_000) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of peaks that begin equal hashes; those of hashes that are everywhere are left out."""
    order = np.argsort(other.hash, kind="stable")
    ordered = other.hash[order]
    begin, end = np.searchsorted(ordered, one.hash, "left"), np.searchsorted(ordered, one.hash, "right")
    count = end - begin
    limit = np.sort(count)[::-1]
    allowed = limit[np.searchsorted(np.cumsum(limit[::-1]), most) * -1] if count.sum() > most else count.max(initial=0)
    count = np.where(count <= allowed, count, 0)
    inside = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(one.peak, count), other.peak[order[np.repeat(begin, count) + inside]]


def line(one: Peaks, other: Peaks, pairs: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Line | None:
    """Find the line on which most pairs lie; None where no two do, or its speed is none of a copy."""
    mine, its = one.time[pairs[0]].astype(np.float64), other.time[pairs[1]].astype(np.float64)
    if len(mine) < 2:
        return None
    window = _densest(its)
    found = _voted(mine[window], its[window])
    for tolerance in (0.2 * TICKS, 0.1 * TICKS, 0.06 * TICKS):
        found = _refined(mine, its, *found, tolerance)
    offset, speed = found
    near = np.abs(mine - offset - speed * its) <= 0.06 * TICKS
    if near.sum() < 2 or abs(speed - 1) > MAX_SPEED:
        return None
    height = np.median((one.frequency[pairs[0]] - other.frequency[pairs[1]])[near])
    return Line(offset, speed, float(height))


def _densest(times: _Times) -> NDArray[np.bool_]:
    """Choose the stretch with the most pairs."""
    begins = np.arange(0, times.max() + 1, _SPAN / 2)
    ordered = np.sort(times)
    counts = np.searchsorted(ordered, begins + _SPAN) - np.searchsorted(ordered, begins)
    begin = begins[int(counts.argmax())]
    return np.asarray((times >= begin) & (times < begin + _SPAN))


def _voted(mine: _Times, its: _Times) -> tuple[float, float]:
    """Try speeds, and for each count pairs by place. Returns offset and speed of the greatest count."""
    middle = float(np.median(its))
    spread = max(float(np.ptp(its)), TICKS)
    steps = int(np.clip(np.ceil(2 * MAX_SPEED * spread / (_BIN / 2)), 4, _STEPS))
    best = (-1.0, 0.0, 1.0)
    for speed in 1 + np.linspace(-MAX_SPEED, MAX_SPEED, 2 * (steps // 2) + 1):
        place = np.floor((mine - speed * (its - middle)) / _BIN).astype(np.int64)
        values, counts = np.unique(place, return_counts=True)
        both = counts + np.where(np.diff(values, append=values[-1] + 2) == 1, np.append(counts[1:], 0), 0)
        top = int(both.argmax())
        # Of equally good speeds the one nearest to none: a short clip says little of its speed.
        score = both[top] - abs(speed - 1)
        if score > best[0]:
            best = (float(score), (float(values[top]) + 1) * _BIN - speed * middle, float(speed))
    return best[1], best[2]


def _refined(mine: _Times, its: _Times, offset: float, speed: float, tolerance: float) -> tuple[float, float]:
    """Fit the line to the pairs that are near it."""
    near = np.abs(mine - offset - speed * its) <= tolerance
    if near.sum() < 2:
        return offset, speed
    x, y = its[near], mine[near]
    middle = x.mean()
    # A second's worth of doubt: over a short stretch the speed stays what it was.
    doubt = len(x) * (0.5 * TICKS) ** 2
    slope = (((x - middle) * (y - y.mean())).sum() + doubt * speed) / (((x - middle) ** 2).sum() + doubt)
    return float(y.mean() - slope * middle), float(slope)


def coverage(one: Peaks, other: Peaks, found: Line) -> float:
    """Return the share of the shorter recording that agrees with the longer one, laid along the line.

    Pieces of two seconds, counted by their peaks. In noise many of a copy's peaks are its own, and in what noise has
    covered many of the original's are lost: the better of both is a piece's agreement.
    """
    if one.duration < other.duration:
        found = Line(-found.offset / found.speed, 1 / found.speed, -found.height)
        one, other = other, one
    moved = Peaks(
        np.rint(found.offset + found.speed * other.time).astype(np.int64),
        np.rint(other.frequency + found.height).astype(np.int64),
        other.duration,
    )
    inside = slice(*np.searchsorted(one.time, [moved.time[0] - TICKS, moved.time[-1] + TICKS]))
    base = Peaks(one.time[inside], one.frequency[inside], one.duration)
    if not len(base.time):
        return 0.0
    begin = int(min(moved.time[0], base.time[0]))
    forth, of_forth = _agreement(moved, base, begin)
    back, of_back = _agreement(base, moved, begin)
    counted = np.where(of_forth >= _FEW, of_forth, 0)
    # Where the longer one has nothing within a piece, its own agreement is none.
    size = len(forth)
    back, of_back = np.resize([*back, *np.zeros(size)], size), np.resize([*of_back, *np.zeros(size)], size)
    agrees = np.maximum(forth, np.where(of_back >= _FEW, back, 0)) >= _AGREES
    return float((counted * agrees).sum() / max(counted.sum(), 1))


def _agreement(peaks: Peaks, others: Peaks, begin: int) -> tuple[_Times, _Times]:
    """Return for each piece the share of peaks with a counterpart, beyond chance, and how many peaks it has."""
    piece = (peaks.time - begin) // _WINDOW
    size = int(piece[-1]) + 1
    total = np.bincount(piece, minlength=size).astype(np.float64)
    here = np.bincount(piece, _met(peaks, others, 0), minlength=size)
    chance = sum(np.bincount(piece, _met(peaks, others, round(by * TICKS)), minlength=size) for by in _ELSEWHERE)
    share, by_chance = here / np.maximum(total, 1), np.minimum(chance / len(_ELSEWHERE) / np.maximum(total, 1), 0.9)
    return (share - by_chance) / (1 - by_chance), total


def _met(peaks: Peaks, others: Peaks, shift: int) -> NDArray[np.float64]:
    """Tell which peaks have a counterpart `shift` later: (num_peaks,) 0 or 1."""
    time = peaks.time + shift
    begin = np.searchsorted(others.time, time - _NEAR_TIME, "left")
    end = np.searchsorted(others.time, time + _NEAR_TIME, "right")
    met = np.zeros(len(time), bool)
    for step in range(int((end - begin).max(initial=0))):
        at = np.minimum(begin + step, len(others.time) - 1)
        met |= (begin + step < end) & (np.abs(others.frequency[at] - peaks.frequency) <= _NEAR_HEIGHT)
    return met.astype(np.float64)
