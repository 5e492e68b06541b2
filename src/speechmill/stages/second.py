# SPDX-License-Identifier: Apache-2.0
"""Stage `second`: what another recogniser hears, for metrics that compare it with the transcript.

It hears every recording, whoever wrote the first transcript: a caption file may be of another video.
"""

from __future__ import annotations

from speechmill.core.conditions import holds
from speechmill.core.registry import Choice, knows_language
from speechmill.core.stage import Item, Patch, Resources
from speechmill.core.types import Transcript
from speechmill.stages.glue import Glue


class Second(Glue):
    """Asks one recogniser."""

    name = "second"
    reads = ("audio", "speech")
    writes = ("second",)

    def __init__(self, choice: Choice) -> None:
        super().__init__((choice,))
        self.resources = Resources(cost=getattr(choice.module, "COST", 0.0), timeout_per_audio_s=20.0, memory_mb=2048)

    def work(self, item: Item) -> Patch:
        choice, speech = self.choices[0], item.columns["speech"]
        asked = holds(choice.when, item.source) and knows_language(choice.module, item.source.language)
        if not asked or not speech:  # a recogniser given silence would only invent
            return Patch({"second": Transcript("none")})
        return Patch({"second": self.backend().transcribe(item.opened(), speech, item.source.language)})
