# SPDX-License-Identifier: Apache-2.0
"""Stage `vad`: canonical audio -> speech intervals of every channel."""

from __future__ import annotations

from speechmill.core.stage import Item, Patch, Resources
from speechmill.stages.glue import Glue


class Vad(Glue):
    """Finds speech with the backend chosen."""

    name = "vad"
    reads = ("audio",)
    writes = ("speech",)
    resources = Resources(cost=0.0015, timeout_per_audio_s=0.5)

    def work(self, item: Item) -> Patch:
        audio, backend = item.opened(), self.backend()
        channels = range(audio.num_channels)
        return Patch({"speech": tuple(interval for channel in channels for interval in backend.speech(audio, channel))})
