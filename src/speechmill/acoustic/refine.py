# SPDX-License-Identifier: Apache-2.0
"""Boundaries finer than frames, and where people put them: what a path of frames gets wrong in the same way each time.

A frame hears some milliseconds to either side, so what is loud seems to begin early and what is quiet late: boundaries
move by a few milliseconds that depend on the kinds of phones. A voiceless stop after a pause has no audible
beginning: it starts a little before its burst. A vowel before a pause goes on as breath and echo, which models of
silence and of the vowel both fit: it ends where its voice has fallen. So it does before a voiceless stop, whose silence
fits either of the two.

All constants were chosen on the even half of VoxAngeles' development set and of synthetic Vietnamese, and are the same
for all languages. Which phones are stops or vowels says `seed`; of phones that it can't tell nothing is moved.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from speechmill.acoustic import seed
from speechmill.acoustic.graph import Unit
from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ

STOP, AFFRICATE, VOICED_STOP, SIBILANT, FRICATIVE, SONORANT, VOWEL = range(7)
_KINDS = {
    STOP: "P T K",
    AFFRICATE: "CH JH",
    VOICED_STOP: "B D G",
    SIBILANT: "S SH Z ZH",
    FRICATIVE: "F TH V DH HH",
    SONORANT: "M N NG L R W Y",
}
_LATER_MS = {STOP: -4.0, AFFRICATE: -4.0, VOICED_STOP: -3.0, FRICATIVE: -2.0}  # by what begins at a boundary
_AFTER_OBSTRUENT_MS = {**_LATER_MS, STOP: -6.0, VOWEL: 3.0}
_BEFORE_BURST_S = {STOP: (0.03, 0.03), AFFRICATE: (0.03, 0.09)}  # least and most: people put it 18 to 33 ms before
_BURST_STEP, _BURST_WINDOW = 40, 128  # 2.5 and 8 ms
_RISE = 4  # steps over which a burst's level rises
_BURST_HZ = (1000.0, 8000.0)
FALL_DB = 18.0  # best of 16 to 24: 1 to 8 ms of mean error
CLOSING_DB = 15.0  # the same before a voiceless stop; 12 to 24: 0.2 ms of mean error
_MAX_CLOSURE_S = 0.06  # by which a stop may begin earlier than on the path
_FADING_S = 0.04  # how far behind the path's end a word may end; 0 to 0.1 s differ by less than 1 ms
_LOUD = 90  # percentile of a phone's energy that counts as its level
_VOICE_HZ = (80.0, 1000.0)  # breath and hiss lie higher
_VOICE_WINDOW = 320  # 20 ms
_NUM_FFT = 512
_QUIET = 1e-8
_LEAST_S = 0.005  # that a moved phone lasts


class Span(Struct, frozen=True):
    """A phone of an utterance, and when it is said, in seconds."""

    unit: Unit
    start: float
    end: float


def kinds(phones: Iterable[str]) -> dict[str, int]:
    """Return the kind of each phone, as far as the seed knows them."""
    of = {phone: kind for kind, names in _KINDS.items() for phone in names.split()}
    return {phone: of.get(like[0], VOWEL) for phone, like in seed.likened(phones).items() if like}


def refined(spoken: list[list[Span]], kind_of: Mapping[str, int], samples: Samples, hop_s: float) -> list[list[Span]]:
    """Return the phones of each word, where a path puts them, with their boundaries refined.

    samples: (num_samples,) at 16 kHz. Phones that touch go on touching; no boundary passes another one.
    """
    moved = _shifted(_closed(spoken, kind_of, samples, hop_s), kind_of)
    found: list[list[Span]] = []
    for number, spans in enumerate(moved):
        before = found[-1][-1].end if found else 0.0
        after = moved[number + 1][0].start if number + 1 < len(moved) else len(samples) / WORKING_HZ
        if not found or spans[0].start - before > hop_s / 2:
            spans = _from_burst(spans, kind_of, samples, before)
        last = spans[-1]
        if after - last.end > hop_s / 2 and kind_of.get(last.unit.phone, STOP) >= SONORANT:
            spans = [*spans[:-1], replace(last, end=faded(samples, last.start, last.end, after, hop_s))]
        found.append(spans)
    return found


def _closed(spoken: list[list[Span]], kind_of: Mapping[str, int], samples: Samples, hop_s: float) -> list[list[Span]]:
    """Let a voiceless stop begin where the voice before it has fallen: its silence is its own."""
    moved = [list(spans) for spans in spoken]
    for (word, place), (next_word, next_place) in itertools.pairwise(_places(moved)):
        left, right = moved[word][place], moved[next_word][next_place]
        voiced = kind_of.get(left.unit.phone, STOP) >= SONORANT
        if right.start > left.end or not voiced or kind_of.get(right.unit.phone) not in _BEFORE_BURST_S:
            continue
        edge = faded(samples, left.start, left.end, left.end, hop_s, CLOSING_DB)
        edge = min(max(edge, left.end - _MAX_CLOSURE_S), left.end)
        moved[word][place] = replace(left, end=edge)
        moved[next_word][next_place] = replace(right, start=edge)
    return moved


def _places(spoken: list[list[Span]]) -> list[tuple[int, int]]:
    """Return word and place of every phone, in order."""
    return [(word, place) for word, spans in enumerate(spoken) for place in range(len(spans))]


def _shifted(spoken: list[list[Span]], kind_of: Mapping[str, int]) -> list[list[Span]]:
    """Move boundaries between phones that touch by what is usual for their kinds."""
    moved = [list(spans) for spans in spoken]
    for (word, place), (next_word, next_place) in itertools.pairwise(_places(moved)):
        left, right = moved[word][place], moved[next_word][next_place]
        if right.start > left.end:
            continue
        edge = right.start + _shift_ms(kind_of.get(left.unit.phone), kind_of.get(right.unit.phone)) / 1000
        edge = min(max(edge, left.start + _LEAST_S), right.end - _LEAST_S)
        moved[word][place] = replace(left, end=edge)
        moved[next_word][next_place] = replace(right, start=edge)
    return moved


def _shift_ms(left: int | None, right: int | None) -> float:
    if left is None or right is None:
        return 0.0
    return (_LATER_MS if left >= SONORANT else _AFTER_OBSTRUENT_MS).get(right, 0.0)


def _from_burst(spans: list[Span], kind_of: Mapping[str, int], samples: Samples, before: float) -> list[Span]:
    """Let a stop that begins a word after a pause start as long before its burst as people have it."""
    first = spans[0]
    usual = _BEFORE_BURST_S.get(kind_of.get(first.unit.phone, VOWEL))
    if usual is None or len(spans) < 2:
        return spans
    at = burst(samples, first.start, first.end)
    start = min(max(first.start, at - usual[1]), at - usual[0])
    return [replace(first, start=min(max(start, before), first.end - _LEAST_S)), *spans[1:]]


def burst(samples: Samples, start_s: float, end_s: float) -> float:
    """Return when the level above 1 kHz rises most in a stop from start_s to end_s, in seconds."""
    first = max(0, round((start_s - 0.03) * WORKING_HZ / _BURST_STEP))
    end = max(round(end_s * WORKING_HZ / _BURST_STEP) + 2, first + _RISE + 1)
    level = _level(samples, first * _BURST_STEP, end - first, _BURST_STEP, _BURST_WINDOW, _BURST_HZ)
    place = first + int(np.argmax(level[_RISE:] - level[:-_RISE])) + _RISE // 2
    return place * _BURST_STEP / WORKING_HZ


def faded(
    samples: Samples, start_s: float, end_s: float, limit_s: float, step_s: float, fall_db: float = FALL_DB
) -> float:
    """Return when a sonorant that lasts from start_s to end_s has faded by fall_db; never after limit_s.

    samples: (num_samples,) at 16 kHz. step_s: from one measurement of its level to the next.
    """
    step = round(step_s * WORKING_HZ)
    first, last = round(start_s * WORKING_HZ / step), round(end_s * WORKING_HZ / step)
    end = round(min(limit_s, end_s + _FADING_S) * WORKING_HZ / step)
    if last <= first:
        return end_s
    level = _level(samples, first * step + step // 2, max(end, last) - first, step, _VOICE_WINDOW, _VOICE_HZ)
    floor = float(np.percentile(level[: last - first], _LOUD)) - fall_db
    above = level > floor
    stop = last - first
    while stop < len(level) and above[stop]:
        stop += 1
    heard = np.flatnonzero(above[:stop])
    at = (first + _crossing(level, int(heard[-1]), floor)) * step / WORKING_HZ
    return min(limit_s, max(at, start_s + _LEAST_S))


def _crossing(level: NDArray[np.float64], place: int, floor: float) -> float:
    """Return where the level falls below the floor after `place`, in steps; a level belongs to its step's middle."""
    if place + 1 == len(level):
        return place + 1.0
    return place + 0.5 + float((level[place] - floor) / (level[place] - level[place + 1]))


def _level(
    samples: Samples, first: int, count: int, step: int, width: int, band_hz: tuple[float, float]
) -> NDArray[np.float64]:
    """Return the level of a band in dB, in `count` windows around samples first, first + step, ..."""
    begin = first - width // 2
    stop = begin + (count - 1) * step + width
    inside = samples[max(0, begin) : max(0, stop)]
    padded = np.zeros(stop - begin, np.float32)
    padded[max(0, -begin) : max(0, -begin) + len(inside)] = inside
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)[::step]
    low, high = (int(np.ceil(hertz * _NUM_FFT / WORKING_HZ)) for hertz in band_hz)
    spectrum = np.fft.rfft(windows * _window(width), _NUM_FFT, axis=1)[:, low:high]
    power: NDArray[Any] = (spectrum.real**2 + spectrum.imag**2).sum(axis=1)
    return np.asarray(10 * np.log10(power + _QUIET), np.float64)


@functools.lru_cache(maxsize=2)
def _window(width: int) -> NDArray[np.float32]:
    return np.hanning(width).astype(np.float32)
