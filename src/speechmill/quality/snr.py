# SPDX-License-Identifier: Apache-2.0
"""Signal-to-noise ratio of a segment, from the VAD's speech in it; see `measures.snr` for what it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from speechmill.core.stage import Context
from speechmill.measures.snr import RANGE_DB, snr_db
from speechmill.quality import Column, Cut

VERSION = "2"
COST = 0.0001  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ()
LANGUAGES = None

COLUMNS = {
    "snr_db": Column(
        "dB", RANGE_DB, True, "speech over non-speech power by VAD; the quiet between sounds where cut tight"
    ),
}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """How noise is measured."""

    min_noise_s: Annotated[float, Meta(ge=0)] = 0.1  # less non-speech than this is mostly the VAD's own edges
    floor_percentile: Annotated[float, Meta(ge=0, le=100)] = 2.0  # 1 and 2 err least on read speech at 0 to 30 dB


class Backend:
    """Scores segments with their SNR."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return `snr_db`. Raises Unscorable: "too-short", "silence", "no-speech"."""
        options = self.config
        value = snr_db(
            cut.samples, cut.speech, min_noise_s=options.min_noise_s, floor_percentile=options.floor_percentile
        )
        return {"snr_db": value}
