# SPDX-License-Identifier: Apache-2.0
"""Energy VAD: what is louder than the noise around it. No model.

The level of 30 ms frames is compared with the noise floor: the level that a fifth of the frames within 15 seconds
stay below. Speech starts and ends at two thresholds over it. It takes anything loud for speech (music, traffic, a
door), hears none in steady noise of its own level, and misses speech that goes on for half a minute without pauses.
Sources: two energy thresholds: Rabiner and Sambur, An algorithm for determining the endpoints of isolated
utterances, Bell System Technical Journal 1975; noise as a quantile over time: Stahl, Fischer and Bippus, ICASSP 2000.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from speechmill.core.stage import Audio, Context, Samples
from speechmill.core.timebase import WORKING_HZ, to_samples
from speechmill.core.types import Interval
from speechmill.vad._hysteresis import intervals, limits, stretches

VERSION = "1"
REQUIRES = ()
MODELS = ()
LANGUAGES = None

HOP = 160  # samples: 10 ms
FRAME = 3  # hops: 30 ms hold several periods of a deep voice
BLOCK_S = 60.0  # whole hops
FLOOR_QUANTILE = 0.2  # read speech pauses about a fifth of the time
FLOOR_REACH_S = 15  # on both sides: long enough to hold pauses, short enough to follow a change of room
QUIETEST_DB = -80.0  # dBFS: digital silence is no noise floor, or its first dither would be speech


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds over the noise floor, and lengths; tuned on speech mixed with noise at 5 to 30 dB.

    There 6 dB misses 10 % of the speech and takes 12 % of the noise for speech; 4 dB 5 and 19 %.
    """

    threshold_db: Annotated[float, Meta(gt=0)] = 6.0  # over the noise floor: speech starts
    neg_threshold_db: Annotated[float, Meta(gt=0)] | None = None  # speech ends below it; None: 3 dB less, at least half
    min_speech_ms: Annotated[float, Meta(ge=0)] = 250.0  # what is shorter is a click or a cough
    min_silence_ms: Annotated[float, Meta(ge=0)] = 300.0  # shorter gaps are weak consonants, which energy misses
    pad_ms: Annotated[float, Meta(ge=0)] = 30.0  # on both sides: quiet onsets and releases
    max_speech_s: Annotated[float, Meta(gt=0)] | None = None  # None: no limit; else split at a pause of 98 ms, or hard


class Backend:
    """Finds what is louder than the noise."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def speech(self, audio: Audio, channel: int) -> list[Interval]:
        """Return one channel's speech, ordered and disjoint."""
        levels = _levels(audio, channel)
        over_noise = levels - noise_floor(levels)
        rules = limits(self.config.threshold_db, self._lower_db(), self.config, HOP)
        found = stretches(over_noise.tolist(), HOP, to_samples(audio.duration, WORKING_HZ), rules)
        return intervals(found, audio.duration, channel)

    def _lower_db(self) -> float:
        return self.config.neg_threshold_db or max(self.config.threshold_db - 3, self.config.threshold_db / 2)


def noise_floor(levels: Samples) -> Samples:
    """Follow the noise under the speech: (num_frames,) dB for (num_frames,) dB, a frame each 10 ms.

    The quantile is taken once a second and drawn as straight lines between.
    """
    second, reach = WORKING_HZ // HOP, FLOOR_REACH_S * WORKING_HZ // HOP
    knots = range(0, len(levels), second)
    floors = [np.quantile(levels[max(knot - reach, 0) : knot + reach], FLOOR_QUANTILE) for knot in knots]
    if not floors:
        return levels
    return np.interp(np.arange(len(levels)), knots, floors).astype(np.float32)


def _levels(audio: Audio, channel: int) -> Samples:
    """Level in dBFS around each 10 ms; what follows the last whole one is left out."""
    powers = [np.zeros(0, np.float32)]
    for index in range(math.ceil(audio.duration / BLOCK_S)):
        block = audio.read(index * BLOCK_S, BLOCK_S, channel=channel, sampling_rate=WORKING_HZ)
        hops = block[: len(block) // HOP * HOP].reshape(-1, HOP)
        powers.append(np.einsum("ij,ij->i", hops, hops) / HOP)
    power = np.concatenate(powers)
    if len(power):
        power = np.convolve(np.pad(power, FRAME // 2, mode="edge"), np.full(FRAME, 1 / FRAME), "valid")
    return (10 * np.log10(np.maximum(power, 10 ** (QUIETEST_DB / 10)))).astype(np.float32)
