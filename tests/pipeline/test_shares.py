# SPDX-License-Identifier: Apache-2.0
"""A task on a shard reads its shard; of recordings some are looked at, at a time. No audio, no workers."""

import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from speechmill.cli import exec as exec_command
from speechmill.core import groups
from speechmill.core.errors import ConfigError, WorkspaceBusy
from speechmill.core.types import Canonical, Failed, Interval, Source, Stamp, Transcript, Turn, Utterance
from speechmill.pipeline import frozen, planned, record, run
from speechmill.pipeline.events import add_counts
from speechmill.pipeline.frozen import read_frozen, read_shards, write_frozen
from speechmill.pipeline.intake import Memory
from speechmill.pipeline.pending import Member
from speechmill.pipeline.plan import Plan, nodes, stages
from speechmill.pipeline.record import Silent
from speechmill.pipeline.run import Prepared
from speechmill.pipeline.spec import resolve
from speechmill.pipeline.worker import Engine, Outcome
from speechmill.store import parts
from speechmill.store.ledger import Ledger, Result
from speechmill.store.workspace import Workspace

SHARD_S = 1800  # two recordings fill a shard
SHARDS = 6
SPOKEN = (Utterance("a text", 0.5, 1.0),)
COLUMNS = {
    "audio": Canonical(("recordings/x.flac",), 3.0, 16_000, 1, "pcm"),
    "speech": (Interval(0.5, 1.0),),
    "transcript": Transcript("sidecar", SPOKEN),
    "turns": (Turn(0.5, 1.0, "#1"),),
    "segments": SPOKEN,
}


class Instant(Engine):
    """Answers at once, with the same for every recording but for those that fail."""

    workers = 1

    def __init__(self, failing=()):
        self.failing = failing
        self.tasks = []

    def map(self, plan, tasks):
        writes = {node.name: {name: COLUMNS[name] for name in node.writes} for node in plan.nodes}
        for task in tasks:
            self.tasks.append(task.source.id)
            key, failed = task.source.key, None
            if task.source.id in self.failing:
                failed = Failed(key, task.stages[0], "not-audio", "why", permanent=True)
                results = {task.stages[0]: Result(key, failed=failed)}
            else:
                results = {stage: Result(key, writes[stage]) for stage in task.stages}
            yield task, Outcome(results, {}, ())

    def peak_rss_mb(self):
        return 0.0


@pytest.fixture
def corpus(tmp_path):
    raw = {
        "name": "shares",
        "language": "en",
        "sources": [{"local": {"path": str(tmp_path)}}],
        "vad": "energy",
        "transcript": ["sidecar"],
        "diarize": "none",
        "align": None,
        "quality": [],
        "filter": [],
        "export": [],
        "store": str(tmp_path / "out"),
    }
    return resolve(raw, tmp_path)


def sources(names):
    size = SHARD_S * 8_000
    return tuple(Source(name, f"/x/{name}.wav", key=f"key-{name}", sha256="ab", size=size) for name in names)


NAMES = [f"r{number:02d}" for number in range(2 * SHARDS)]


def started(corpus, names=NAMES, run_name="run-1"):
    workspace = Workspace.create(corpus.store)
    plan = Plan(run_name, corpus.raw, str(corpus.base), str(corpus.store), nodes(corpus))
    return run.start(Prepared(plan, sources(names), Memory(workspace.hashes)), workspace, Silent())


@pytest.fixture
def opened(monkeypatch):
    """Names of the shards whose parts are opened."""
    found = []
    read = parts.read_parquet

    def noted(path, columns=None):
        found.append(path.parent.name)
        return read(path, columns)

    monkeypatch.setattr(parts, "read_parquet", noted)
    return found


def folder_of(recorder):
    return recorder.workspace.runs / recorder.plan.run


def test_a_shard_is_read_alone(corpus, opened, monkeypatch):
    monkeypatch.setattr(frozen, "ROWS", 2)
    recorder = started(corpus)
    recorder.record(Instant(), recorder.plan.nodes)
    again, mine = run.reopen(folder_of(recorder), Silent(), ["00003"])
    assert [source.id for source in mine] == ["r06", "r07"]
    assert [member.recording_id for member in again.members] == ["r06", "r07"]
    opened.clear()
    engine = Instant()
    again.record(engine, again.plan.nodes)
    counts = run.count(again, again.plan.nodes)
    assert engine.tasks == []
    assert {(count.cached, count.pending) for count in counts.values()} == {(2, 0)}
    assert set(opened) == {"00003"}


