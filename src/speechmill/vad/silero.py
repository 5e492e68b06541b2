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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct

from speechmill import models
from speechmill.core.stage import Audio, Context, Samples
from speechmill.core.timebase import WORKING_HZ, to_samples
from speechmill.core.types import Interval
from speechmill.vad._hysteresis import intervals, limits, stretches
from speechmill.vad._silero_network import CONTEXT, WINDOW, State, at_rest, open_network

VERSION = "2"
REQUIRES = ()
MODELS = ("silero-vad-v6.2",)  # of the default weights; others are pulled when they are chosen
LANGUAGES = None
DEVICES = ("cpu", "cuda", "triton")

TOGETHER = 16  # channels in step; more gain nothing


class _Release(Struct, frozen=True):
    card: str
    file: str
    served_as: str  # by which a server knows it


RELEASES = {
    "v6.2": _Release("silero-vad-v6.2", "silero_vad_16k_sequence.onnx", "silero_vad"),
    "v6": _Release("silero-vad-v6", "silero_vad_v6.onnx", "silero_vad_v6"),
}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Silero's own options and defaults."""

    weights: Literal["v6.2", "v6"] = "v6.2"  # misses less of meetings than v6, which faster-whisper has
    threshold: Annotated[float, Meta(gt=0, lt=1)] = 0.5  # probability from which on a window is speech
    neg_threshold: Annotated[float, Meta(gt=0, lt=1)] | None = None  # ends speech; None: threshold - 0.15, or 0.01
    min_speech_ms: Annotated[float, Meta(ge=0)] = 250.0  # what is shorter is a click or a cough
    min_silence_ms: Annotated[float, Meta(ge=0)] = 100.0  # shorter gaps are stop consonants
    pad_ms: Annotated[float, Meta(ge=0)] = 30.0  # on both sides: quiet onsets and releases
    max_speech_s: Annotated[float, Meta(gt=0)] | None = None  # None: no limit; else split at a pause of 98 ms, or hard


def model_digest(config: Config) -> str:
    """Say which weights are used, where they aren't the default's."""
    card = RELEASES[config.weights].card
    return "" if card in MODELS else models.digest(card)


def prepare(config: Config) -> None:
    """Have the weights here. Raises MissingModel."""
    models.pull(RELEASES[config.weights].card)


class Backend:
    """Finds speech with Silero VAD."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        release = RELEASES[config.weights]
        self._network = open_network(context.model_path(release.card) / release.file, release.served_as, context.device)

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
        return self.speech_of([(audio, channel)])[0]

    def speech_of(self, channels: Sequence[tuple[Audio, int]]) -> list[list[Interval]]:
        """Return the speech of many channels; see `probabilities_of`."""
        found = self.probabilities_of(channels)
        return [self._decided(part, *channel) for part, channel in zip(found, channels, strict=True)]

    def _decided(self, probabilities: Samples, audio: Audio, channel: int) -> list[Interval]:
        lower = self.config.neg_threshold or max(self.config.threshold - 0.15, 0.01)
        rules = limits(self.config.threshold, lower, self.config, WINDOW)
        found = stretches(probabilities.tolist(), WINDOW, to_samples(audio.duration, WORKING_HZ), rules)
        return intervals(found, audio.duration, channel)

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


def networks(model_path: Callable[[str], Path]) -> dict[str, Path]:
    """Return what a server can have, by name: the default weights, and others where they are here."""
    here = [release for release in RELEASES.values() if release.card in MODELS or models.is_present(release.card)]
    return {release.served_as: model_path(release.card) / release.file for release in here}


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
