# SPDX-License-Identifier: Apache-2.0
"""Compiled loops of the search through a long text: forward with a memory of where paths were, and there and back.

Places are numbered along the text: a gap, the phones of the first word, a gap, the phones of the second ... A path goes
from a place to the next, from a word's last phone past the gap to the next word, and from a gap to a later one, past
words that are not said. Arrays of places have two entries more in front, which nothing reaches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechmill.acoustic.compiled import compiled

NEVER = np.float32(-1e30)
_STAY, _NEXT, _PAST_GAP = 0, 1, 2

_Floats = NDArray[np.float32]
_Ints = NDArray[np.int32]


def _step(
    standing: _Floats,
    after: _Floats,
    origin: _Ints,
    came: _Ints,
    column: _Ints,
    past_gap: _Floats,
    row: _Floats,
) -> None:
    """Move every place on by a frame; written so that it becomes vector instructions."""
    for place in range(column.shape[0]):
        best, where = standing[place + 2], origin[place + 2]
        other, other_from = standing[place + 1], origin[place + 1]
        where = other_from if other > best else where
        best = other if other > best else best
        other, other_from = standing[place] + past_gap[place], origin[place]
        where = other_from if other > best else where
        best = other if other > best else best
        after[place + 2] = best + row[column[place]]
        came[place + 2] = where


def _past_words(after: _Floats, came: _Ints, gaps: _Ints, skip: float, farthest: float) -> None:
    """Let each gap be reached from an earlier one: `skip` a word between them, but at most `farthest`."""
    near = far = NEVER
    near_from = far_from = np.int32(-1)
    for gap in gaps:
        own, own_from = after[gap + 2], came[gap + 2]
        if far > near:
            near, near_from = far, far_from
        if near > own:
            after[gap + 2], came[gap + 2] = near, near_from
        else:
            near, near_from = own, own_from
        if own - farthest > far:
            far, far_from = np.float32(own - farthest), own_from
        near = np.float32(near - skip)


def _past_words_from(after: _Floats, gaps: _Ints, skip: float, farthest: float, origin: _Ints) -> None:
    """Do the same, and note in `origin` (gaps,) which gap each was reached from; -1 where from none."""
    near = far = NEVER
    near_from = far_from = np.int32(-1)
    for number, gap in enumerate(gaps):
        own = after[gap + 2]
        if far > near:
            near, near_from = far, far_from
        if near > own:
            after[gap + 2], origin[number] = near, near_from
        else:
            near, near_from = own, gap
        if own - farthest > far:
            far, far_from = np.float32(own - farthest), gap
        near = np.float32(near - skip)


def _forward(
    scores: _Floats,
    column: _Ints,
    past_gap: _Floats,
    gaps: _Ints,
    skip: float,
    farthest: float,
    every: int,
    last: bool,
    standing: _Floats,
    origin: _Ints,
) -> None:
    """Move `standing`, the likelihood of the best path to each place, through frames; `origin`: where it was before.

    Words are skipped each `every` frames, and after the last frame of all.
    """
    now, after, here, came = standing.copy(), standing.copy(), origin.copy(), origin.copy()
    length = scores.shape[0]
    for frame in range(length):
        step(now, after, here, came, column, past_gap, scores[frame])
        if frame % every == 0 or (last and frame == length - 1):
            past_words(after, came, gaps, skip, farthest)
        now, after, here, came = after, now, came, here
    standing[:] = now
    origin[:] = here


def _there_and_back(
    scores: _Floats,
    column: _Ints,
    past_gap: _Floats,
    gaps: _Ints,
    skip: float,
    farthest: float,
    every: int,
    last: bool,
    path: _Ints,
) -> float:
    """Fill `path`, the place of each frame, of the best path that comes from place 0 and ends in the last one.

    The same path as in `_forward`; returns its likelihood.
    """
    length, count = scores.shape[0], column.shape[0]
    now = np.full(count + 2, NEVER)
    now[2] = 0
    after = now.copy()
    back = np.zeros((length, count), np.uint8)
    skipped = np.full((length, gaps.shape[0]), -1, np.int32)
    for frame in range(length):
        for place in range(count):
            best, choice = now[place + 2], _STAY
            if now[place + 1] > best:
                best, choice = now[place + 1], _NEXT
            if now[place] + past_gap[place] > best:
                best, choice = now[place] + past_gap[place], _PAST_GAP
            after[place + 2] = best + scores[frame, column[place]]
            back[frame, place] = choice
        if frame % every == 0 or (last and frame == length - 1):
            past_words_from(after, gaps, skip, farthest, skipped[frame])
        now, after = after, now
    place = count - 1
    likelihood = now[place + 2]
    for frame in range(length - 1, -1, -1):
        number = np.searchsorted(gaps, place)
        if number < gaps.shape[0] and gaps[number] == place and skipped[frame, number] >= 0:
            place = skipped[frame, number]
        path[frame] = place
        place -= back[frame, place]
    return float(likelihood)


step = compiled("void(f4[::1], f4[::1], i4[::1], i4[::1], i4[::1], f4[::1], f4[::1])", _step, fast=True)
past_words = compiled("void(f4[::1], i4[::1], i4[::1], f4, f4)", _past_words, fast=True)
past_words_from = compiled("void(f4[::1], i4[::1], f4, f4, i4[::1])", _past_words_from)
forward = compiled("void(f4[:,::1], i4[::1], f4[::1], i4[::1], f4, f4, i8, b1, f4[::1], i4[::1])", _forward, fast=True)
there_and_back = compiled(
    "f8(f4[:,::1], i4[::1], f4[::1], i4[::1], f4, f4, i8, b1, i4[::1])", _there_and_back, fast=True
)
