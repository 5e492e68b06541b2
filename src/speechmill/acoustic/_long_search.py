# SPDX-License-Identifier: Apache-2.0
"""Where in a recording each word of a long text is said, to about a tenth of a second, and which words are not.

One search over the whole text at once, coarse enough for that to be fast: an hour takes some seconds. Beside the words
it may take silence, or speech that is no word of the text, and it may leave words out; each has its price, so that
what is missing on either side is found instead of forced. The Gaussians of the phones are learnt on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic import _long_kernels as kernels
from speechmill.acoustic._long_sound import Gaussians, beginning, learnt, likelihoods
from speechmill.acoustic.features import Matrix
from speechmill.acoustic.types import Ways
from speechmill.formats.lexicon import Lexicon

_SEGMENT = 500  # frames between the points where the way back is kept, in the first hours; more in longer recordings
_SEGMENTS = 500  # up to which their length stays
_WIDE, _NARROW = 30_000, 4_000  # places to either side of where the text is expected: of an hour all, some minutes
_EDGE = 0.9  # of that; a path which goes farther from the expected place is searched for again, twice as wide
_LONGEST_PHONE = 16  # frames; nobody holds one for half a second, but when hesitating
_FREE = 2  # last searches, with the prices themselves; those before them learn with dearer ones
_DEARER = 1.6
_EVERY = 4  # frames after which words may be skipped

Place = NDArray[np.int32]


class Prices(Struct, frozen=True):
    """What the search pays, in log-likelihood, for what is on one side only."""

    outside: float = 5.0  # a frame of speech that is no word of the text, behind the phone that fits it best
    skip: float = 40.0  # a word that isn't said; a wrong one of shortest phones costs about as much
    farthest: float = 120.0  # all that are left out at one place, be it half the text
    rounds: int = 5  # searches; the phones' Gaussians are learnt between them

    @property
    def dear(self) -> Prices:
        """Prices while phones are learnt: more than is missing must not be taken for missing."""
        return Prices(_DEARER * self.outside, _DEARER * self.skip, 2.5 * self.farthest, self.rounds)


class TextWord(Struct, frozen=True):
    """A word of the text: of its token's likeliest way."""

    token: int
    number: int  # in that way
    symbol: str


class Line(Struct, frozen=True):
    """A text as places along a line: gap, phones of a word, gap, phones of the next word ... gap."""

    words: tuple[TextWord, ...]
    phones: tuple[str, ...]
    column: Place  # (places,): a place's phone; after those, a gap and a phone nobody knows
    word: Place  # (places,); -1 in a gap
    gaps: Place  # (words + 1,): the place of each
    past_gap: NDArray[np.float32]  # 0 at a word's first phone, to which the word before it leads too

    @property
    def gap_column(self) -> int:
        return len(self.phones)


class Coarse(Struct, frozen=True):
    """What was found: the place of each frame, and how it scored."""

    line: Line
    gaussians: Gaussians
    path: Place  # (frames,)
    fit: NDArray[np.float32]  # (frames,): of the phone, 0 where none fits better; of silence in a gap, against speech


def line_of(ways: Ways, lexicon: Lexicon) -> Line:
    """Lay a text out; a word that the lexicon lacks has a phone that nobody knows for each of its characters."""
    words = tuple(
        TextWord(token, number, symbol)
        for token, choices in enumerate(ways)
        for number, symbol in enumerate(choices[0] if choices else ())
    )
    said = [_phones(word.symbol, lexicon) for word in words]
    phones = tuple(sorted({phone for one in said for phone in one if phone}))
    numbers = {phone: number for number, phone in enumerate(phones)} | {"": len(phones) + 1}
    lengths = np.array([1 + len(one) for one in said], np.int32)
    gaps = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    column = np.full(gaps[-1] + 1, len(phones), np.int32)
    word = np.full(len(column), -1, np.int32)
    past_gap = np.full(len(column), kernels.NEVER, np.float32)
    for number, one in enumerate(said):
        start = gaps[number] + 1
        column[start : start + len(one)] = [numbers[phone] for phone in one]
        word[start : start + len(one)] = number
        past_gap[start] = 0 if number else kernels.NEVER
    return Line(words, phones, column, word, gaps, past_gap)


def _phones(word: str, lexicon: Lexicon) -> Sequence[str]:
    variants = lexicon.entries.get(word)
    if not variants:
        return [""] * max(1, len(word))
    return max(variants, key=lambda variant: variant.probability or 0.0).phones


def search(features: Matrix, line: Line, prices: Prices) -> Coarse:
    """Find the words. features: as `_long_sound.frames` makes them, at least one frame."""
    gaussians = beginning(line.phones)
    count = len(features)
    expected = np.linspace(0, len(line.column) - 1, count).astype(np.int32)
    path = _found(features, line, gaussians, prices if prices.rounds == 1 else prices.dear, expected, _WIDE)
    for left in range(prices.rounds - 1, 0, -1):
        gaussians = learnt(features, _labels(features, line, gaussians, prices, path), line.phones)
        path = _found(features, line, gaussians, prices.dear if left > _FREE else prices, path, _NARROW)
    return Coarse(line, gaussians, path, _fit(features, line, gaussians, path))


def _found(features: Matrix, line: Line, gaussians: Gaussians, prices: Prices, expected: Place, half: int) -> Place:
    """Return the place of each frame, within a band about the expected ones that widens until the path fits in it."""
    while True:
        bands = list(_bands(expected, line, half))
        ends = _ends(features, line, gaussians, prices, bands)
        middle = np.array([expected[end - 1] for _, end, _, _ in bands])
        away = np.abs(ends - middle)
        if half >= len(line.column) or away.max() < _EDGE * half:
            return _between(features, line, gaussians, prices, bands, ends)
        half *= 2


