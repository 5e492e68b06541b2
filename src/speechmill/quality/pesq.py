# SPDX-License-Identifier: Apache-2.0
"""PESQ of a segment against the clean recording that lies beside it: ITU-T P.862.2 (wide band) or P.862.1.

Computed by the package `pesq`, which wraps ITU's own code; up to 20 s the value is its value. Longer segments are
scored in equal parts and averaged: the code has room for 50 utterances of 0.4 s and writes beyond it, and P.862 was
validated on some 10 s. Without a clean recording there is `pesq_est`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
from msgspec import Struct

from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context, Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.quality import Column, Cut

VERSION = "1"
COST = 0.01  # CPU seconds per second of audio, for estimates
REQUIRES = ("pesq",)
MODELS = ()
LANGUAGES = None

COLUMNS = {
    "pesq": Column("MOS", (1.0, 4.65), True, "PESQ, ITU-T P.862.2 (wide band) or P.862.1, against a clean recording"),
}

SHORTEST_S = 0.25  # less and ITU's code refuses
LONGEST_S = 20.0


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Which PESQ."""

    mode: Literal["wb", "nb"] = "wb"  # what papers report for 16 kHz; nb hears only up to 3.4 kHz


class Backend:
    """Scores segments with PESQ."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return `pesq`. Raises Unscorable: "no-reference", "too-short" under 0.25 s, "silence", "no-speech"."""
        clean = cut.reference()
        length = min(len(clean), len(cut.samples))
        if length < SHORTEST_S * WORKING_HZ:
            raise Unscorable("too-short", f"{length / WORKING_HZ:.3f} s; PESQ needs {SHORTEST_S} s")
        count = math.ceil(length / (LONGEST_S * WORKING_HZ))
        edges = [length * part // count for part in range(count + 1)]
        parts = [self._part(clean[a:b], cut.samples[a:b]) for a, b in itertools.pairwise(edges)]
        values = [value for value in parts if value is not None]
        if not values:
            raise Unscorable("no-speech", "PESQ finds no utterance in the reference")
        return {"pesq": float(np.mean(values))}

    def _part(self, clean: Samples, damaged: Samples) -> float | None:
        """Score one part; None where its reference holds no utterance, as in a long pause."""
        import pesq

        if not clean.any():
            return None
        if not damaged.any():
            raise Unscorable("silence", "a stretch of the segment is digital silence where its reference is not")
        try:
            value = pesq.pesq(WORKING_HZ, clean, damaged, self.config.mode)
        except pesq.NoUtterancesError:
            return None
        return float(value)