def test_what_an_earlier_run_left_in_other_shards_is_found(corpus, opened):
    first = started(corpus)
    first.record(Instant(), first.plan.nodes)
    shifted = started(corpus, ["new", *NAMES], "run-2")  # every second recording is in another shard now
    assert {member.recording_id: member.homes for member in shifted.members}["r01"] == ("00000",)
    again, mine = run.reopen(folder_of(shifted), Silent(), ["00003"])
    assert [source.id for source in mine] == ["r05", "r06"]
    opened.clear()
    engine = Instant()
    again.record(engine, again.plan.nodes)
    assert engine.tasks == []
    assert set(opened) == {"00002", "00003"}


def test_what_another_run_makes_meanwhile_is_in_the_dataset(corpus):
    both = started(corpus)
    of_some = started(corpus, NAMES[:4], "run-2")
    of_some.record(Instant(), of_some.plan.nodes)
    whole, found = run.reopen(folder_of(both), Silent())
    assert run.count(whole, whole.plan.nodes)["segment"].cached == 4
    assert len(found) == 2 * SHARDS


def test_a_failure_in_a_shard_is_listed_with_its_tries(corpus):
    recorder = started(corpus)
    recorder.record(Instant(failing=("r05",)), recorder.plan.nodes)
    whole, found = run.reopen(folder_of(recorder), Silent())
    (item,) = run.failures(whole, found)
    assert (item.recording_id, item.stage, item.reason, item.attempts) == ("r05", "normalise", "not-audio", 1)
    assert run.count(whole, whole.plan.nodes)["vad"].pending == 1


def test_the_ledger_is_asked_for_some_recordings_at_a_time(corpus, monkeypatch):
    monkeypatch.setattr(groups.in_groups, "__defaults__", (4,))
    recorder = started(corpus)
    asked = []
    states = Ledger.states

    def noted(self, stage, keys=None):
        asked.append(len(keys))
        return states(self, stage, keys)

    monkeypatch.setattr(Ledger, "states", noted)
    recorder.record(Instant(), recorder.plan.nodes)
    run.count(recorder, recorder.plan.nodes)
    run.failures(recorder, list(recorder.sources.values()))
    run.decoded_s(recorder)
    assert asked
    assert max(asked) == 4


def test_parts_of_a_shard_are_few(corpus, monkeypatch):
    monkeypatch.setattr(record, "FLUSH_RECORDINGS", 2)
    recorder = started(corpus)
    recorder.record(Instant(), recorder.plan.nodes)
    found = sorted(Path(corpus.store).glob("stages/vad-*/*/*.parquet"))
    assert len(found) <= SHARDS + SHARDS // 2  # of each shard one, had the last ones not been done longest first


def test_a_shard_that_is_not_there_is_refused(tmp_path):
    members = [Member(f"{n:05d}", f"k{n}", f"r{n}", 1.0, n) for n in range(3)]
    write_frozen(tmp_path, sources("abc"), members)
    with pytest.raises(ConfigError, match="has no shard 3; there are 0 to 2"):
        read_shards(tmp_path, ["00002", "00003"])


def test_what_is_frozen_is_read_back_in_its_order(tmp_path, monkeypatch):
    monkeypatch.setattr(frozen, "ROWS", 2)
    found = tuple(
        Source(f"s{n}", f"/x/{n}.wav", key=f"k{n}", sidecars=(f"/x/{n}.txt",), stamps=(Stamp(n, int(time.time())),))
        for n in range(7)
    )
    members = [Member(f"{n // 3:05d}", f"k{n}", f"s{n}", 1.0, n, ("00009",) if n == 4 else ()) for n in range(7)]
    write_frozen(tmp_path, found, members)
    assert read_frozen(tmp_path) == (list(found), members)
    assert read_shards(tmp_path, ["00001"]) == (list(found[3:6]), members[3:6])
    assert read_shards(tmp_path, ["00000", "00002"]) == ([*found[:3], found[6]], [*members[:3], members[6]])


