# SPDX-License-Identifier: Apache-2.0
"""The join: what every stage wrote, brought together as recordings and segments.

A result holds no ids, so that it depends on content alone; ids and speaker names are given here. Every segment
is in the table. What a stage has no value for is null, with the reason in `gaps`.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct, structs

from speechmill.core.columns import GAPS, SCORES, adds_rows_or_columns
from speechmill.core.errors import WorkspaceError
from speechmill.core.files import Digest, atomic
from speechmill.core.groups import in_groups
from speechmill.core.timebase import segment_id
from speechmill.core.types import Canonical, Rights, Segment, Source, Transcript, Utterance
from speechmill.formats.manifest import arrow_schema, read_parquet, segment_schema, table_of
from speechmill.pipeline.landmarks_table import COLUMN as LANDMARKS
from speechmill.pipeline.landmarks_table import write_landmarks
from speechmill.stages import corrections
from speechmill.store.contents import Contents

if TYPE_CHECKING:  # filtering again needs neither, and plan imports every stage
    from speechmill.pipeline.plan import Node
    from speechmill.store.ledger import Ledger, State

RECORDINGS_AT_ONCE = 128  # of an hour each, words and phones of 128 take some hundred MB
ROW_GROUP = 100_000
DATASET_ROW_GROUP = 8192  # of the dataset: who wants some recordings reads whole groups
RECORDINGS_GROUP = 10_000  # rows of recordings: the report looks single ones up

DECIDED = ("drops", "duplicate_of", "split")  # columns that the dataset has from the decisions

States = Mapping[str, "Mapping[str, State]"]  # node name -> item key -> state


class StaleStates(WorkspaceError):
    """What the ledger said it had is not there any more."""


class RecordingRow(Struct, frozen=True):
    """A row of recordings.parquet: a Recording, and what became of it."""

    id: str
    uri: str
    key: str
    sha256: str
    duration: float
    sampling_rate: int
    channels: int
    audio: tuple[str, ...]
    language: str | None
    speaker: str | None
    num_speakers: int | None
    rights: Rights | None
    origin: str
    loudness_lufs: float | None
    peak_dbfs: float | None
    truncated: bool
    warnings: tuple[str, ...]
    speech_s: float | None  # None where VAD has no result
    transcript: str | None  # the backend that had text; "none": nobody had
    num_segments: int
    alias_of: str | None
    failed_stage: str | None
    reason: str | None
    detail: str | None


def fingerprint(ledger: Ledger, nodes: Sequence[Node], sources: Sequence[Source]) -> str:
    """Name the table that these results make: it changes with any result, id or metadata in it."""
    state = Digest(*(node.fingerprint for node in nodes))
    for group in in_groups(sources):
        states = _states(ledger, nodes, group)
        for source in group:
            outcomes = [_outcome(states[node.name].get(source.key)) for node in nodes]
            state.add(msgspec.json.encode([structs.replace(source, stamps=()), outcomes]))
    return state.hex()[:16]


def _states(ledger: Ledger, nodes: Sequence[Node], sources: Sequence[Source]) -> dict[str, dict[str, State]]:
    keys = {source.key for source in sources}
    return {node.name: ledger.states(node.folder, keys) for node in nodes}


def _outcome(state: State | None) -> str:
    if state is None:
        return "none"
    return "ok" if state.ok else state.reason


def score_names(nodes: Sequence[Node]) -> list[str]:
    """Return the names of every score that the plan computes."""
    return [column.removeprefix(SCORES) for node in nodes for column in node.writes if column.startswith(SCORES)]


def build(ledger: Ledger, nodes: Sequence[Node], sources: Sequence[Source], folder: Path) -> str:
    """Write `segments-<fp>.parquet` and `recordings-<fp>.parquet`; return the fingerprint. Done already: nothing.

    `landmarks-<fp>.parquet` (a LandmarksRow a row) too, where that stage is in the plan.
    """
    name = fingerprint(ledger, nodes, sources)
    segments, recordings = folder / f"segments-{name}.parquet", folder / f"recordings-{name}.parquet"
    heard = next((node.folder for node in nodes if LANDMARKS in node.writes), None)
    landmarks = folder / f"landmarks-{name}.parquet"
    if segments.exists() and recordings.exists() and (heard is None or landmarks.exists()):
        return name
    if heard is not None:
        write_landmarks(landmarks, ledger, heard, sources)
    schema = segment_schema(score_names(nodes))
    for decided in DECIDED:
        schema = schema.remove(schema.get_field_index(decided))
    with (
        _written(recordings, arrow_schema(RecordingRow), RECORDINGS_GROUP) as rows,
        _written(segments, schema, ROW_GROUP) as rows_of_segments,
    ):
        for group in in_groups(sources, RECORDINGS_AT_ONCE):
            joined = list(_joined(ledger, nodes, group, _states(ledger, nodes, group)))
            rows.add([row for row, _segments in joined])
            rows_of_segments.add([segment for _row, segments in joined for segment in segments])
    return name


class _Rows:
    """Rows on their way into a table. Those that wait for the next row group wait as Arrow, which is small."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema, most: int) -> None:
        self._writer = writer
        self._most = most
        self._schema = schema
        self._waiting = [schema.empty_table()]
        self._count = 0

    def add(self, rows: Sequence[Struct]) -> None:
        self._waiting.append(table_of(rows, self._schema))
        self._count += len(rows)
        if self._count >= self._most:
            self.flush()

    def flush(self) -> None:
        self._writer.write_table(pa.concat_tables(self._waiting))
        self._waiting, self._count = [self._schema.empty_table()], 0


