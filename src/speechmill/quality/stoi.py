# SPDX-License-Identifier: Apache-2.0
"""STOI of a segment against the clean recording that lies beside it; see `measures.stoi` for what it is.

The two must be parallel to the sample. Without a clean recording there is `stoi_est`.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.measures.stoi import stoi
from speechmill.quality import Column, Cut

VERSION = "1"
COST = 0.0015  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ()
LANGUAGES = None

COLUMNS = {
    "stoi": Column("correlation", (-1.0, 1.0), True, "STOI, Taal et al., IEEE TASLP 2011, against a clean recording"),
}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """No options: a score that others are to compare with has none."""


class Backend:
    """Scores segments with STOI."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return `stoi`. Raises Unscorable: "no-reference", "silence", "too-short" under 0.4 s of speech."""
        clean = cut.reference()
        length = min(len(clean), len(cut.samples))
        if not cut.samples[:length].any():
            raise Unscorable("silence", "every sample of the segment is zero")
        return {"stoi": stoi(clean[:length], cut.samples[:length])}
