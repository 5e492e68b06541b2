# SPDX-License-Identifier: Apache-2.0
"""Stage `normalise`: the original, never altered -> canonical 24 kHz mono FLAC and what was measured on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import structs

from speechmill.core.stage import Item, Patch, Resources
from speechmill.formats.audio import PcmAudio, make_canonical
from speechmill.stages.glue import Glue
from speechmill.stages.originals import at_hand

FOLDER = "recordings"


class Normalise(Glue):
    """Decodes an original once. The working copy it makes is handed to the stages after it: see `take`."""

    name = "normalise"
    reads: tuple[str, ...] = ()
    writes = ("audio",)
    resources = Resources(cost=0.002, timeout_per_audio_s=0.5, memory_mb=512)

    def __init__(self) -> None:
        super().__init__(())
        self._made: PcmAudio | None = None

    def work(self, item: Item) -> Patch:
        folder = Path(FOLDER) / f"v{self.version}" / item.key[:2]
        channels: Literal["mix", "each"] = "each" if item.source.channels == "each" else "mix"
        target = self.context.workspace / folder
        with at_hand(item.source) as original:
            canonical, self._made = make_canonical(original, target, item.key[:24], channels)
        paths = tuple((folder / path).as_posix() for path in canonical.paths)
        return Patch({"audio": structs.replace(canonical, paths=paths)})

    def take(self) -> PcmAudio | None:
        """Hand over the working copy of the last item, so that a run of stages decodes once."""
        made, self._made = self._made, None
        return made