@contextlib.contextmanager
def _written(path: Path, schema: pa.Schema, row_group: int) -> Iterator[_Rows]:
    """Yield what takes the rows of a new table."""
    with atomic(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        rows = _Rows(writer, schema, row_group)
        yield rows
        rows.flush()


def materialise(segments: Path, recordings: Path, decisions: Path, folder: Path) -> None:
    """Write the dataset: the table with what was decided beside it. Words are copied, never made again."""
    decided = read_parquet(decisions)
    contents = Contents(recordings)
    with pq.ParquetFile(segments) as table:
        schema = table.schema_arrow
        for column in DECIDED:
            schema = schema.append(decided.schema.field(column))
        with (
            atomic(folder / "segments.parquet") as temporary,
            pq.ParquetWriter(temporary, schema, compression="zstd") as out,
        ):
            begin = 0
            for i in range(table.num_row_groups):
                group = table.read_row_group(i)
                part = decided.slice(begin, group.num_rows)
                if part["id"].combine_chunks() != group["id"].combine_chunks():
                    raise ValueError(f"{decisions} does not belong to {segments}: ids differ after row {begin}")
                for column in DECIDED:
                    group = group.append_column(column, part[column])
                group = group.cast(schema)
                out.write_table(group, DATASET_ROW_GROUP)
                contents.add(group)
                begin += group.num_rows
    with atomic(folder / "recordings.parquet") as temporary:
        shutil.copyfile(recordings, temporary)
    contents.write(folder)


def _joined(
    ledger: Ledger, nodes: Sequence[Node], sources: Sequence[Source], states: States
) -> Iterator[tuple[RecordingRow, list[Segment]]]:
    keys = {source.key for source in sources}
    columns: dict[str, dict[str, Any]] = {key: {} for key in keys}
    for node in nodes:
        loaded = ledger.load(node.folder, keys, [column for column in node.writes if column != LANDMARKS])
        if any(state.ok and key not in loaded for key, state in states[node.name].items()):
            raise StaleStates(f"a part of {node.folder} turned out to be corrupt; its results are made again")
        for key, found in loaded.items():
            columns[key] |= _fitting(node, found, columns[key])
    for source in sources:
        mine = {} if source.alias_of else columns[source.key]
        segments = _segments(source, mine, nodes, states)
        yield _recording(source, mine, nodes, states, len(segments)), segments


def _fitting(node: Node, found: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Leave out columns with another number of rows than the segments have: they were made of other segments."""
    rows = len(before["segments"]) if "segments" in before else None
    if rows is None or all(len(values) == rows for name, values in found.items() if name.startswith("segments.")):
        return found
    return {GAPS + node.name: ("stale: made of other segments",) * rows}


def _recording(
    source: Source, columns: Mapping[str, Any], nodes: Sequence[Node], states: States, num_segments: int
) -> RecordingRow:
    canonical: Canonical | None = columns.get("audio")
    transcript: Transcript | None = columns.get("transcript")
    stage, reason, detail = failure(source, nodes, states)
    return RecordingRow(
        id=source.id,
        uri=_address(source),
        key=source.key,
        sha256=source.sha256,
        duration=canonical.duration if canonical else 0.0,
        sampling_rate=canonical.sampling_rate if canonical else 0,
        channels=canonical.channels if canonical else 0,
        audio=canonical.paths if canonical else (),
        language=source.language,
        speaker=source.speaker,
        num_speakers=source.num_speakers,
        rights=source.rights,
        origin=source.origin,
        loudness_lufs=canonical.loudness_lufs if canonical else None,
        peak_dbfs=canonical.peak_dbfs if canonical else None,
        truncated=canonical.truncated if canonical else False,
        warnings=(*(canonical.warnings if canonical else ()), *(transcript.warnings if transcript else ())),
        speech_s=round(sum(one.duration for one in columns["speech"]), 3) if "speech" in columns else None,
        transcript=transcript.backend if transcript else None,
        num_segments=num_segments,
        alias_of=source.alias_of,
        failed_stage=stage,
        reason=reason,
        detail=detail,
    )


def _address(source: Source) -> str:
    """Where a recording can be looked up: the page it was crawled from, or its file."""
    return (source.rights.url if source.rights and source.origin != "local" else None) or source.uri


def failure(source: Source, nodes: Sequence[Node], states: States) -> tuple[str | None, str | None, str | None]:
    """Return stage, reason and detail of the first failure of a source, or three Nones."""
    if source.error is not None:
        reason, _, detail = source.error.partition(": ")
        return "intake", reason, detail
    for node in nodes:
        state = states.get(node.name, {}).get(source.key)
        if state is not None and not state.ok:
            return node.name, state.reason, state.detail
    return None, None, None


def _segments(source: Source, columns: Mapping[str, Any], nodes: Sequence[Node], states: States) -> list[Segment]:
    utterances: tuple[Utterance, ...] = columns.get("segments", ())
    lost = _lost(source, nodes, states)
    seen: set[str] = set()
    made = []
    for i, utterance in enumerate(utterances):
        name = segment_id(source.id, utterance)
        while name in seen:  # two speakers over the very same interval
            name += "+"
        seen.add(name)
        made.append(_segment(name, source, utterance, _row(columns, i), lost, score_names(nodes)))
    return made


def _lost(source: Source, nodes: Sequence[Node], states: States) -> dict[str, str]:
    """Return why stages that write columns of segments have none: stage -> its failure, or that of one it waits for."""
    missing: dict[str, str] = {}  # column -> the stage whose failure cost it
    found = {}
    for node in nodes:
        state = states.get(node.name, {}).get(source.key)
        waits_for = next((missing[column] for column in node.reads if column in missing), None)
        if state is not None and not state.ok:
            culprit, why = node.name, f"failed: {state.reason}"
        elif state is None and waits_for is not None:
            culprit, why = waits_for, f"not-run: {waits_for} failed"
        else:
            continue
        missing |= dict.fromkeys(node.writes, culprit)
        if any(adds_rows_or_columns(column) for column in node.writes):
            found[node.name] = why
    return found


def _row(columns: Mapping[str, Any], i: int) -> dict[str, Any]:
    return {name: values[i] for name, values in columns.items() if name.startswith("segments.")}


def _segment(
    name: str,
    source: Source,
    utterance: Utterance,
    row: Mapping[str, Any],
    lost: Mapping[str, str],
    scores: Sequence[str],
) -> Segment:
    gaps = {column.removeprefix(GAPS): reason for column, reason in row.items() if column.startswith(GAPS) and reason}
    gaps |= lost
    aligned = row.get("segments.words")
    named = corrections.speaker(utterance, source.corrections)
    return Segment(
        id=name,
        recording_id=source.id,
        start=utterance.start or 0.0,
        duration=utterance.duration or 0.0,
        channel=utterance.channel,
        text=utterance.text,
        language=utterance.language,
        speaker=global_speaker(source.id, named or utterance.speaker),
        overlap=utterance.overlap,
        words=aligned if aligned is not None else utterance.words,
        phones=row.get("segments.phones") or (),
        scores={score: row.get(SCORES + score) for score in scores},
        gaps=gaps,
        corrected=corrections.marks(utterance, source.corrections),
    )


def global_speaker(recording_id: str, speaker: str | None) -> str | None:
    """Put the recording's id before a speaker that was only told apart inside it ("#1")."""
    return f"{recording_id}{speaker}" if speaker and speaker.startswith("#") else speaker
