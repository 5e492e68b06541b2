# SPDX-License-Identifier: Apache-2.0
"""How many things in a segment's text tell who somebody is: addresses, phone, identity, card and account numbers.

By patterns, see `speechmill.text.pii`: no names, and nothing said in words. `filter: {rules: ["pii == 0"]}` leaves such
segments out; `speechmill explain SEGMENT` names the kinds.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.quality import Column, Cut
from speechmill.text.pii import find

VERSION = "2"  # 1 took versions, amounts and books for numbers of people
COST = 0.0001  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ()
LANGUAGES = None

COLUMNS = {
    "pii": Column("count", (0.0, 1e6), False, "addresses and numbers in the text that tell who somebody is"),
}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to choose."""


class Backend:
    """Scores segments with what their text gives away."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return `pii`, 0 where there is none. Raises Unscorable: "no-text"."""
        text = cut.segment.text or ""
        if not text.strip():
            raise Unscorable("no-text")
        return {"pii": float(len(find(text, cut.language)))}
