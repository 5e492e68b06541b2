# SPDX-License-Identifier: Apache-2.0
"""Signal-to-noise ratio by WADA, as many published corpora state it; see `measures.wada` for what it is.

Beside `snr`, not in its place: it needs no VAD, and errs more.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.measures.wada import RANGE_DB, wada_snr_db
from speechmill.quality import Column, Cut

VERSION = "1"
COST = 0.0005  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ()
LANGUAGES = None

COLUMNS = {"wada_snr_db": Column("dB", RANGE_DB, True, "WADA, Kim & Stern, Interspeech 2008")}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """No options: a score that others are to compare with has none."""


class Backend:
    """Scores segments with their SNR by WADA."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return `wada_snr_db`. Raises Unscorable: "too-short" (< 0.5 s), "silence"."""
        return {"wada_snr_db": wada_snr_db(cut.samples)}
