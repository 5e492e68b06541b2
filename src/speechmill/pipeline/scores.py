# SPDX-License-Identifier: Apache-2.0
"""Which metric computes a score, and what the score means, from the metrics' own COLUMNS; and the aligner's score."""

from __future__ import annotations

from msgspec import Struct

from speechmill.align import SCORE, SCORE_COLUMN
from speechmill.core import registry
from speechmill.core.columns import Column


class Score(Struct, frozen=True):
    """A score's metric (the backend's name; "align": aligners that score) and meaning."""

    metric: str
    column: Column

    @property
    def asked(self) -> str:
        """What of the corpus file makes it."""
        return "align: gmm" if self.metric == "align" else f"quality: [{self.metric}]"


def describe() -> dict[str, Score]:
    """Return every score that some metric computes. Imports the metrics' modules, never what they need to run."""
    found = {SCORE: Score("align", SCORE_COLUMN)}
    for metric in registry.names("quality"):
        columns = getattr(registry.load("quality", metric), "COLUMNS", {})
        found |= {name: Score(metric, column) for name, column in columns.items()}
    return found
