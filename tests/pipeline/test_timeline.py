# SPDX-License-Identifier: Apache-2.0
"""A run's events as a list, a graph and a timeline."""

import msgspec
import pytest

from speechmill.core.stage import Resources
from speechmill.pipeline.events import Event, EventFiles
from speechmill.pipeline.lanes import BINS, MOST_LANES, OTHERS, Lanes
from speechmill.pipeline.plan import Node
from speechmill.pipeline.timeline import MOST_SPANS, Board, depths, edges


def node(name, reads, writes):
    return Node(name, "f" * 16, tuple(reads), tuple(writes), (), Resources())


NODES = (
    node("normalise", (), ("audio",)),
    node("vad", ("audio",), ("speech",)),
    node("transcribe", ("audio", "speech"), ("words",)),
    node("diarize", ("audio", "speech"), ("turns",)),
    node("segment", ("words", "turns"), ("segments",)),
    node("quality.snr", ("audio", "segments"), ("snr",)),
)
MEMBERS = [("talk-1", "00000"), ("talk-2", "00000"), ("talk-3", "00001")]


def event(stage, recording="talk-1", time=100.0, **fields):
    return Event(time, stage, recording, **{"wall_s": 2.0, "audio_s": 60.0, "worker": "host:1", **fields})


@pytest.fixture
def board():
    return Board(NODES, MEMBERS)


def row(board, stage):
    return next(row for row in board.stages if row.name == stage)


def test_what_is_done_found_and_missing_is_counted(board):
    board.found("talk-1", "normalise", ok=True)
    board.add(event("normalise", "talk-2"))
    found = row(board, "normalise")
    assert (found.found, found.done, found.missing) == (1, 1, 1)
    assert (found.speed, found.pace) == (30.0, "30x")


def test_an_event_of_this_run_takes_the_place_of_what_the_ledger_said(board):
    board.found("talk-1", "normalise", ok=True)
    board.add(event("normalise"))
    assert (row(board, "normalise").found, row(board, "normalise").done) == (0, 1)


def test_a_stage_done_twice_is_counted_once(board):
    board.add(event("normalise"))
    board.add(event("normalise"))
    assert row(board, "normalise").done == 1


def test_a_failure_blocks_what_reads_of_it_and_nothing_else(board):
    board.add(event("normalise"))
    board.add(event("vad"))
    board.add(event("transcribe", failed="timeout"))
    assert [(one.name, one.failed, one.blocked) for one in board.stages] == [
        ("normalise", 0, 0),
        ("vad", 0, 0),
        ("transcribe", 1, 0),
        ("diarize", 0, 0),
        ("segment", 0, 1),
        ("quality.snr", 0, 1),
    ]
    assert board.through == 0, "diarize is still to come"
    board.add(event("diarize"))
    assert board.through == 1


def test_a_retry_that_gets_through_is_no_failure_any_more(board):
    board.add(event("normalise", failed="worker-died", wall_s=0.0))
    assert board.reasons["normalise", "worker-died"] == 1
    assert (board.through, board.shards[0].failures) == (1, 1)
    board.add(event("normalise"))
    assert board.failures == {}
    assert board.reasons["normalise", "worker-died"] == 0
    assert (board.through, board.shards[0].failures, row(board, "vad").blocked) == (0, 0, 0)


def test_events_of_recordings_that_are_not_of_the_run_are_passed_over(board):
    board.add(event("normalise", "talk-9"))
    board.add(event("train"))
    assert sum(one.done for one in board.stages) == 0


def test_shards_know_what_is_through(board):
    for stage in NODES:
        board.add(event(stage.name, "talk-3"))
    assert [(one.shard, one.through, one.recordings) for one in board.shards] == [("00000", 0, 2), ("00001", 1, 1)]