def _bands(expected: Place, line: Line, half: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (first frame, frame after the last, first place, place after the last) of stretches of the recording."""
    count, length = len(expected), _SEGMENT * max(1, -(-len(expected) // (_SEGMENT * _SEGMENTS)))
    for start in range(0, count, length):
        end = min(count, start + length)
        low = np.searchsorted(line.gaps, max(0, expected[start] - half), "right") - 1
        high = np.searchsorted(line.gaps, min(len(line.column) - 1, int(expected[end - 1]) + half))
        yield start, end, int(line.gaps[low]), int(line.gaps[high]) + 1


def _scores(features: Matrix, line: Line, gaussians: Gaussians, prices: Prices) -> Matrix:
    """Return (frames, phones + 2): phones; a gap, be it silence or speech outside the text; a phone nobody knows."""
    found = likelihoods(features, gaussians)
    best = found[:, :-1].max(axis=1) if line.phones else found[:, -1]
    gap = np.maximum(found[:, -1], best - np.float32(prices.outside))
    return np.column_stack([found[:, :-1], gap, best - np.float32(prices.outside / 2)]).astype(np.float32)


def _ends(
    features: Matrix, line: Line, gaussians: Gaussians, prices: Prices, bands: list[tuple[int, int, int, int]]
) -> Place:
    """Return the place of the last frame of each stretch."""
    count = len(line.column)
    standing, origin = np.full(count + 2, kernels.NEVER, np.float32), np.zeros(count + 2, np.int32)
    standing[2] = 0.0
    origins: list[tuple[int, Place]] = []
    for start, end, low, high in bands:
        scores = _scores(features[start:end], line, gaussians, prices)
        standing[2 : low + 2] = kernels.NEVER
        standing[high + 2 :] = kernels.NEVER
        origin[2:] = np.arange(count)
        gaps = _inside(line, low, high) - np.int32(low)
        inside = slice(low, high + 2)
        kernels.forward(
            scores, line.column[low:high], line.past_gap[low:high], gaps, prices.skip, prices.farthest, _EVERY,
            end == len(features), standing[inside], origin[inside],
        )  # fmt: skip
        origins.append((low, origin[low + 2 : high + 2].copy()))
    place = count - 1 if count == 1 or standing[-1] > standing[-2] else count - 2
    ends = np.empty(len(bands), np.int32)
    for number, (low, came) in reversed(list(enumerate(origins))):
        ends[number] = place
        place = int(came[place - low])
    return ends


def _inside(line: Line, low: int, high: int) -> Place:
    first, last = np.searchsorted(line.gaps, (low, high))
    return line.gaps[first:last]


def _between(
    features: Matrix,
    line: Line,
    gaussians: Gaussians,
    prices: Prices,
    bands: list[tuple[int, int, int, int]],
    ends: Place,
) -> Place:
    """Fill in the places of all frames from those of the stretches' last ones."""
    path = np.empty(len(features), np.int32)
    before = 0
    for (start, end, _, _), place in zip(bands, ends, strict=True):
        scores = _scores(features[start:end], line, gaussians, prices)
        column, past_gap = line.column[before : place + 1], line.past_gap[before : place + 1].copy()
        past_gap[:2] = kernels.NEVER
        gaps = _inside(line, before, int(place) + 1) - np.int32(before)
        last = end == len(features)
        kernels.there_and_back(
            scores, column, past_gap, gaps, prices.skip, prices.farthest, _EVERY, last, path[start:end]
        )
        path[start:end] += np.int32(before)
        before = int(place)
    return path


def _in_blocks(count: int, size: int = 20_000) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, start + size)


def _labels(features: Matrix, line: Line, gaussians: Gaussians, prices: Prices, path: Place) -> NDArray[Any]:
    """Return the Gaussian of each frame; -1 in speech outside the text."""
    labels = line.column[path].astype(np.int64)
    for block in _in_blocks(len(features)):
        found = likelihoods(features[block], gaussians)
        speech = found[:, :-1].max(axis=1) - prices.outside > found[:, -1] if line.phones else np.zeros(0, bool)
        labels[block][(labels[block] == line.gap_column) & speech] = -1
    labels[labels > line.gap_column] = -1
    changes = np.concatenate([[0], np.flatnonzero(np.diff(path)) + 1, [len(path)]])
    lengths = np.diff(changes)
    held = np.repeat(lengths > _LONGEST_PHONE, lengths)
    labels[held & (labels != line.gap_column)] = -1  # music sounds like some phone; none is to learn that
    return labels


def _fit(features: Matrix, line: Line, gaussians: Gaussians, path: Place) -> NDArray[np.float32]:
    fit = np.zeros(len(features), np.float32)
    for block in _in_blocks(len(features)):
        found = likelihoods(features[block], gaussians)
        columns = np.minimum(line.column[path[block]], line.gap_column)
        best = found[:, :-1].max(axis=1) if line.phones else found[:, -1]
        fit[block] = np.take_along_axis(found, columns[:, None], axis=1)[:, 0] - best
    return fit


Spans = dict[int, tuple[int, int]]  # word -> its first frame and the one after its last


def spans(coarse: Coarse) -> Spans:
    """Return the frames of each word that was found."""
    words = coarse.line.word[coarse.path]
    changes = np.flatnonzero(np.diff(words)) + 1
    starts, ends = np.concatenate([[0], changes]), np.concatenate([changes, [len(words)]])
    return {
        int(words[start]): (int(start), int(end)) for start, end in zip(starts, ends, strict=True) if words[start] >= 0
    }
