# SPDX-License-Identifier: Apache-2.0
"""What the files of a workspace are, for the certificate; and which of them tell what a target is."""

from __future__ import annotations

from pathlib import Path

_KINDS = {
    "recordings": "canonical audio",
    "stages": "results",
    "tables": "tables",
    "decisions": "decisions",
    "dataset": "dataset",
    "exports": "exports",
    "splits": "splits",
    "versions": "versions",
    "models": "models",
    "corrections": "corrections",
    "runs": "runs",
    "crawl": "crawl",
    "hashes.parquet": "memory of intake",
    "report.html": "report",
}
_TELLING = ("recordings", "stages", "tables", "decisions")


def kind_of(place: Path) -> str:
    """Name what a file is, by its path in the workspace.

    >>> kind_of(Path("stages/vad-0/00000/a.parquet")), kind_of(Path("review/sheet.html"))
    ('results', 'other files')
    """
    return _KINDS.get(place.parts[0], "other files")


def tells(place: Path) -> bool:
    """Tell whether names, texts or audio of a target are read from a file: it is rewritten after all others.

    >>> tells(Path("dataset/segments.parquet")), tells(Path("dataset/README.md"))
    (True, False)
    """
    top, name = place.parts[0], place.name
    if top in _TELLING:
        return True
    if top == "dataset":
        return name in ("segments.parquet", "recordings.parquet")
    if top == "runs":
        return name in ("sources.parquet", "shards.parquet")
    return top == "crawl" and len(place.parts) > 2 and place.parts[1] == "batches"
