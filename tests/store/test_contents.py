# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from speechmill.core.errors import WorkspaceError
from speechmill.core.types import Drop, Recording, Segment, Word
from speechmill.formats.manifest import segment_schema, table_of, write_rows
from speechmill.store.contents import Contents, Piece, read_contents

WORDS = (Word("hello", 0.0, 0.5, 0.9), Word("there", 0.5, 0.25))


def segment(recording: str, start: float, channel: int = 0, **fields: object) -> Segment:
    name = f"{recording}-{channel}-{round(start)}"
    made = Segment(name, recording, start, 2.0, channel, text="hello there", words=WORDS, scores={"snr_db": 9.0})
    return structs.replace(made, **fields)


SEGMENTS = (
    segment("a", 10.0),
    segment("a", 3700.0, split="dev", drops=(Drop("snr_db"),)),
    segment("a", 3800.0),
    segment("a", 20.0, 1),
    segment("b", 0.0, split="test", text=None, words=()),
)


def pieces(folder: Path, segments: tuple[Segment, ...] = SEGMENTS, rows_at_once: int = 100) -> list[Piece]:
    folder.mkdir(exist_ok=True)
    recordings = [Recording(name, f"{name}.wav", "", 9000.0, 16_000, 1, ("x.flac",)) for name in "ab"]
    write_rows(folder / "recordings.parquet", recordings, Recording)
    table = table_of(segments, segment_schema(["snr_db"]))
    contents = Contents(folder / "recordings.parquet")
    for begin in range(0, table.num_rows, rows_at_once):
        contents.add(table.slice(begin, rows_at_once))
    contents.write(folder)
    return read_contents(folder)


def test_a_piece_is_an_hour_of_a_recording(tmp_path: Path) -> None:
    found = [(one.recording_id, one.hour, one.split, one.first, one.last, one.kept) for one in pieces(tmp_path)]
    assert found == [("a", 0, "train", 0, 3, 2), ("a", 1, "train", 2, 2, 1), ("b", 0, "test", 4, 4, 1)]
    assert [one.seconds for one in pieces(tmp_path)] == [4.0, 2.0, 2.0]


@pytest.mark.parametrize("rows_at_once", [1, 2, 3])
def test_digests_do_not_depend_on_how_the_table_was_cut(tmp_path: Path, rows_at_once: int) -> None:
    assert pieces(tmp_path / "cut", rows_at_once=rows_at_once) == pieces(tmp_path / "whole")


def test_what_others_say_does_not_change_a_digest(tmp_path: Path) -> None:
    first = {(one.recording_id, one.hour): one.digest for one in pieces(tmp_path)}
    later = {(one.recording_id, one.hour): one.digest for one in pieces(tmp_path, SEGMENTS[1:])}
    assert later[("b", 0)] == first[("b", 0)]
    assert later[("a", 1)] == first[("a", 1)]
    assert later[("a", 0)] != first[("a", 0)]


@pytest.mark.parametrize(
    "change",
    [
        {"text": "hello hello"},
        {"text": None},
        {"speaker": "anna"},
        {"scores": {"snr_db": None}},
        {"scores": {"snr_db": 0.0}},
        {"words": (WORDS[0], structs.replace(WORDS[1], score=0.0))},
        {"words": WORDS[:1]},
        {"phones": WORDS},
        {"gaps": {"snr_db": "too-short"}},
        {"corrected": ("text",)},
        {"duration": 2.5},
    ],
)
def test_any_change_of_a_kept_segment_changes_its_piece_alone(tmp_path: Path, change: dict[str, object]) -> None:
    before = pieces(tmp_path)
    after = pieces(tmp_path, (structs.replace(SEGMENTS[0], **change), *SEGMENTS[1:]))
    assert after[0].digest != before[0].digest
    assert after[1:] == before[1:]


def test_a_kept_segment_of_no_recording_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="segments of 'c' are kept"):
        pieces(tmp_path, (*SEGMENTS, segment("c", 0.0)))


def test_nothing_is_no_piece(tmp_path: Path) -> None:
    assert pieces(tmp_path, ()) == []
    assert pieces(tmp_path, SEGMENTS[1:2]) == []
