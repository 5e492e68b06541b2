# SPDX-License-Identifier: Apache-2.0
"""Stage `segment`: speech, turns and transcript -> the rows of the dataset; what a person corrected outranks them."""

from __future__ import annotations

from speechmill.core.stage import Item, Patch, Resources
from speechmill.stages.corrections import corrected
from speechmill.stages.glue import Glue


class Segmentation(Glue):
    """Makes utterances; every later stage adds columns to them."""

    name = "segment"
    reads = ("audio", "speech", "turns", "transcript")
    writes = ("segments",)
    resources = Resources(cost=0.0001)

    def work(self, item: Item) -> Patch:
        columns = item.columns
        utterances = self.backend().segments(
            item.source, columns["audio"].duration, columns["speech"], columns["turns"], columns["transcript"]
        )
        return Patch({"segments": corrected(utterances, item.source)})
