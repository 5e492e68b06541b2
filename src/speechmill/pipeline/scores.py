# SPDX-License-Identifier: Apache-2.0
"""Which metric computes a score, and what the score means, from the metrics' own COLUMNS."""

from __future__ import annotations

from msgspec import Struct

from speechmill.core import registry
from speechmill.quality import Column


class Score(Struct, frozen=True):
    """A score's metric (the backend's name) and meaning."""

    metric: str
    column: Column


def describe() -> dict[str, Score]:
    """Return every score that some metric computes. Imports the metrics' modules, never what they need to run."""
    found: dict[str, Score] = {}
    for metric in registry.names("quality"):
        columns = getattr(registry.load("quality", metric), "COLUMNS", {})
        found |= {name: Score(metric, column) for name, column in columns.items()}
    return found
