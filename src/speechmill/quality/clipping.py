# SPDX-License-Identifier: Apache-2.0
"""Share of a segment's samples that were cut off; see `measures.clipping` for what it is."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.measures.clipping import clipping
from speechmill.quality import Column, Cut

VERSION = "1"
COST = 0.0005  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ()
LANGUAGES = None

COLUMNS = {"clipping": Column("share", (0.0, 1.0), False, "samples at full scale, or piled up at a level below it")}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """No options: its numbers were set together, on speech that was clipped on purpose."""


class Backend:
    """Scores segments with their clipping."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return `clipping`. Raises Unscorable("too-short") without samples."""
        return {"clipping": clipping(cut.samples)}