@pytest.mark.parametrize("stages", ["train", "finish"])
def test_what_is_of_the_whole_corpus_is_not_done_of_a_shard(corpus, stages):
    recorder = started(corpus)
    recorder.record(Instant(), recorder.plan.nodes)
    asked = ["--run", str(folder_of(recorder)), "--stages", stages, "--shard", "0"]
    done = CliRunner().invoke(exec_command.command, asked)
    assert isinstance(done.exception, ConfigError)
    assert "leave --shard out" in str(done.exception)
    assert not recorder.workspace.dataset.exists()


def test_a_task_readies_the_models_of_its_own_stages_only(corpus):
    recorder = started(corpus)
    (normalise, vad, *_others) = recorder.plan.nodes
    asked = [recorder.pending_choices(stages(corpus), some) for some in ([normalise], [normalise, vad], None)]
    assert [[choice.family for choice in choices] for choices in asked[:2]] == [[], ["vad"]]
    assert {choice.family for choice in asked[2]} >= {"vad", "transcripts", "segment"}


def test_a_run_is_concluded_when_another_lets_go_of_the_workspace(corpus, monkeypatch):
    recorder = started(corpus)
    recorder.record(Instant(), recorder.plan.nodes)
    found = list(recorder.sources.values())
    add_counts(folder_of(recorder), run.finish_corpus(recorder, corpus, found, Instant()))
    monkeypatch.setattr(planned, "PATIENCE_S", 0.0)
    with recorder.workspace.held(), pytest.raises(WorkspaceBusy):
        planned.conclude(folder_of(recorder), audio=False)
    monkeypatch.setattr(planned, "PATIENCE_S", 30.0)
    held = recorder.workspace.held()
    held.__enter__()
    threading.Timer(0.3, held.__exit__, (None, None, None)).start()
    summary = planned.conclude(folder_of(recorder), audio=False)
    assert (summary.exit_status, summary.recordings) == (0, len(NAMES))


def test_recordings_that_were_left_out_are_told_when_a_run_is_concluded(corpus):
    recorder = started(corpus)
    some, _mine = run.reopen(folder_of(recorder), Silent(), ["00000", "00001"])
    some.record(Instant(failing=("r00",)), some.plan.nodes)
    whole, found = run.reopen(folder_of(recorder), Silent())
    add_counts(folder_of(recorder), run.finish_corpus(whole, corpus, found, Instant()))
    summary = planned.conclude(folder_of(recorder), max_failed=1, audio=False)
    (warning,) = summary.warnings
    assert warning.startswith(f"{len(NAMES) - 4} recordings have neither all results nor a reason")


class Careful(Instant):
    """Does only stages that have what they read, as a worker."""

    def map(self, plan, tasks):
        nodes = {node.name: node for node in plan.nodes}
        for task in tasks:
            self.tasks.append(task.source.id)
            columns, results = dict(task.columns), {}
            for node in (nodes[stage] for stage in task.stages):
                if set(node.reads) <= columns.keys():
                    made = {name: COLUMNS[name] for name in node.writes}
                    columns |= made
                    results[node.name] = Result(task.source.key, made)
            yield task, Outcome(results, {}, ())


def test_a_part_that_turns_out_to_be_broken_when_it_is_read_is_made_again(corpus):
    """Its keys can be read and what it holds can't: a task for the stage after it then has nothing to work on."""
    started(corpus, NAMES[:1]).record(Instant(), nodes(corpus))
    again = started(corpus, NAMES[:1], "run-2")
    again.workspace.recordings.mkdir()
    (again.workspace.root / COLUMNS["audio"].paths[0]).touch()
    turns, segment = (next(node for node in again.plan.nodes if node.name == name) for name in ("diarize", "segment"))
    (part,) = again.ledger.root.glob(f"{segment.folder}/*/*.parquet")
    part.unlink()
    (part,) = again.ledger.root.glob(f"{turns.folder}/*/*.parquet")
    break_column(part, "turns")
    again.record(Careful(), again.plan.nodes)
    assert len(again.ledger.corrupt) == 1
    assert {count.pending for count in run.count(again, again.plan.nodes).values()} == {0}


def break_column(path, name):
    """Make all pages of a column unreadable."""
    with pq.ParquetFile(path) as file:
        group = file.metadata.row_group(0)
        chunks = [group.column(i) for i in range(group.num_columns)]
    content = bytearray(path.read_bytes())
    for chunk in chunks:
        if chunk.path_in_schema.split(".")[0] == name:
            begin = chunk.dictionary_page_offset or chunk.data_page_offset
            content[begin : begin + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(bytes(content))
