# SPDX-License-Identifier: Apache-2.0
"""Stage `diarize`: speech intervals -> turns with speakers."""

from __future__ import annotations

from speechmill.core.conditions import holds
from speechmill.core.registry import Choice
from speechmill.core.stage import Item, Patch, Resources
from speechmill.stages.glue import Glue


class Diarize(Glue):
    """Tells speakers apart where the condition holds; elsewhere everything is one speaker's."""

    name = "diarize"
    reads = ("audio", "speech")
    writes = ("turns",)
    resources = Resources(cost=0.008, timeout_per_audio_s=2.0)

    def __init__(self, choice: Choice, otherwise: Choice) -> None:
        super().__init__((choice, otherwise))

    def work(self, item: Item) -> Patch:
        backend = self.backend(0 if holds(self.choices[0].when, item.source) else 1)
        turns = backend.diarize(item.opened(), item.columns["speech"], item.source.num_speakers)
        return Patch({"turns": tuple(turns)})
