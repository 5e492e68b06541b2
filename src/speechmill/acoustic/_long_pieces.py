# SPDX-License-Identifier: Apache-2.0
"""A long recording in pieces of some seconds, each with the tokens that were found in it, cut where nobody speaks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from msgspec import Struct, field

from speechmill.acoustic._long_search import Coarse, spans
from speechmill.acoustic._long_sound import FRAME_S
from speechmill.acoustic.types import Ways
from speechmill.core.types import Interval

_PAUSE_S = 1.0  # a piece never goes on after it
_BREATH_S, _ENOUGH_S = 0.2, 8.0  # nor after a shorter one once it is long enough
_INNER_S = 0.15  # a pause at which a piece is cut for training
_LONGEST_S = 20.0  # then it is cut at its longest pause, or between two words
_MARGIN_S = 0.3  # of audio before the first word and after the last, where there is a pause
_SPEECH_MARGIN_S = 0.06  # where somebody says something else
_NEAR = 4  # tokens in a row that may only seem to be missing: they are looked for again
_OUTSIDE_S = 0.3  # of speech that is no word of the text; less is a breath or a click


class Spot(Struct, frozen=True):
    """Where a token was found."""

    token: int
    start: int  # frames
    end: int


class Piece(Struct):
    """A stretch of audio and its tokens."""

    start: float  # seconds
    end: float
    spots: list[Spot]
    doubtful: set[int] = field(default_factory=set)  # tokens that were not found here, but may be here
    outside: set[int] = field(default_factory=set)  # tokens that something else is said before


class Found(Struct, frozen=True):
    """A recording's pieces, and the speech that belongs to none of them."""

    pieces: tuple[Piece, ...]
    outside: tuple[Interval, ...]  # speech that is no word of the text
    phone_s: float  # how long a phone lasts here, on average


def found(coarse: Coarse, ways: Ways) -> Found:
    """Divide a recording by what was found in it."""
    spots = list(_spots(coarse, ways))
    outside = _outside(coarse)
    pieces = [_piece(group) for group in _groups(spots)]
    for before, after in pairwise(pieces):
        _part(before, after, outside)
    if pieces:
        _widen(pieces[0], pieces[-1], len(coarse.path), outside)
    _doubts(pieces, ways)
    _mark(pieces, outside)
    phones = int(np.count_nonzero(np.diff(coarse.path) > 0))
    spoken = float(np.count_nonzero(coarse.line.word[coarse.path] >= 0)) * FRAME_S
    return Found(tuple(pieces), tuple(outside), spoken / max(phones, 1))


def _spots(coarse: Coarse, ways: Ways) -> Iterator[Spot]:
    """Yield the tokens most of whose words were found."""
    heard: dict[int, list[tuple[int, int]]] = {}
    for word, span in spans(coarse).items():
        heard.setdefault(coarse.line.words[word].token, []).append(span)
    for token, parts in sorted(heard.items()):
        if 2 * len(parts) >= len(ways[token][0]):
            yield Spot(token, parts[0][0], parts[-1][1])


def _outside(coarse: Coarse) -> list[Interval]:
    """Return stretches of gaps in which speech fits better than silence."""
    gap = coarse.line.word[coarse.path] < 0
    speech = gap & (coarse.fit < 0)
    # A pause inside of it is part of it: what is said there has words of its own.
    edges = np.flatnonzero(np.diff(np.concatenate([[0], speech.view(np.int8), [0]])))
    runs: list[list[int]] = []
    for start, end in edges.reshape(-1, 2):
        joined = runs and (start - runs[-1][1]) * FRAME_S < _OUTSIDE_S and gap[runs[-1][1] : start].all()
        if joined:
            runs[-1][1] = int(end)
        else:
            runs.append([int(start), int(end)])
    kept = [(start, end) for start, end in runs if np.count_nonzero(speech[start:end]) * FRAME_S >= _OUTSIDE_S]
    return [Interval(round(start * FRAME_S, 4), round((end - start) * FRAME_S, 4)) for start, end in kept]


