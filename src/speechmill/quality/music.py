# SPDX-License-Identifier: Apache-2.0
"""Likelihood that a segment is music or noise and no speech, from its signal alone.

A logistic function of `measures.music`, for what the VAD takes for speech and is none. It was fitted on made-up music
and noise, for no recordings were free to use; of these silero hears none as speech, so what it adds on real music is
not known. Singing, rapping and speech over loud music lie between; it is no detector of music that runs softly under
speech.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.measures.music import features
from speechmill.quality import Column, Cut, _tables

VERSION = "1"
COST = 0.002  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ()
LANGUAGES = None

TABLE = "music.toml"
COLUMNS = {"music": Column("probability", (0.0, 1.0), False, "of music or noise without speech; from signal features")}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """No options: the score is what was calibrated."""


def model_digest(config: Config) -> str:
    """Name the coefficients, which come with the package."""
    return _tables.digest(TABLE)


class Coefficients(Struct, frozen=True, forbid_unknown_fields=True):
    """Of a logistic function; made by benchmarks/tuning/music.py."""

    intercept: float
    weights: dict[str, float]


class Backend:
    """Scores segments with how much they sound like music or noise."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return `music`, 0..1. Raises Unscorable: "too-short" (< 1 s), "silence"."""
        known, found = features(cut.samples), _coefficients()
        total = found.intercept + sum(weight * known[name] for name, weight in found.weights.items())
        return {"music": 1 / (1 + math.exp(-min(40.0, max(-40.0, total))))}


@functools.cache
def _coefficients() -> Coefficients:
    return msgspec.convert(_tables.read(TABLE), Coefficients)
