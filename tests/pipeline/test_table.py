# SPDX-License-Identifier: Apache-2.0
"""The join of hand-written stage results: rows, gaps, failures, ids, aliases."""

import pyarrow.parquet as pq
import pytest

from speechmill.core.stage import Resources
from speechmill.core.types import Canonical, Failed, Interval, Rights, Source, Transcript, Utterance, Word
from speechmill.pipeline import table
from speechmill.pipeline.plan import Node
from speechmill.pipeline.refilter import Asked, materialise, refilter
from speechmill.store.ledger import Ledger, Result
from speechmill.store.workspace import Workspace


def node(name, reads, writes):
    return Node(name, f"fp{name}", tuple(reads), tuple(writes), (), Resources())


SNR = node("quality.snr", ["audio", "segments"], ["segments.scores.snr_db", "segments.gaps.quality.snr"])
ALIGN = node("align", ["audio", "segments"], ["segments.words", "segments.phones", "segments.gaps.align"])
NODES = (
    node("normalise", [], ["audio"]),
    node("vad", ["audio"], ["speech"]),
    node("transcribe", ["audio"], ["transcript"]),
    node("segment", ["audio", "speech", "transcript"], ["segments"]),
    SNR,
    ALIGN,
)
A = Source("a-11", "/x/a.wav", key="ka", sha256="11", language="en", rights=Rights("CC0 1.0"))
B = Source("b-22", "/x/b.wav", key="kb", sha256="22", language="en")
HI = Word("hi", 0.5, 0.25)
FIRST = Utterance("hi there", 0.5, 1.0, speaker="#1", words=(HI,))
SECOND = Utterance("you", 2.0, 0.5, speaker="Anna")


class Made:
    """A ledger, and what is joined of it."""

    def __init__(self, root):
        self.root = root
        self.ledger = Ledger(root)

    def put(self, key, **columns):
        """Write columns that stages made for an item; `__` stands for the dots of a name."""
        found = {name.replace("__", "."): value for name, value in columns.items()}
        for one in NODES:
            if mine := {name: found[name] for name in one.writes if name in found}:
                self.ledger.write(one.folder, "00000", one.writes, [Result(key, mine)])

    def fail(self, key, stage, reason):
        (one,) = [one for one in NODES if one.name == stage]
        self.ledger.write(one.folder, "00000", one.writes, [Result(key, failed=Failed(key, stage, reason, "why"))])

    def join(self, *sources, nodes=NODES):
        name = table.build(self.ledger, nodes, sources, self.root / "tables")
        return name, *(
            pq.read_table(self.root / "tables" / f"{kind}-{name}.parquet").to_pylist(maps_as_pydicts="strict")
            for kind in ("segments", "recordings")
        )


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path)


def whole(made, key, utterances=(FIRST, SECOND)):
    """Write what normalise to segment make."""
    made.put(
        key,
        audio=Canonical((f"recordings/{key}.flac",), 3.0, 44_100, 2, "mp3", -20.0, -3.0, warnings=("odd",)),
        speech=(Interval(0.5, 1.0), Interval(2.0, 0.5)),
        transcript=Transcript("sidecar", tuple(utterances)),
        segments=tuple(utterances),
    )


def scored(made, key, values=(10.0, 20.0), gaps=(None, None)):
    made.put(key, segments__scores__snr_db=values, segments__gaps__quality__snr=gaps)


def aligned(made, key, words, gaps):
    phones = tuple(() if word else None for word in words)
    made.put(key, segments__words=words, segments__phones=phones, segments__gaps__align=gaps)


