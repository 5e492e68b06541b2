# SPDX-License-Identifier: Apache-2.0
"""Silero VAD v6 on onnxruntime: no torch, and memory that doesn't grow with the recording.

The model sees 32 ms windows with 4 ms of context and remembers the past in an LSTM. Audio is read in
blocks of a minute; context and LSTM state go from block to block, so the blocks leave no trace.
Source: Silero Team, https://github.com/snakers4/silero-vad (MIT).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from speechmill.core.stage import Audio, Context, Samples
from speechmill.core.timebase import WORKING_HZ, tick, to_samples, to_seconds
from speechmill.core.types import Interval
from speechmill.models.inference import session
from speechmill.vad._hysteresis import SPLIT_SILENCE_S, Limits, stretches

VERSION = "1"
REQUIRES = ()
MODELS = ("silero-vad-v6",)
LANGUAGES = None
DEVICES = ("cpu", "cuda", "triton")

WINDOW = 512  # samples at 16 kHz, the model's hop
CONTEXT = 64  # samples before each window that the model sees too
BLOCK_S = 60.0  # 1,875 windows exactly
STATE = (1, 1, 128)


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
        network = context.model_path(MODELS[0]) / "silero_vad_v6.onnx"
        self._session = session(network, name="silero_vad", device=context.device, bounded=True)

    def probabilities(self, audio: Audio, channel: int) -> Samples:
        """Return the probability of speech in each 32 ms window, (num_windows,) float32 in 0..1.

        The last window is filled up with zeros.
        """
        hidden, cell = np.zeros(STATE, np.float32), np.zeros(STATE, np.float32)
        before = np.zeros(CONTEXT, np.float32)
        found = [np.zeros(0, np.float32)]
        for block in _blocks(audio, channel):
            windows = np.concatenate([before, block])
            framed = np.lib.stride_tricks.sliding_window_view(windows, CONTEXT + WINDOW)[::WINDOW]
            inputs = {"input": np.ascontiguousarray(framed), "h": hidden, "c": cell}
            speech, hidden, cell = self._session.run(None, inputs)
            found.append(speech)
            before = block[-CONTEXT:]
        return np.concatenate(found)

    def speech(self, audio: Audio, channel: int) -> list[Interval]:
        """Return one channel's speech, ordered and disjoint."""
        limits = _limits(self.config)
        num_samples = to_samples(audio.duration, WORKING_HZ)
        found = stretches(self.probabilities(audio, channel).tolist(), WINDOW, num_samples, limits)
        return [_interval(start, end, audio.duration, channel) for start, end in found]


def _blocks(audio: Audio, channel: int) -> Iterator[Samples]:
    """Yield the channel in blocks of whole windows; zeros fill the last one up."""
    for index in range(math.ceil(audio.duration / BLOCK_S)):
        block = audio.read(index * BLOCK_S, BLOCK_S, channel=channel, sampling_rate=WORKING_HZ)
        if len(block):
            yield np.pad(block, (0, -len(block) % WINDOW))


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
