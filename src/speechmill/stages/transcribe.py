# SPDX-License-Identifier: Apache-2.0
"""Stage `transcribe`: the first backend in the list that has text for a recording.

A backend that doesn't know the recording's language is passed over. A transcript that exists but can't
be used fails the recording: falling through to a recogniser would hide it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from speechmill.core.conditions import holds
from speechmill.core.errors import TranscriptError
from speechmill.core.registry import Choice, knows_language
from speechmill.core.stage import Item, Patch, Resources
from speechmill.core.types import Canonical, Transcript
from speechmill.stages.glue import Glue
from speechmill.stages.place import placed


class Transcribe(Glue):
    """Asks transcripts and recognisers in the order given."""

    name = "transcribe"
    reads = ("audio", "speech")
    writes = ("transcript",)

    def __init__(self, choices: Sequence[Choice]) -> None:
        super().__init__(choices)
        # An estimate for recordings that come to the slowest backend; files beside the audio cost nothing.
        cost = max((getattr(choice.module, "COST", 0.0) for choice in choices), default=0.0)
        self.resources = Resources(cost=cost, timeout_per_audio_s=20.0, memory_mb=2048)

    def work(self, item: Item) -> Patch:
        warnings: tuple[str, ...] = ()  # of the transcripts that were left with no text, too
        for index, choice in enumerate(self.choices):
            if not holds(choice.when, item.source) or not knows_language(choice.module, item.source.language):
                continue
            transcript = self._ask(index, item)
            if transcript is None:
                continue
            warnings += transcript.warnings
            if any(one.text for one in transcript.utterances):
                found = structs.replace(transcript, backend=choice.backend, warnings=warnings)
                return Patch({"transcript": found})
        return Patch({"transcript": Transcript("none", warnings=warnings)})

    def _ask(self, index: int, item: Item) -> Transcript | None:
        canonical: Canonical = item.columns["audio"]
        found: Transcript | None
        if self.choices[index].family == "transcripts":
            found = _checked(self.backend(index).read(item.source, canonical.duration), len(canonical.paths))
            lexicon = getattr(self.choices[index].config, "place", None)
            found = placed(found, item, lexicon) if found and lexicon else found
        elif not item.columns["speech"]:
            found = None  # nothing to recognise: a recogniser would only invent
        else:
            found = self.backend(index).transcribe(item.opened(), item.columns["speech"], item.source.language)
        return found


def _checked(transcript: Transcript | None, num_channels: int) -> Transcript | None:
    """Raise TranscriptError where a transcript names a channel that the recording doesn't have."""
    for one in transcript.utterances if transcript else ():
        if not 0 <= one.channel < num_channels:
            raise TranscriptError("no-such-channel", f"channel {one.channel} of {num_channels}: {one.text!r}"[:300])
    return transcript
