# SPDX-License-Identifier: Apache-2.0
"""True bandwidth of a segment, behind the sampling rate of its file; see `measures.bandwidth` for what it is.

It reads the cut at 24 kHz, so 12 kHz is the most that it can tell.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.measures.bandwidth import bandwidth_hz
from speechmill.quality import Column, Cut

VERSION = "1"
COST = 0.0005  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ()
LANGUAGES = None

COLUMNS = {"bandwidth_hz": Column("Hz", (0.0, 12_000.0), True, "where the long-term spectrum at 24 kHz breaks off")}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """No options: its numbers were set together, on speech of known bandwidth."""


class Backend:
    """Scores segments with their bandwidth."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return `bandwidth_hz`. Raises Unscorable: "too-short", "silence", "no-24-khz-audio"."""
        return {"bandwidth_hz": bandwidth_hz(cut.wide())}
