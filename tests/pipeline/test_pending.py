# SPDX-License-Identifier: Apache-2.0
"""What is still to be done, from states made by hand."""

import pytest

from speechmill.core.stage import Resources
from speechmill.core.types import Canonical, Failed, Interval, Source
from speechmill.pipeline.intake import Memory
from speechmill.pipeline.pending import SHARD_RECORDINGS, Member, pending, shards, tasks, without_audio
from speechmill.pipeline.plan import Node
from speechmill.store.ledger import Ledger, Result, State


def node(name, reads, writes, retries=1):
    return Node(name, f"fp-{name}", tuple(reads), tuple(writes), (), Resources(retries=retries))


NORMALISE = node("normalise", [], ["audio"])
VAD = node("vad", ["audio"], ["speech"])
DIARIZE = node("diarize", ["audio", "speech"], ["turns"])
SEGMENT = node("segment", ["turns"], ["segments"])
NODES = (NORMALISE, VAD, DIARIZE, SEGMENT)
DONE = State(ok=True)


def failed(attempts=1, permanent=False):
    return State(ok=False, reason="x", permanent=permanent, attempts=attempts)


def needs(retry_failed=False, **states):
    return pending(NODES, {name: {"k": state} for name, state in states.items()}, "k", retry_failed)


def test_everything_is_needed_of_a_new_recording():
    assert needs() == ("normalise", "vad", "diarize", "segment")


def test_what_is_done_is_not_needed():
    assert needs(normalise=DONE, vad=DONE, diarize=DONE, segment=DONE) == ()
    assert needs(normalise=DONE, diarize=DONE, segment=DONE) == ("vad",)


def test_another_recordings_state_says_nothing():
    assert pending(NODES, {"normalise": {"other": DONE}}, "k", False)[0] == "normalise"


def test_nothing_waits_for_what_failed_for_good():
    assert needs(normalise=DONE, vad=failed(permanent=True)) == ()


def test_a_branch_goes_on_beside_a_failure():
    beside = node("beside", ["audio"], ["transcript"])
    states = {"normalise": {"k": DONE}, "vad": {"k": failed(permanent=True)}}
    assert pending((*NODES, beside), states, "k", False) == ("beside",)


@pytest.mark.parametrize(("attempts", "again"), [(1, ("vad", "diarize", "segment")), (2, ()), (5, ())])
def test_a_transient_failure_is_tried_once_more_and_then_quarantined(attempts, again):
    assert needs(normalise=DONE, vad=failed(attempts)) == again


def test_a_stage_may_allow_more_tries():
    nodes = (NORMALISE, node("vad", ["audio"], ["speech"], retries=3))
    states = {"normalise": {"k": DONE}, "vad": {"k": failed(3)}}
    assert pending(nodes, states, "k", False) == ("vad",)


@pytest.mark.parametrize("state", [failed(permanent=True), failed(attempts=9)])
def test_retry_failed_asks_again(state):
    assert needs(True, normalise=DONE, vad=state) == ("vad", "diarize", "segment")


def test_retry_failed_leaves_alone_what_is_done():
    assert needs(True, normalise=DONE, vad=DONE, diarize=DONE, segment=DONE) == ()


def source(name, size=8_000, **more):
    return Source(name, f"{name}.wav", key=f"key-{name}", size=size, **more)


def memory(tmp_path):
    return Memory(tmp_path / "hashes.parquet")


def test_shards_hold_about_an_hour(tmp_path):
    half = 1800 * 8_000  # bytes of half an hour, as guessed of a container without a duration
    found = shards([source(name, half) for name in "abcde"], memory(tmp_path))
    assert [(member.shard, member.recording_id) for member in found] == [
        ("00000", "a"),
        ("00000", "b"),
        ("00001", "c"),
        ("00001", "d"),
        ("00002", "e"),
    ]


def test_what_is_longer_than_a_shard_has_its_own(tmp_path):
    sizes = {"a": 8_000, "b": 36_000 * 8_000, "c": 8_000}
    found = shards([source(name, size) for name, size in sizes.items()], memory(tmp_path))
    assert [member.shard for member in found] == ["00000", "00001", "00002"]


