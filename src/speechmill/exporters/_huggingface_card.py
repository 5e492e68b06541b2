# SPDX-License-Identifier: Apache-2.0
"""The card of a Hugging Face dataset: YAML for the Hub, then hours, counts and whose speech it is.

Texts of the dataset don't appear in it; what strangers wrote into an attribution is escaped.
"""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from speechmill.core.types import Recording, Segment
from speechmill.exporters import Written
from speechmill.exporters._attribution import FILE, rights_of, source_of
from speechmill.exporters._kept import language_of

MAX_TABLE_ROWS = 200  # a card is read by people; ATTRIBUTION.tsv holds them all

# The Hub's licence identifiers that recordings of speech come under; anything else is "other" there.
HUB_LICENCES = frozenset(
    {
        *("cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
        *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"),
        *("cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "pddl", "odc-by", "odbl", "mit", "apache-2.0"),
    }
)
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))


class Summary:
    """Counts what is exported, segment by segment."""

    def __init__(self) -> None:
        self.num_segments = 0
        self.seconds_by_language: defaultdict[str, float] = defaultdict(float)
        self.speakers: set[str] = set()
        self.splits: dict[str, None] = {}
        self._recordings: dict[str, Recording] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def add(self, recording: Recording, segment: Segment) -> None:
        """Count one segment."""
        self.num_segments += 1
        self._recordings[recording.id] = recording
        self._seconds[recording.id] += segment.duration
        self.seconds_by_language[language_of(recording, segment) or "unknown"] += segment.duration
        if segment.speaker is not None:
            self.speakers.add(segment.speaker)

    def note(self) -> dict[str, Any]:
        """Return what `add_shard` needs, as JSON knows it."""
        return {
            "languages": dict(self.seconds_by_language),
            "speakers": sorted(self.speakers),
            "seconds": dict(self._seconds),
        }

    def add_shard(self, shard: Written, recordings: Mapping[str, Recording]) -> None:
        """Count what was counted of a shard."""
        self.num_segments += shard.segments
        self.splits[shard.split] = None
        self.speakers.update(shard.note["speakers"])
        for language, seconds in shard.note["languages"].items():
            self.seconds_by_language[language] += seconds
        for recording_id, seconds in shard.note["seconds"].items():
            self._recordings[recording_id] = recordings[recording_id]
            self._seconds[recording_id] += seconds

    def recordings(self) -> list[Recording]:
        """Return the recordings that have a segment here, in the dataset's order."""
        return list(self._recordings.values())

    def seconds(self) -> Iterator[tuple[Recording, float]]:
        """Yield each recording with the seconds exported of it."""
        for recording in self._recordings.values():
            yield recording, self._seconds[recording.id]

    @property
    def total_seconds(self) -> float:
        """Seconds of all segments."""
        return sum(self._seconds.values())


def write_card(folder: Path, summary: Summary) -> None:
    """Write README.md."""
    import yaml

    front = yaml.safe_dump(front_matter(summary), sort_keys=False, allow_unicode=True)
    text = f"---\n{front}---\n\n{_body(summary)}\n"
    (folder / "README.md").write_text(text, encoding="utf-8", newline="\n")


def front_matter(summary: Summary) -> dict[str, Any]:
    """Return what the Hub reads from a card."""
    languages = {language.split("-")[0] for language in summary.seconds_by_language if language != "unknown"}
    return {
        **({"language": sorted(languages)} if languages else {}),
        **_licence(summary.recordings()),
        "task_categories": ["automatic-speech-recognition", "text-to-speech"],
        "size_categories": [next((name for limit, name in SIZES if summary.num_segments < limit), "n>10M")],
        "configs": [{"config_name": "default", "data_files": _data_files(summary)}],
    }


def _data_files(summary: Summary) -> list[dict[str, str]]:
    return [{"split": split, "path": f"data/{split}-*"} for split in summary.splits or ("train",)]


def _licence(recordings: list[Recording]) -> dict[str, Any]:
    """Return the licence as the Hub knows it; several are a list, a foreign one is "other" with its name."""
    named = {rights_of(recording).licence for recording in recordings}
    hub = {hub_licence(licence) for licence in named}
    if not hub:
        return {}
    licence: Any = hub.pop() if len(hub) == 1 else sorted(hub)
    if licence != "other":
        return {"license": licence}
    # The Hub wants a name of this kind; ATTRIBUTION.tsv has it as it was given.
    names = sorted(re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-") for name in named if name)
    return {"license": "other", "license_name": "-and-".join(names)}


def hub_licence(licence: str | None) -> str:
    """Return the Hub's identifier of a licence.

    >>> hub_licence("CC BY 4.0"), hub_licence("ask me"), hub_licence(None)
    ('cc-by-4.0', 'other', 'unknown')
    """
    if licence is None:
        return "unknown"
    address = re.search(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)", licence.lower())
    identifier = f"cc-{address[1]}-{address[2]}" if address else "-".join(licence.lower().split())
    return identifier if identifier in HUB_LICENCES else "other"


def _body(summary: Summary) -> str:
    return "\n".join(
        [
            "# Speech dataset",
            "",
            f"{summary.total_seconds / 3600:.2f} hours, {summary.num_segments} segments of "
            f"{len(summary.recordings())} recordings, {len(summary.speakers)} speakers. Made with speechmill.",
            "",
            *_table(("Language", "Hours"), _languages(summary)),
            "",
            "Audio is mono FLAC, 24 kHz. `start` and `duration` are seconds in the recording; the times in `words` and",
            "`phones` count from the start of the clip. A score that could not be computed is null.",
            "",
            "## Attribution",
            "",
            *_attribution(summary),
        ]
    )


def _languages(summary: Summary) -> list[tuple[str, str]]:
    return [(language, f"{seconds / 3600:.2f}") for language, seconds in sorted(summary.seconds_by_language.items())]


def _attribution(summary: Summary) -> list[str]:
    rows = [
        (recording.id, f"{seconds / 3600:.2f}", rights.licence or "", rights.attribution or "", source_of(recording))
        for recording, seconds in summary.seconds()
        if (rights := rights_of(recording))
    ]
    lines = _table(("Recording", "Hours", "Licence", "Attribution", "Source"), rows[:MAX_TABLE_ROWS])
    rest = len(rows) - MAX_TABLE_ROWS
    return [*lines, "", f"And {rest} more in {FILE}."] if rest > 0 else lines


def _table(header: tuple[str, ...], rows: list[Any]) -> list[str]:
    cells = [header, ("---",) * len(header), *(tuple(map(_cell, row)) for row in rows)]
    return [f"| {' | '.join(row)} |" for row in cells]


def _cell(text: str) -> str:
    """Make a stranger's text one harmless cell of a Markdown table."""
    plain = html.escape(" ".join(text.split()), quote=False)
    return "".join(f"\\{mark}" if mark in "\\`*[]|" else mark for mark in plain)
