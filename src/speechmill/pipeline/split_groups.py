# SPDX-License-Identifier: Apache-2.0
"""What may not be in two splits: recordings, and by what they hang together.

Recordings with the same bytes are one. They hang together by a speaker whose name is known beyond the recording, by the
channel that they were crawled from, and by sound. Dropped segments count too: another threshold may keep them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from speechmill.formats.manifest import read_parquet
from speechmill.pipeline.arrow_numpy import integers
from speechmill.pipeline.expressions import Floats, Truths
from speechmill.pipeline.segment_columns import SegmentColumns

Indices = NDArray[np.int64]

SCORES = ("dnsmos_ovrl", "distillmos", "snr_db", "wada_snr_db", "pesq_est", "stoi_est")  # the first stands for quality
_LENGTHS_S = (5.0, 12.0)  # short, middling and long segments
_LANGUAGES = 20  # rarer ones are one stratum


class Link(NamedTuple):
    """Something that recordings have in common. kind "sound": a cluster of recordings that sound alike."""

    kind: str  # speaker | channel | sound
    name: str


class Recordings(NamedTuple):
    """Recordings with segments, and what they have in common.

    A pair says that the recording `pair_recordings[i]` has the link `pair_links[i]`.
    """

    names: Sequence[str]  # (num_recordings,) of their content: what is remembered
    rows: Indices  # (num_segments,) recording of each segment
    links: Sequence[Link]  # (num_links,)
    pair_recordings: Indices  # (num_pairs,)
    pair_links: Indices  # (num_pairs,)


def recordings_of(columns: SegmentColumns, recordings: Path, clusters: Mapping[str, str]) -> Recordings:
    """Read what hangs together. clusters: id of a recording that sounds like others -> name of them all."""
    table = read_parquet(recordings, ["id", "sha256", "speaker", "origin", "rights", "alias_of"])
    coded = columns.coded("recording_id")
    place = integers(pc.index_in(pa.array(coded.values, pa.string()), value_set=table["id"].combine_chunks()), -1)
    of_row, names = _contents(table)
    content_of_code = np.append(of_row, -1)[place]
    links: dict[Link, int] = {}
    pairs = [
        _speakers_of_segments(columns, content_of_code, links),
        _pairs(_speakers_of_recordings(table, of_row), links),
        _pairs(_channels(table, of_row), links),
        _pairs(_sounds(table, of_row, clusters), links),
    ]
    together = np.unique(np.concatenate(pairs), axis=0)
    return Recordings(names, content_of_code[coded.codes], tuple(links), together[:, 0], together[:, 1])


def _contents(table: pa.Table) -> tuple[Indices, list[str]]:
    """Return which content each recording has, and the contents' names; a recording without bytes goes by its id."""
    names = [sha256 or f"id:{name}" for sha256, name in zip(*_lists(table, "sha256", "id"), strict=True)]
    codes: dict[str, int] = {}
    return np.array([codes.setdefault(name, len(codes)) for name in names], dtype=np.int64), list(codes)


def _lists(table: pa.Table, *names: str) -> list[list[str | None]]:
    return [table[name].to_pylist() for name in names]


def _pairs(found: Iterable[tuple[int, Link]], links: dict[Link, int]) -> Indices:
    pairs = [(recording, links.setdefault(link, len(links))) for recording, link in found]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _speakers_of_segments(columns: SegmentColumns, content_of_code: Indices, links: dict[Link, int]) -> Indices:
    recording, speaker = columns.coded("recording_id"), columns.coded("speaker")
    known = speaker.codes >= 0
    many = max(len(speaker.values), 1)
    pairs = np.unique(recording.codes[known] * many + speaker.codes[known])
    found = (
        (int(content_of_code[pair // many]), Link("speaker", speaker.values[pair % many]))
        for pair in pairs.tolist()
        if not is_local(speaker.values[pair % many], recording.values[pair // many])
    )
    return _pairs(found, links)


def is_local(speaker: str, recording_id: str) -> bool:
    """Tell a speaker who was only told apart inside a recording.

    >>> is_local("episode-1#2", "episode-1"), is_local("Ann #2", "episode-1")
    (True, False)
    """
    return speaker.startswith((f"{recording_id}#", "#"))


def _speakers_of_recordings(table: pa.Table, of_row: Indices) -> Iterable[tuple[int, Link]]:
    for row, speaker in enumerate(table["speaker"].to_pylist()):
        if speaker and not speaker.startswith("#"):
            yield int(of_row[row]), Link("speaker", speaker)


def _channels(table: pa.Table, of_row: Indices) -> Iterable[tuple[int, Link]]:
    authors = pc.struct_field(table["rights"], "author").to_pylist()
    for row, (origin, author) in enumerate(zip(table["origin"].to_pylist(), authors, strict=True)):
        name = channel(origin, author)
        if name is not None:
            yield int(of_row[row]), Link("channel", name)


def channel(origin: str, author: str | None) -> str | None:
    """Name the channel of a crawled recording; None for files of the user's own, and where nobody is named.

    >>> channel("youtube", "Radio X"), channel("local", "Radio X")
    ('youtube/Radio X', None)
    """
    return f"{origin}/{author}" if author and origin != "local" else None


def _sounds(table: pa.Table, of_row: Indices, clusters: Mapping[str, str]) -> Iterable[tuple[int, Link]]:
    row_of = {name: row for row, name in enumerate(table["id"].to_pylist())}
    for row, other in enumerate(table["alias_of"].to_pylist()):
        if other in row_of:
            yield int(of_row[row]), Link("sound", other)
            yield int(of_row[row_of[other]]), Link("sound", other)
    for name, cluster in clusters.items():
        if name in row_of:
            yield int(of_row[row_of[name]]), Link("sound", cluster)


def strata(columns: SegmentColumns, left: Truths) -> list[tuple[str, Indices]]:
    """Return by what splits shall be alike: a name, and each segment's class by it. left: what is kept."""
    found = [("duration", np.searchsorted(_LENGTHS_S, columns.numbers("duration"), side="right"))]
    language = columns.coded("language")
    counts = np.bincount(language.codes[left] + 1, minlength=len(language.values) + 1)
    names = ["", *language.values]  # the order of rows must not matter: languages go by size, then by name
    order = sorted(range(len(names)), key=lambda code: (-counts[code], names[code]))
    rank = np.zeros(len(names), np.int64)
    rank[order] = np.minimum(np.arange(len(names)), _LANGUAGES)
    found.append(("language", rank[language.codes + 1]))
    score = next((name for name in SCORES if name in columns.scores), None)
    if score is not None:
        found.append((score, _thirds(columns.numbers(score), left)))
    return found


def _thirds(values: Floats, left: Truths) -> Indices:
    """Return 0, 1 or 2 by the third of the kept values in which a value is, 3 where there is none."""
    known = values[left & ~np.isnan(values)]
    cuts = np.quantile(known, [1 / 3, 2 / 3]) if len(known) else np.zeros(2)
    return np.where(np.isnan(values), 3, np.searchsorted(cuts, values, side="right"))
