# SPDX-License-Identifier: Apache-2.0
"""Whose speech it is: the table of licences that travels with every export."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from speechmill.core.types import Recording, Rights

FILE = "ATTRIBUTION.tsv"
COLUMNS = ("recording_id", "licence", "state", "attribution", "title", "author", "source", "evidence", "seen")


def rights_of(recording: Recording) -> Rights:
    """Return what is known of the rights; nothing known is a Rights that says so."""
    return recording.rights or Rights()


def source_of(recording: Recording) -> str:
    """Return where a recording came from: its address, or the bare name of a local file.

    A local path would tell the world how somebody's disk is laid out.
    """
    parts = urlsplit(recording.uri)
    if parts.scheme in ("http", "https"):
        return recording.uri
    path = unquote(parts.path) if parts.scheme == "file" else recording.uri
    return PurePosixPath(path.replace("\\", "/")).name


def attribution_row(recording: Recording) -> tuple[str, ...]:
    """Return the cells of one recording, in the order of COLUMNS."""
    rights = rights_of(recording)
    cells = (
        recording.id,
        rights.licence,
        rights.state,
        rights.attribution,
        rights.title,
        rights.author,
        source_of(recording),
        rights.evidence,
        rights.seen,
    )
    return tuple(" ".join((cell or "").split()) for cell in cells)  # no tab or newline inside a cell


def write_attribution(folder: Path, recordings: Iterable[Recording]) -> None:
    """Write ATTRIBUTION.tsv: a header, then one line for each recording."""
    with (folder / FILE).open("w", encoding="utf-8", newline="\n") as file:
        for cells in (COLUMNS, *map(attribution_row, recordings)):
            file.write("\t".join(cells) + "\n")
