# SPDX-License-Identifier: Apache-2.0
"""From frame probabilities to stretches of speech: two thresholds, minimum lengths, padding.

Follows Silero VAD's get_speech_timestamps (as in faster-whisper 1.2.1), decision by decision. Knows
nothing of audio or models; what is compared may be a probability or a level.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from speechmill.core.timebase import WORKING_HZ, tick, to_seconds
from speechmill.core.types import Interval

SPLIT_SILENCE_S = 0.098  # a pause at which speech of maximum length may be split


class Limits(Struct, frozen=True):
    """Everything the rules compare with; lengths in samples."""

    threshold: float
    neg_threshold: float
    min_speech: float
    min_silence: float
    pad: float
    max_speech: float  # inf: no limit
    split_silence: float


class Lengths(Protocol):
    """What every detector's options say about lengths."""

    @property
    def min_speech_ms(self) -> float: ...
    @property
    def min_silence_ms(self) -> float: ...
    @property
    def pad_ms(self) -> float: ...
    @property
    def max_speech_s(self) -> float | None: ...


def limits(threshold: float, neg_threshold: float, lengths: Lengths, hop: int) -> Limits:
    """Turn options into what the rules compare with, at 16 kHz and `hop` samples a frame."""
    per_ms = WORKING_HZ / 1000
    longest = math.inf if lengths.max_speech_s is None else lengths.max_speech_s
    pad = lengths.pad_ms * per_ms
    return Limits(
        threshold=threshold,
        neg_threshold=neg_threshold,
        min_speech=lengths.min_speech_ms * per_ms,
        min_silence=lengths.min_silence_ms * per_ms,
        pad=pad,
        max_speech=longest * WORKING_HZ - hop - 2 * pad,
        split_silence=SPLIT_SILENCE_S * WORKING_HZ,
    )


def intervals(found: Sequence[tuple[int, int]], duration: float, channel: int) -> list[Interval]:
    """Turn stretches in 16 kHz samples into intervals inside a recording of `duration` seconds."""
    return [_interval(start, end, duration, channel) for start, end in found]


def _interval(start: int, end: int, duration: float, channel: int) -> Interval:
    # Rounding to 0.1 ms may step over the recording's last sample.
    until = min(to_seconds(end, WORKING_HZ), duration)
    since = to_seconds(start, WORKING_HZ)
    return Interval(since, min(tick(until - since), duration - since), channel)


class _State(Struct):
    """Where the walk over frames stands, in samples; 0 means unset for all but `start`."""

    start: int | None = None  # of the speech that is open
    silent_from: int = 0  # first frame below neg_threshold: the likely end
    split: int = 0  # the last pause long enough to split at ...
    resume: int = 0  # ... and where speech went on after it


def stretches(probabilities: Iterable[float], hop: int, num_samples: int, limits: Limits) -> list[tuple[int, int]]:
    """Return ordered, disjoint (start, end) in samples, within [0, num_samples].

    probabilities: one for each frame of `hop` samples.
    """
    found: list[tuple[int, int]] = []
    state = _State()
    for index, probability in enumerate(probabilities):
        state = _step(state, float(probability), index * hop, limits, found)
    if state.start is not None and num_samples - state.start > limits.min_speech:
        found.append((state.start, num_samples))
    return _padded(found, num_samples, limits.pad)


def _step(state: _State, probability: float, now: int, limits: Limits, found: list[tuple[int, int]]) -> _State:
    """Advance by one frame; a stretch that ends is appended to `found`."""
    speaks = probability >= limits.threshold
    if speaks and state.silent_from:
        state.silent_from = 0
        if state.resume < state.split:
            state.resume = now
    if state.start is None:
        if speaks:
            state.start = now
        return state
    if now - state.start > limits.max_speech:
        if not state.split:
            found.append((state.start, now))
            return _State()
        found.append((state.start, state.split))
        state = _State(start=state.resume if state.resume >= state.split else None)
    if state.start is None or probability >= limits.neg_threshold:
        return state
    return _silence(state, now, limits, found)


def _silence(state: _State, now: int, limits: Limits, found: list[tuple[int, int]]) -> _State:
    """A frame below neg_threshold inside open speech."""
    state.silent_from = state.silent_from or now
    silence = now - state.silent_from
    if silence > limits.split_silence:
        state.split = state.silent_from
    if silence < limits.min_silence:
        return state
    if state.start is not None and state.silent_from - state.start > limits.min_speech:
        found.append((state.start, state.silent_from))
    return _State()


def _padded(found: list[tuple[int, int]], num_samples: int, pad: float) -> list[tuple[int, int]]:
    """Widen each stretch by `pad` on both sides; neighbours closer than two pads share their gap."""
    starts = [start for start, _ in found]
    ends = [end for _, end in found]
    for index in range(len(found)):
        if index == 0:
            starts[0] = int(max(0, starts[0] - pad))
        if index == len(found) - 1:
            ends[index] = int(min(num_samples, ends[index] + pad))
            continue
        gap = starts[index + 1] - ends[index]
        before, after = (gap // 2, gap // 2) if gap < 2 * pad else (pad, pad)
        ends[index] = int(min(num_samples, ends[index] + before))
        starts[index + 1] = int(max(0, starts[index + 1] - after))
    return list(zip(starts, ends, strict=True))