def test_a_shard_has_so_many_recordings_at_most(tmp_path):
    found = shards([source(f"r{i:04d}") for i in range(SHARD_RECORDINGS + 1)], memory(tmp_path))
    assert [member.shard for member in found][-2:] == ["00000", "00001"]


def test_aliases_and_unreadable_files_are_in_no_shard(tmp_path):
    sources = [source("a"), source("b", alias_of="a"), source("c", error="unreadable: x")]
    assert [member.recording_id for member in shards(sources, memory(tmp_path))] == ["a"]


def test_a_task_brings_the_columns_its_stages_read_and_no_others(tmp_path):
    ledger, speech = Ledger(tmp_path), (Interval(0.5, 1.0),)
    audio = Canonical(("recordings/a.flac",), 2.0, 16_000, 1, "pcm")
    ledger.write(NORMALISE.folder, "00000", ["audio"], [Result("key-a", {"audio": audio})])
    ledger.write(VAD.folder, "00000", ["speech"], [Result("key-a", {"speech": speech})])
    ledger.write(DIARIZE.folder, "00000", ["turns"], [Result("key-a", {"turns": ()})])
    members = [Member("00000", "key-a", "a", 2.0)]

    def columns(*needed):
        (task,) = tasks(ledger, NODES, {"key-a": source("a")}, members, {"key-a": needed})
        return task.columns

    assert columns("diarize") == {"audio": audio, "speech": speech}
    assert columns("segment") == {"turns": ()}
    assert columns("normalise", "vad") == {}


def test_the_longest_come_first_within_the_shards_at_work(tmp_path):
    members = [Member("00000", f"key-{name}", name, seconds) for name, seconds in (("a", 1.0), ("b", 9.0), ("c", 5.0))]
    sources = {member.key: source(member.recording_id) for member in members}
    needed = {member.key: ("normalise",) for member in members}
    found = list(tasks(Ledger(tmp_path), NODES, sources, members, needed))
    assert [task.source.id for task in found] == ["b", "c", "a"]


def test_a_task_has_time_by_its_length_and_stages(tmp_path):
    member = Member("00000", "key-a", "a", 10.0)
    limits = Resources(timeout_s=30.0, timeout_per_audio_s=2.0)
    nodes = [Node(name, "x", (), (name,), (), limits) for name in ("a", "b", "done")]
    arguments = (Ledger(tmp_path), nodes, {"key-a": source("a")}, [member], {"key-a": ("a", "b")})
    assert [task.timeout_s for task in tasks(*arguments)] == [2 * (30.0 + 2.0 * 10.0)]
    assert [task.timeout_s for task in tasks(*arguments, 7.0)] == [7.0]


def test_canonical_audio_that_is_gone_is_asked_for_again(tmp_path):
    ledger = Ledger(tmp_path)
    (tmp_path / "here.flac").touch()
    for key, paths in {"a": ("here.flac",), "b": ("here.flac", "gone.flac")}.items():
        audio = Canonical(paths, 2.0, 16_000, 1, "pcm")
        ledger.write(NORMALISE.folder, "00000", ["audio"], [Result(key, {"audio": audio})])
    assert without_audio(ledger, NORMALISE, {"a": ("vad",), "b": ("vad",)}, tmp_path) == {"b"}
    assert without_audio(ledger, NORMALISE, {"b": ()}, tmp_path) == set()


def test_a_failure_written_down_is_counted_towards_quarantine(tmp_path):
    ledger = Ledger(tmp_path)
    for attempt in range(1, 3):
        ledger.write(VAD.folder, "00000", ["speech"], [Result("k", failed=Failed("k", "vad", "worker-died"))])
        assert ledger.states(VAD.folder)["k"].attempts == attempt
    states = {"normalise": {"k": DONE}, "vad": ledger.states(VAD.folder)}
    assert pending(NODES, states, "k", False) == ()


def test_what_waits_for_a_stage_that_may_not_run_now_is_left_out():
    assert pending(NODES, {}, "k", False, {"vad", "diarize"}) == ()
    states = {"normalise": {"k": DONE}}
    assert pending(NODES, states, "k", False, {"vad", "segment"}) == ("vad",)
    assert pending(NODES, states, "k", False, {"vad", "diarize", "segment"}) == ("vad", "diarize", "segment")
