# SPDX-License-Identifier: Apache-2.0
"""Quality scores of a segment, each defined on the audio of the cut segment. One metric is one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from speechmill.core.stage import Samples
from speechmill.core.types import Interval, Utterance


class Column(Struct, frozen=True):
    """What a score means; filters, report and documentation follow from it.

    A metric's module states COLUMNS: dict[str, Column], name of the score -> meaning.
    """

    unit: str
    range: tuple[float, float]
    higher_is_better: bool
    source: str


class QualityBackend(Protocol):
    """Scores a segment."""

    def score(self, samples: Samples, segment: Utterance, speech: Sequence[Interval]) -> Mapping[str, float]:
        """Return a finite value for each of COLUMNS.

        samples: (num_samples,) float32, 16 kHz, the cut segment. speech: the VAD's intervals on the
        segment's channel, clipped to the segment and counted from its start.
        Raises Unscorable with the reason where the metric has no value.
        """
        ...
