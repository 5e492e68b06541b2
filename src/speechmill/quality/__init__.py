# SPDX-License-Identifier: Apache-2.0
"""Quality scores of a segment, each defined on the audio of the cut segment. One metric is one file.

A metric's module states COLUMNS: dict[str, Column], name of the score -> meaning. One that needs more than the
segment states READS: names of columns of other stages, such as "second" or "segments.scores.snr_db". They are in
`Cut.columns` where the corpus has a stage that writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from speechmill.core.columns import Column as Column
from speechmill.core.errors import Unscorable
from speechmill.core.stage import Samples
from speechmill.core.types import Interval, Utterance


def _no_wide() -> Samples:
    raise Unscorable("no-24-khz-audio")


def _no_reference() -> Samples:
    raise Unscorable("no-reference")


class Cut(Struct, frozen=True):
    """A segment as a metric sees it.

    samples: (num_samples,) float32 at 16 kHz, the cut segment. speech: the VAD's intervals on the segment's channel,
    clipped to the segment and counted from its start. language: the segment's, or else the recording's.
    columns: what the module's READS names; of a column of segments, this segment's value.
    """

    samples: Samples
    segment: Utterance = Utterance(None)
    speech: Sequence[Interval] = ()
    language: str | None = None
    columns: Mapping[str, Any] = {}
    wide: Callable[[], Samples] = _no_wide  # the cut at 24 kHz
    reference: Callable[[], Samples] = _no_reference  # the clean recording's same stretch, 16 kHz, maybe shorter


class QualityBackend(Protocol):
    """Scores a segment."""

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return a finite value for each of COLUMNS.

        Raises Unscorable with the reason where the metric has no value.
        """
        ...