def test_every_column_finds_its_row(made):
    whole(made, "ka")
    scored(made, "ka")
    exact = (Word("hi", 0.55, 0.2, 0.9), Word("there", 0.8, 0.4, 0.8))
    aligned(made, "ka", (exact, (Word("you", 2.0, 0.5, 0.7),)), (None, None))
    _name, segments, recordings = made.join(A)
    assert [row["id"] for row in segments] == ["a-11-0-0000500-0001500", "a-11-0-0002000-0002500"]
    assert [row["scores"] for row in segments] == [{"snr_db": 10.0}, {"snr_db": 20.0}]
    assert [[word["symbol"] for word in row["words"]] for row in segments] == [["hi", "there"], ["you"]]
    assert [row["gaps"] for row in segments] == [{}, {}]
    (row,) = recordings
    assert (row["id"], row["duration"], row["channels"], row["speech_s"]) == ("a-11", 3.0, 2, 1.5)
    assert (row["transcript"], row["num_segments"], row["warnings"]) == ("sidecar", 2, ["odd"])
    assert (row["rights"]["licence"], row["failed_stage"], row["alias_of"]) == ("CC0 1.0", None, None)


def test_a_speaker_found_inside_a_recording_is_its_own(made):
    whole(made, "ka")
    whole(made, "kb")
    _name, segments, _recordings = made.join(A, B)
    assert [row["speaker"] for row in segments] == ["a-11#1", "Anna", "b-22#1", "Anna"]


def test_a_value_that_is_missing_has_its_reason(made):
    whole(made, "ka")
    scored(made, "ka", (10.0, None), (None, "too-short: 0.5 s"))
    aligned(made, "ka", ((HI,), None), (None, "no-text"))
    _name, segments, _recordings = made.join(A)
    assert segments[0]["gaps"] == {}
    assert segments[1]["scores"] == {"snr_db": None}
    assert segments[1]["gaps"] == {"quality.snr": "too-short: 0.5 s", "align": "no-text"}


def test_what_could_not_be_aligned_keeps_the_words_it_had(made):
    whole(made, "ka")
    aligned(made, "ka", (None, None), ("unalignable: x", "unalignable: x"))
    _name, segments, _recordings = made.join(A)
    assert [[word["symbol"] for word in row["words"]] for row in segments] == [["hi"], []]


def test_a_failed_stage_leaves_gaps_and_keeps_the_rows(made):
    whole(made, "ka")
    made.fail("ka", "quality.snr", "worker-died")
    scored_b = (1.0, 2.0)
    whole(made, "kb")
    scored(made, "kb", scored_b)
    _name, segments, recordings = made.join(A, B)
    assert [row["scores"]["snr_db"] for row in segments] == [None, None, 1.0, 2.0]
    assert [row["gaps"] for row in segments[:3]] == [{"quality.snr": "failed: worker-died"}] * 2 + [{}]
    assert [(row["failed_stage"], row["reason"], row["detail"]) for row in recordings] == [
        ("quality.snr", "worker-died", "why"),
        (None, None, None),
    ]


def test_a_recording_that_failed_early_has_a_row_and_no_segments(made):
    made.fail("ka", "normalise", "not-audio")
    whole(made, "kb")
    _name, segments, recordings = made.join(A, B)
    assert {row["recording_id"] for row in segments} == {"b-22"}
    assert (recordings[0]["failed_stage"], recordings[0]["duration"], recordings[0]["audio"]) == ("normalise", 0.0, [])


def test_a_recording_that_could_not_be_read_says_so(made):
    gone = Source("c-33", "/x/c.wav", key="kc", error="unreadable: Permission denied")
    _name, segments, (row,) = made.join(gone)
    assert segments == []
    assert (row["failed_stage"], row["reason"], row["detail"]) == ("intake", "unreadable", "Permission denied")


def test_two_speakers_over_the_same_interval_have_different_ids(made):
    both = (FIRST, Utterance("at once", 0.5, 1.0, speaker="#2"), Utterance("too", 0.5, 1.0, speaker="#3"))
    whole(made, "ka", both)
    _name, segments, _recordings = made.join(A)
    first = "a-11-0-0000500-0001500"
    assert [row["id"] for row in segments] == [first, f"{first}+", f"{first}++"]
    assert [row["text"] for row in segments] == ["hi there", "at once", "too"]


