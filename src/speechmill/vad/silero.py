# SPDX-License-Identifier: Apache-2.0
"""Silero VAD v6: no torch, and memory that doesn't grow with the recording.

The model sees 32 ms windows with 4 ms of context and remembers the past in an LSTM. Audio is read in
blocks of a minute or less; context and LSTM state go from block to block, so the blocks leave no trace.
Several channels, of one recording or of many, can be worked on at once; each gets what it would get alone.
Source: Silero Team, https://github.com/snakers4/silero-vad (MIT).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from speechmill.core.stage import Audio, Context, Samples
from speechmill.core.timebase import WORKING_HZ, tick, to_samples, to_seconds
from speechmill.core.types import Interval
from speechmill.vad._hysteresis import SPLIT_SILENCE_S, Limits, stretches
from speechmill.vad._silero_network import CONTEXT, WINDOW, State, at_rest, open_network

VERSION = "1"
REQUIRES = ()
MODELS = ("silero-vad-v6",)
LANGUAGES = None
DEVICES = ("cpu", "cuda", "triton")

TOGETHER = 16  # channels in step; more gain nothing


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Silero's own options and defaults."""

    threshold: Annotated[float, Meta(gt=0, lt=1)] = 0.5  # probability from which on a window is speech
    neg_threshold: Annotated[float, Meta(gt=0, lt=1)] | None = None  # ends speech; None: threshold - 0.15, or 0.01
    min_speech_ms: Annotated[float, Meta(ge=0)] = 250.0  # what is shorter is a click or a cough
    min_silence_ms: Annotated[float, Meta(ge=0)] = 100.0  # shorter gaps are stop consonants
    pad_ms: Annotated[float, Meta(ge=0)] = 30.0  # on both sides: quiet onsets and releases
    max_speech_s: Annotated[float, Meta(gt=0)] | None = None  # None: no limit; else split at a pause of 98 ms, or hard


class Backend:
    """Finds speech with Silero VAD."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self._network = open_network(context.model_path(MODELS[0]) / "silero_vad_v6.onnx", context.device)

    def probabilities(self, audio: Audio, channel: int) -> Samples:
        """Return the probability of speech in each 32 ms window, (num_windows,) float32 in 0..1.

        The last window is filled up with zeros.
        """
        return self.probabilities_of([(audio, channel)])[0]

    def probabilities_of(self, channels: Sequence[tuple[Audio, int]]) -> list[Samples]:
        """Return each channel's probabilities, in order; pairs of a recording and a channel's number.

        They are those that the channel would get alone, bit for bit, so it doesn't matter what shares a call.
        """
        by_length = sorted(range(len(channels)), key=lambda index: channels[index][0].duration, reverse=True)
        found: dict[int, Samples] = {}
        for first in range(0, len(by_length), TOGETHER):
            group = by_length[first : first + TOGETHER]
            found.update(zip(group, self._side_by_side([channels[index] for index in group]), strict=True))
        return [found[index] for index in range(len(channels))]

    def speech(self, audio: Audio, channel: int) -> list[Interval]:
        """Return one channel's speech, ordered and disjoint."""
        limits = _limits(self.config)
        num_samples = to_samples(audio.duration, WORKING_HZ)
        found = stretches(self.probabilities(audio, channel).tolist(), WINDOW, num_samples, limits)
        return [_interval(start, end, audio.duration, channel) for start, end in found]

    def _side_by_side(self, channels: Sequence[tuple[Audio, int]]) -> list[Samples]:
        """Walk through channels in step, longest first; one that has ended is left behind."""
        state = at_rest(len(channels))
        tails = [np.zeros(CONTEXT, np.float32)] * len(channels)
        found = [[np.zeros(0, np.float32)] for _ in channels]
        size = max(self._network.block // len(channels), 1)
        for start in range(0, math.ceil(to_samples(channels[0][0].duration, WORKING_HZ) / WINDOW), size):
            read = (_block(audio, channel, start, size) for audio, channel in channels)
            blocks = list(itertools.takewhile(len, read))
            if blocks:
                state = State(state.hidden[:, : len(blocks)], state.cell[:, : len(blocks)])
                speech, state = self._network.run(_windows(blocks, tails), state)
            for index, block in enumerate(blocks):
                found[index].append(speech[index, : len(block) // WINDOW])
                tails[index] = block[-CONTEXT:]
        return [np.concatenate(parts) for parts in found]


def _block(audio: Audio, channel: int, start: int, size: int) -> Samples:
    """Read `size` windows from window `start` on; zeros fill up the last one there is."""
    per_window = WINDOW / WORKING_HZ
    block = audio.read(start * per_window, size * per_window, channel=channel, sampling_rate=WORKING_HZ)
    return np.pad(block, (0, -len(block) % WINDOW))


def _windows(blocks: Sequence[Samples], tails: Sequence[Samples]) -> Samples:
    """(windows of the longest block, blocks, CONTEXT + WINDOW); zeros behind the end of a shorter one."""
    longest = len(blocks[0])
    if len(blocks) == 1:
        return _framed(np.concatenate([tails[0], blocks[0]]))[:, np.newaxis]
    rows = [
        np.pad(np.concatenate([tail, block]), (0, longest - len(block)))
        for tail, block in zip(tails, blocks, strict=False)
    ]
    return np.stack([_framed(row) for row in rows], axis=1)


def _framed(samples: Samples) -> Samples:
    return np.lib.stride_tricks.sliding_window_view(samples, CONTEXT + WINDOW)[::WINDOW]


def _limits(config: Config) -> Limits:
    per_ms = WORKING_HZ / 1000
    longest = math.inf if config.max_speech_s is None else config.max_speech_s
    pad = config.pad_ms * per_ms
    return Limits(
        threshold=config.threshold,
        neg_threshold=max(config.threshold - 0.15, 0.01) if config.neg_threshold is None else config.neg_threshold,
        min_speech=config.min_speech_ms * per_ms,
        min_silence=config.min_silence_ms * per_ms,
        pad=pad,
        max_speech=longest * WORKING_HZ - WINDOW - 2 * pad,
        split_silence=SPLIT_SILENCE_S * WORKING_HZ,
    )


def _interval(start: int, end: int, duration: float, channel: int) -> Interval:
    # Rounding to 0.1 ms may step over the recording's last sample.
    until = min(to_seconds(end, WORKING_HZ), duration)
    since = to_seconds(start, WORKING_HZ)
    return Interval(since, min(tick(until - since), duration - since), channel)
