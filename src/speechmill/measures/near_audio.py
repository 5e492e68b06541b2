# SPDX-License-Identifier: Apache-2.0
"""Recordings that sound alike: copies re-encoded, trimmed, in noise, louder, 3 % faster or slower, with another intro.

An index over hashes of landmarks proposes pairs; then one recording is laid over the other along a line of constant
speed, and what counts is the share of the shorter one that agrees. So an intro in common is not enough, an excerpt is
found in what it was cut from, and two readings of a text by the same speaker are two recordings.

Memory is bounded: the index holds _ENTRIES hashes at a time, and of a recording longer than half a minute one hash in
two, of one longer than a minute one in four, and so on, where it is compared with such as are no shorter.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechmill.measures._landmark_hashes import Hashes, hashes, sampled
from speechmill.measures._landmark_lines import MAX_SPEED, agreeing, coverage, line
from speechmill.measures.landmarks import TICKS, Peaks, decode, duration_of

MIN_COVERAGE = 0.8  # share of the shorter recording that has to agree; chosen by benchmarks/duplicates.py
MIN_DURATION = 2.0  # seconds; what is shorter has too few landmarks to be told apart, and is left alone
_LEVEL_S = 32.0  # twice as long: half of the hashes
_ENTRIES = 10_000_000  # of the index at a time: 120 MB, some times that while it is sorted
_PROBED = 250_000  # hashes looked up at a time, each some ten times there
_COMMON = 16  # a hash that is so many times as frequent as others, and in _RARE recordings, tells nothing
_RARE = 200
_PLACE = 0.4 * TICKS  # hashes agree on a place within this, ...
_VOTES, _MORE_VOTES, _VOTE_S = 2, 6, 8.0  # ... and so many propose a pair; one more for each 8 s, up to _MORE_VOTES
_PARTS = 5  # sixteenths of a longer recording in which something agrees: a shared intro is in fewer

_Indices = NDArray[np.int64]
_Floats = NDArray[np.float64]


class NearAudio(NamedTuple):
    """Pairs of recordings that sound alike, by their indices, left < right, ascending."""

    left: _Indices
    right: _Indices
    coverage: _Floats  # share of the shorter one that agrees, at least MIN_COVERAGE
    offset: _Floats  # seconds: time in left = offset + speed x time in right
    speed: _Floats


class _Index(NamedTuple):
    """Hashes of some recordings, sorted."""

    hash: NDArray[np.uint32]
    recording: NDArray[np.int32]
    time: NDArray[np.int32]


def near_duplicates(prints: Sequence[bytes], min_coverage: float = MIN_COVERAGE) -> NearAudio:
    """Find pairs of recordings by their landmarks. Recordings shorter than MIN_DURATION are in none.

    Raises FormatError where landmarks are of another version.
    """
    found = []

    @functools.lru_cache(maxsize=256)  # pairs come by their left one
    def opened(recording: int) -> tuple[Peaks, Hashes]:
        peaks = decode(prints[recording])
        return peaks, hashes(peaks)

    for left, right in _proposed(prints):
        verified = _compared(*opened(left), *opened(right))
        if verified is not None and verified[0] >= min_coverage:
            found.append((left, right, *verified))
    columns = np.array(found, dtype=np.float64).reshape(-1, 5).T
    return NearAudio(columns[0].astype(np.int64), columns[1].astype(np.int64), *columns[2:])


def compare(left: Peaks, right: Peaks) -> tuple[float, float, float] | None:
    """Lay two recordings over each other. Returns coverage, offset in seconds and speed; None where none fit."""
    return _compared(left, hashes(left), right, hashes(right))


def _compared(left: Peaks, of_left: Hashes, right: Peaks, of_right: Hashes) -> tuple[float, float, float] | None:
    found = line(left, right, agreeing(of_left, of_right))
    if found is None:
        return None
    return coverage(left, right, found), found.offset / TICKS, found.speed


def _proposed(prints: Sequence[bytes]) -> list[tuple[int, int]]:
    """Return pairs that are worth to be looked at, ascending."""
    level = np.array([_level(duration_of(one)) for one in prints], dtype=np.int64)
    pairs = [np.zeros((0, 2), np.int64)]
    for at in np.unique(level[level >= 0]).tolist():
        for index in _indices(prints, np.flatnonzero(level == at), at):
            pairs += [_agreed(index, *probe, level) for probe in _probes(prints, np.flatnonzero(level >= at), at)]
    return [(left, right) for left, right in np.unique(np.concatenate(pairs), axis=0).tolist()]


def _level(duration: float) -> int:
    if duration < MIN_DURATION:
        return -1
    return max(0, int(np.floor(np.log2(duration / _LEVEL_S))) + 1)


def _indices(prints: Sequence[bytes], members: _Indices, level: int) -> Iterator[_Index]:
    """Yield the hashes of all recordings of a level, so many at a time as memory is given to."""
    for found, peaks, recordings in _batches(prints, members, level, _ENTRIES):
        order = np.argsort(found, kind="stable")
        found, peaks, recordings = found[order], peaks[order], recordings[order]
        _, inverse, count = np.unique(found, return_inverse=True, return_counts=True)
        rare = count <= max(_RARE, _COMMON * float(count.mean() if len(count) else 0))
        kept = rare[inverse]
        yield _Index(found[kept], recordings[kept], peaks[kept])


def _probes(
    prints: Sequence[bytes], recordings: _Indices, level: int
) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int32]]]:
    for found, times, whose in _batches(prints, recordings, level, _PROBED):
        yield found, whose, times


def _batches(
    prints: Sequence[bytes], recordings: _Indices, level: int, most: int
) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int32]]]:
    """Yield hashes, their times and recordings; a recording is in one batch."""
    some: list[tuple[Hashes, NDArray[np.int32], NDArray[np.int32]]] = []
    total = 0
    for recording in recordings.tolist():
        peaks = decode(prints[recording])
        found = sampled(hashes(peaks), level)
        whose = np.full(len(found.hash), recording, np.int32)
        some.append((found, peaks.time[found.peak].astype(np.int32), whose))
        total += len(found.hash)
        if total >= most:
            yield _together(some)
            some, total = [], 0
    if some:
        yield _together(some)


def _together(
    some: Sequence[tuple[Hashes, NDArray[np.int32], NDArray[np.int32]]],
) -> tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int32]]:
    found = np.concatenate([one.hash for one, _, _ in some])
    return found, np.concatenate([times for _, times, _ in some]), np.concatenate([whose for _, _, whose in some])


def _agreed(
    index: _Index,
    found: NDArray[np.uint32],
    recordings: NDArray[np.int32],
    times: NDArray[np.int32],
    level: _Indices,
) -> _Indices:
    """Return (num_pairs, 2) recordings of which enough hashes agree on a place."""
    begin, end = np.searchsorted(index.hash, found, "left"), np.searchsorted(index.hash, found, "right")
    count = end - begin
    inside = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    at = np.repeat(begin, count) + inside
    probe = np.repeat(np.arange(len(found)), count)
    theirs, mine = index.recording[at].astype(np.int64), recordings[probe].astype(np.int64)
    # Every pair once: the shorter's level is the index's; of one level the one that comes first is in the index.
    once = np.where(level[mine] > level[theirs], True, mine > theirs)
    theirs, mine, at, probe = theirs[once], mine[once], at[once], probe[once]
    return _places(mine, theirs, times[probe].astype(np.int64), index.time[at].astype(np.int64))


def _places(mine: _Indices, theirs: _Indices, time: _Indices, its: _Indices) -> _Indices:
    """Count for each pair how many peaks agree on a place. A copy at another speed spreads over some."""
    pair, of_pair = np.unique(mine << 32 | theirs, return_inverse=True)
    longest = np.zeros(len(pair))
    np.maximum.at(longest, of_pair, its)
    width = np.maximum(_PLACE, MAX_SPEED * longest / 4)
    duration = longest / TICKS
    place = np.clip(np.floor((time - its) / width[of_pair]), -(1 << 22), 1 << 22).astype(np.int64)
    # An entry a pair, place and peak: what begins with the same peak is no second witness.
    order = np.lexsort((its, place, of_pair))
    of_pair, place, its = of_pair[order], place[order], its[order]
    fresh = np.ones(len(order), bool)
    fresh[1:] = (of_pair[1:] != of_pair[:-1]) | (place[1:] != place[:-1]) | (its[1:] != its[:-1])
    of_pair, place, its = of_pair[fresh], place[fresh], its[fresh]
    # What agrees may lie on either side of two places' border, so each is counted together with the next.
    values, of_value, votes = np.unique(of_pair << 24 | place + (1 << 23), return_inverse=True, return_counts=True)
    both = votes + np.where(np.diff(values, append=-1) == 1, np.append(votes[1:], 0), 0)
    whose = values >> 24
    wanted = np.minimum(_VOTES + (duration[whose] / _VOTE_S).astype(np.int64), _MORE_VOTES)
    chosen = np.zeros(len(pair), bool)
    chosen[whose[both >= wanted]] = True
    chosen &= (duration < _LEVEL_S) | (
        _spread(of_pair, its / longest[of_pair], votes[of_value] > 1, len(pair)) >= _PARTS
    )
    return np.sort(np.stack([pair >> 32, pair & 0xFFFFFFFF], axis=1)[chosen], axis=1)


def _spread(of_pair: _Indices, at: _Floats, counted: NDArray[np.bool_], num_pairs: int) -> _Indices:
    """Count for each pair in how many sixteenths of the shorter recording something agrees."""
    sixteenth = np.minimum((at[counted] * 16).astype(np.int64), 15)
    return np.bincount(np.unique(of_pair[counted] * 16 + sixteenth) // 16, minlength=num_pairs)