def _groups(spots: list[Spot]) -> Iterator[list[Spot]]:
    """Yield runs of tokens that make a piece."""
    group: list[Spot] = []
    for spot in spots:
        pause = (spot.start - group[-1].end) * FRAME_S if group else 0.0
        length = (spot.start - group[0].start) * FRAME_S if group else 0.0
        if group and (pause >= _PAUSE_S or (pause >= _BREATH_S and length >= _ENOUGH_S)):
            yield group
            group = []
        elif length >= _LONGEST_S:
            pauses = [after.start - before.end for before, after in pairwise(group)]
            middle = len(pauses) // 2
            cut = middle + int(np.argmax(pauses[middle:])) + 1
            yield group[:cut]
            group = group[cut:]
        group.append(spot)
    if group:
        yield group


def _piece(group: list[Spot]) -> Piece:
    return Piece(group[0].start * FRAME_S, group[-1].end * FRAME_S, group)


def parts(piece: Piece) -> Iterator[Piece]:
    """Cut a piece at its pauses; what is doubtful, or beside other speech, is left out."""
    sure = [
        after.token - before.token == 1 and after.token not in piece.outside for before, after in pairwise(piece.spots)
    ]
    pauses = [(after.start - before.end) * FRAME_S for before, after in pairwise(piece.spots)]
    cuts = [place + 1 for place, pause in enumerate(pauses) if pause >= _INNER_S or not sure[place]]
    for first, last in pairwise([0, *cuts, len(piece.spots)]):
        start = piece.spots[first].start * FRAME_S - pauses[first - 1] / 2 if first else piece.start
        end = piece.spots[last - 1].end * FRAME_S + pauses[last - 1] / 2 if last < len(piece.spots) else piece.end
        beside = (first and not sure[first - 1]) or (last < len(piece.spots) and not sure[last - 1])
        if not beside:
            yield Piece(start, end, piece.spots[first:last])


def _part(before: Piece, after: Piece, outside: list[Interval]) -> None:
    """Give the pause between two pieces to both, as far as nobody speaks in it."""
    room = after.start - before.end
    said = [one for one in outside if one.start < after.start and one.end > before.end]
    ahead = said[0].start - before.end if said else room / 2
    behind = after.start - said[-1].end if said else room / 2
    before.end += min(_MARGIN_S, max(ahead, min(_SPEECH_MARGIN_S, room / 2)))
    after.start -= min(_MARGIN_S, max(behind, min(_SPEECH_MARGIN_S, room / 2)))


def _widen(first: Piece, last: Piece, num_frames: int, outside: list[Interval]) -> None:
    beginning, ending = Piece(0.0, 0.0, []), Piece(num_frames * FRAME_S, num_frames * FRAME_S, [])
    _part(beginning, first, outside)
    _part(last, ending, outside)


def _doubts(pieces: list[Piece], ways: Ways) -> None:
    """Hand tokens that were not found to the pieces they would be in: few in a row, or those at the ends of many."""
    placed = {spot.token for piece in pieces for spot in piece.spots}
    owner = {spot.token: piece for piece in pieces for spot in piece.spots}
    run: list[int] = []
    for token in [*(token for token, choices in enumerate(ways) if choices), len(ways)]:
        if token not in placed and token < len(ways):
            run.append(token)
            continue
        if run:
            before, after = owner.get(max((t for t in owner if t < run[0]), default=-1)), owner.get(token)
            near = run if len(run) <= _NEAR else [run[0], run[-1]]
            for one in near:
                piece = (before or after) if len(run) <= _NEAR or one == run[0] else (after or before)
                if piece:
                    piece.doubtful.add(one)
        run = []


def _mark(pieces: list[Piece], outside: list[Interval]) -> None:
    """Note where, inside of a piece, something else is said between two tokens."""
    starts = np.array([one.start + one.duration / 2 for one in outside])
    for piece in pieces:
        for before, after in pairwise(piece.spots):
            low, high = np.searchsorted(starts, (before.end * FRAME_S, after.start * FRAME_S))
            if high > low:
                piece.outside.add(after.token)