def test_an_edge_that_follows_from_others_is_left_out():
    assert edges(NODES) == [
        ("normalise", "vad"),
        ("vad", "transcribe"),
        ("vad", "diarize"),
        ("transcribe", "segment"),
        ("diarize", "segment"),
        ("segment", "quality.snr"),
    ]
    assert depths(NODES) == {
        "normalise": 0,
        "vad": 1,
        "transcribe": 2,
        "diarize": 2,
        "segment": 3,
        "quality.snr": 4,
    }


def test_a_small_run_has_a_bar_for_each_event_and_a_large_one_has_none(board):
    board.add(event("vad", time=100.0))
    [span] = board.spans
    assert (span.begin, span.wall_s, span.worker, span.shard) == (98.0, 2.0, "host:1", "00000")
    for _ in range(MOST_SPANS):
        board.add(event("vad"))
    assert board.spans is None


def test_work_is_shared_out_among_the_bins_it_lies_in():
    lanes = Lanes()
    lanes.add("a", "vad", 100.0, 101.0)
    lanes.add("a", "asr", 101.0, 104.0)
    assert [round(share.get("vad", 0), 3) for share in lanes.shares("a", 4)] == [1.0, 0.0, 0.0, 0.0]
    assert [round(share.get("asr", 0), 1) for share in lanes.shares("a", 4)] == [0.0, 1.0, 1.0, 1.0]


def test_a_long_run_keeps_its_bins_and_loses_no_work():
    lanes = Lanes()
    for hour in range(48):
        lanes.add("a", "vad", 3600.0 * hour, 3600.0 * hour + 600)
    assert lanes.width * BINS >= 47 * 3600 + 600
    assert len(lanes.busy("a")["vad"]) == BINS
    assert sum(lanes.busy("a")["vad"]) == pytest.approx(48 * 600)


def test_work_from_before_the_first_that_was_heard_of_moves_the_rest():
    lanes = Lanes()
    lanes.add("a", "vad", 100.0, 101.0)
    lanes.add("b", "vad", 20.0, 21.0)
    assert lanes.origin <= 20.0
    assert sum(lanes.busy("a")["vad"]) == pytest.approx(1.0)
    first, *_rest, last = lanes.shares("b", 20)
    assert first["vad"] > 0.2
    assert last == {}


def test_of_too_many_lanes_those_that_are_idle_longest_become_one():
    lanes = Lanes()
    for i in range(MOST_LANES + 5):
        lanes.add(f"worker-{i:03d}", "vad", 100.0 + i, 101.0 + i)
    assert len(lanes.names) == MOST_LANES + 1
    assert sum(lanes.busy(OTHERS)["vad"]) == pytest.approx(5.0)
    assert lanes.latest(2) == ["worker-124", "worker-123"]


def write(path, *events, end="\n"):
    with path.open("a") as file:
        file.write("\n".join(msgspec.json.encode(one).decode() for one in events) + end)


def test_only_new_events_of_each_writer_are_read(tmp_path):
    files = EventFiles(tmp_path)
    write(tmp_path / "events-a.jsonl", event("vad"), event("asr"))
    assert [one.stage for one in files.new()] == ["vad", "asr"]
    write(tmp_path / "events-a.jsonl", event("segment"))
    write(tmp_path / "events-b.jsonl", event("align"))
    assert [one.stage for one in files.new()] == ["segment", "align"]
    assert list(files.new()) == []


def test_half_a_line_is_read_when_it_is_whole(tmp_path):
    files, path = EventFiles(tmp_path), tmp_path / "events-a.jsonl"
    path.write_text('{"time":1.0,"stage":"va')
    assert list(files.new()) == []
    with path.open("a") as file:
        file.write('d","recording_id":"talk-1"}\n')
    assert [one.stage for one in files.new()] == ["vad"]


def test_an_event_of_before_workers_were_named_has_its_writers_name(tmp_path):
    (tmp_path / "events-0a1b.jsonl").write_text('{"time":1.0,"stage":"vad","recording_id":"talk-1"}\n')
    [found] = EventFiles(tmp_path).new()
    assert (found.worker, found.shard) == ("0a1b", "")
