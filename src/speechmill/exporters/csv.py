# SPDX-License-Identifier: Apache-2.0
"""A table of the segments and a clip for each: metadata.csv, or LJSpeech's layout.

`layout: table` is metadata.csv, with a header and quoted as RFC 4180 says, in UTF-8: id, path, text, speaker, language,
duration, split, recording and start, a column score_<name> for each score, licence and attribution. What is unknown is
an empty cell. Texts are as they are, line ends and all: read it with a reader of CSV, not line by line.

`layout: ljspeech` is what TTS recipes take: wavs/<id>.wav and metadata.csv with id|text|normalised text, no header and
no quoting. Numbers and abbreviations are written out where the language has rules (English, Vietnamese); elsewhere the
third field is the text again. A "|" or a line end inside a text becomes a blank, and segments without text are left
out; counts.json says how many. metadata.csv is what may be trained on: dev and test are in metadata_dev.csv and
metadata_test.csv.

A spreadsheet takes a cell that begins with = + - or @ for a formula, and texts and names come from the open internet.
A data set must not change what was said, so such cells stay as they are; `spreadsheet: true` puts an apostrophe before
them, as OWASP advises, in a table that is for people to open.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.core.types import Recording, Segment
from speechmill.exporters import About, Shard, Written
from speechmill.exporters._attribution import rights_of
from speechmill.exporters._clips import Clips, clips_of
from speechmill.exporters._counts import Counts, write_counts
from speechmill.exporters._kept import SAMPLING_RATE, language_of
from speechmill.exporters._lines import part, parts, read_json, splits_of, write_json
from speechmill.exporters._names import one_line
from speechmill.text.spoken import spoken

VERSION = "1"
REQUIRES = ()
UNIT = "hour"
USAGE = """\
import pandas

table = pandas.read_csv("metadata.csv", keep_default_na=False)  # a text may be "NA"
# what was made with `layout: ljspeech`:
# table = pandas.read_csv("metadata.csv", sep="|", header=None, quoting=3, keep_default_na=False)
"""
_BEFORE = ("id", "path", "text", "speaker", "language", "duration", "split", "recording", "start")
_AFTER = ("licence", "attribution")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be chosen."""

    layout: Literal["table", "ljspeech"] = "table"
    audio: Literal["flac", "wav"] = "flac"  # of `table`; LJSpeech has wav
    spreadsheet: bool = False  # of `table`: an apostrophe before what a spreadsheet would take for a formula


class Backend:
    """Writes metadata.csv and audio/<recording>/<segment>.flac, or wavs/<segment>.wav."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def shard(self, shard: Shard, folder: Path) -> Counts:
        """Write the clips of a shard, and its rows."""
        without = changed = 0
        with part(folder, shard.name, "rows").open("wb") as rows:
            for row in shard.rows():
                with clips_of(shard.dataset, row.recording, row.segments) as cut:
                    for segment in row.segments:
                        if self._config.layout == "table":
                            write_json(rows, self._row(shard, row.recording, segment, cut, folder))
                            continue
                        text = one_line((segment.text or "").replace("|", " "))
                        without += not text
                        changed += bool(text) and text != segment.text
                        if text:
                            _write_clip(cut, segment, folder / f"wavs/{segment.id}.wav")
                            normalised = written_out(text, language_of(row.recording, segment))
                            write_json(rows, [segment.id, text, normalised])
        return Counts(without_text=without, text_changed=changed)

    def index(self, shards: Sequence[Written], about: About, folder: Path) -> None:
        """Put the rows of the shards into tables."""
        if self._config.layout == "table":
            self._write_table(shards, about, folder / "metadata.csv")
            return
        for split, written in {"train": [], **splits_of(shards)}.items():
            name = "metadata.csv" if split == "train" else f"metadata_{split}.csv"
            with (folder / name).open("w", encoding="utf-8", newline="\n") as file:
                file.writelines("|".join(cells) + "\n" for cells in read_json(parts(folder, written, "rows")))
        write_counts(folder, shards)

    def _write_table(self, shards: Sequence[Written], about: About, path: Path) -> None:
        header = [*_BEFORE, *(f"score_{name}" for name in about.scores), *_AFTER]
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)  # RFC 4180: quotes where needed, CRLF
            table.writerow(header)
            for row in read_json(parts(path.parent, shards, "rows")):
                table.writerow(self._cells(row, about.scores))

    def _cells(self, row: dict[str, Any], scores: Sequence[str]) -> Iterator[Any]:
        values = [*(row[name] for name in _BEFORE), *map(row["scores"].get, scores), *(row[name] for name in _AFTER)]
        for value in values:
            is_formula = self._config.spreadsheet and isinstance(value, str) and value.startswith(_FORMULA)
            yield f"'{value}" if is_formula else value

    def _row(self, shard: Shard, recording: Recording, segment: Segment, cut: Clips, folder: Path) -> dict[str, Any]:
        # A folder for each recording: a million files in one folder are slow to list.
        path = f"audio/{recording.id}/{segment.id}.{self._config.audio}"
        rights = rights_of(recording)
        return {
            "id": segment.id,
            "path": path,
            "text": segment.text,
            "speaker": segment.speaker,
            "language": language_of(recording, segment),
            "duration": _write_clip(cut, segment, folder / path),
            "split": shard.split,
            "recording": recording.id,
            "start": segment.start,
            "scores": segment.scores,
            "licence": rights.licence,
            "attribution": rights.attribution,
        }


def _write_clip(cut: Clips, segment: Segment, path: Path) -> float:
    """Write a segment's audio; return its seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cut.file(segment, "wav" if path.suffix == ".wav" else "flac"))
    return cut.num_samples(segment) / SAMPLING_RATE


def written_out(text: str, language: str | None) -> str:
    """Write numbers, sums and abbreviations as they are said; words and punctuation stay as they are.

    >>> written_out("Dr. Smith paid $5, twice!", "en-GB")
    'doctor Smith paid five dollars, twice!'
    """
    said = spoken(text, language)
    pieces, done = [], 0
    for token, ways in zip(said.tokens, said.ways, strict=True):
        words = " ".join(ways[0]) if ways else token.symbol
        pieces += [text[done : token.start], token.symbol if words == token.symbol.lower() else words]
        done = token.end
    return "".join([*pieces, text[done:]])