def test_an_alias_has_a_row_and_no_segments_of_its_own(made):
    whole(made, "ka")
    alias = Source("z-99", "/x/z.wav", key="ka", sha256="11", language="en", alias_of="a-11")
    _name, segments, recordings = made.join(A, alias)
    assert {row["recording_id"] for row in segments} == {"a-11"}
    assert [(row["id"], row["alias_of"], row["num_segments"]) for row in recordings] == [
        ("a-11", None, 2),
        ("z-99", "a-11", 0),
    ]


def test_the_table_is_made_once_and_named_by_what_is_in_it(made):
    whole(made, "ka")
    first, *_rows = made.join(A)
    path = made.root / "tables" / f"segments-{first}.parquet"
    before = path.stat().st_mtime_ns
    assert made.join(A)[0] == first
    assert path.stat().st_mtime_ns == before
    scored(made, "ka")
    second = made.join(A)[0]
    assert second != first
    assert made.join(A, B)[0] not in (first, second)


def test_metadata_that_changes_no_work_changes_the_table(made):
    import msgspec

    whole(made, "ka")
    first = made.join(A)[0]
    name, _segments, recordings = made.join(msgspec.structs.replace(A, rights=Rights("CC BY 4.0")))
    assert name != first
    assert recordings[0]["rights"]["licence"] == "CC BY 4.0"


def test_without_metrics_there_are_no_scores(made):
    whole(made, "ka")
    nodes = tuple(one for one in NODES if one is not SNR)
    _name, segments, _recordings = made.join(A, nodes=nodes)
    assert len(segments) == 2
    assert not segments[0].get("scores")


def test_more_recordings_than_are_joined_at_once_keep_their_order(made, monkeypatch):
    monkeypatch.setattr(table, "RECORDINGS_AT_ONCE", 2)
    monkeypatch.setattr(table, "ROW_GROUP", 3)
    sources = [Source(f"r{i}-00", f"/x/r{i}.wav", key=f"k{i}") for i in range(5)]
    for source in sources:
        whole(made, source.key)
    _name, segments, recordings = made.join(*sources)
    assert [row["recording_id"] for row in segments] == [source.id for source in sources for _ in range(2)]
    assert [row["id"] for row in recordings] == [source.id for source in sources]


def test_what_waits_for_a_failed_stage_says_for_which(made):
    second = node("second", ["audio", "speech"], ["second"])
    trust = node("quality.trust", ["segments", "second"], ["segments.scores.trust", "segments.gaps.quality.trust"])
    whole(made, "ka")
    made.ledger.write(second.folder, "00000", second.writes, [Result("ka", failed=Failed("ka", "second", "timeout"))])
    _name, segments, _recordings = made.join(A, nodes=(*NODES, second, trust))
    assert [row["gaps"] for row in segments] == [{"quality.trust": "not-run: second failed"}] * 2


def test_a_dataset_that_was_cut_off_between_its_files_is_written_again(made, monkeypatch):
    """Else the rules before would find it to be theirs, with the segments of the rules after."""
    whole(made, "ka")
    name, segments, _recordings = made.join(A)
    workspace = Workspace(made.root)

    def decide(rules):
        index, _worked = refilter(workspace, "run-1", name, Asked(rules), ["snr_db"])
        return materialise(workspace, index)

    def dropped():
        return sum(map(bool, pq.read_table(workspace.dataset / "segments.parquet")["drops"].to_pylist()))

    def cut_off(*_paths):
        raise KeyboardInterrupt

    assert decide([])
    assert not decide([])
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(table.shutil, "copyfile", cut_off)
        with pytest.raises(KeyboardInterrupt):
            decide(["num_chars >= 100"])
    assert dropped() == len(segments) == 2
    assert decide([])
    assert dropped() == 0
