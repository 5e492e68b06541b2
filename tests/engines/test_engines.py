# SPDX-License-Identifier: Apache-2.0
"""Every engine: the same rows, the same reasons, the same errors that end a run."""

import json
import os

import pyarrow.parquet as pq
import pytest
from ray._private import ray_constants
from tests.engines.faults import NO_FRILLS, RUN, install
from tests.engines.noop import plan_in, tasks

from speechmill import engines
from speechmill.core import registry
from speechmill.core.errors import ConfigError, MissingDependency, UnknownBackend, Unsupported, WorkspaceError
from speechmill.engines._seat_process import Fatal
from speechmill.pipeline.worker import Death, Outcome

NAMES = ("local", "dask", "ray")
TEXTS = {
    **{"a": "fine", "b": "segfault", "c": "fine", "d": "hang", "e": "memory", "f": "exit", "g": "bug", "h": "fine"}
}
REASONS = {
    **{"b": "worker-died", "d": "timeout", "e": "out-of-memory", "f": "error-SystemExit", "g": "error-ValueError"}
}


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    return install(tmp_path_factory.mktemp("site") / "faults")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, make_tone):
    folder = tmp_path_factory.mktemp("corpus")
    for i, (name, text) in enumerate(TEXTS.items()):
        make_tone(folder / f"{name}.wav", 2.0 + 0.25 * i, 150.0 + 20.0 * i)
        (folder / f"{name}.txt").write_text(text)
    return folder


@pytest.fixture(scope="module")
def ran(speechmill, plugin, corpus, tmp_path_factory):
    """Run the corpus on an engine, once: its dataset's rows and its summary."""
    done = {}

    def run(name):
        if name not in done:
            out = tmp_path_factory.mktemp("runs") / name
            # Room for the worker itself, and an end to hoarding long before the machine is full.
            how = ("--engine", name, "--workers", "2", "--memory", "1200", "--timeout", "12")
            summary = json.loads(
                speechmill("run", corpus, "--out", out, *RUN, *NO_FRILLS, *how, env=plugin, expect=1).stdout
            )
            rows = {table: pq.read_table(out / "dataset" / f"{table}.parquet").to_pylist() for table in TABLES}
            done[name] = rows, summary
        return done[name]

    return run


TABLES = ("segments", "recordings")


def test_every_engine_is_tested_here():
    assert registry.names("engines") == sorted(NAMES)


@pytest.mark.system
@pytest.mark.parametrize("name", NAMES)
def test_what_a_recording_does_costs_itself_alone(ran, name):
    _rows, summary = ran(name)
    failures = {f["recording_id"][0]: (f["stage"], f["reason"], f["attempts"]) for f in summary["failures"]}
    assert failures == {recording: ("quality.faults", reason, 2) for recording, reason in REASONS.items()}


@pytest.mark.system
@pytest.mark.parametrize("name", NAMES[1:])
def test_rows_are_those_of_the_local_engine(ran, name):
    rows, summary = ran(name)
    local, summary_of_local = ran("local")
    assert rows == local
    assert [len(rows[table]) for table in TABLES] == [len(TEXTS), len(TEXTS)]
    ignored = {"cpu_s", "wall_s"}
    for stage, counts in summary_of_local["stages"].items():
        assert {key: value for key, value in summary["stages"][stage].items() if key not in ignored} == {
            key: value for key, value in counts.items() if key not in ignored
        }


@pytest.mark.system
@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_ends_the_run(speechmill, plugin, tone_corpus, tmp_path, name):
    folder = tone_corpus({"a": "full", "b": "fine"})
    how = ("--engine", name, "--workers", "1")
    done = speechmill("run", folder, "--out", tmp_path / "out", *RUN, *NO_FRILLS, *how, env=plugin, expect=2)
    assert "the disk is full" in done.stderr


@pytest.mark.system
@pytest.mark.parametrize("name", NAMES)
def test_all_tasks_are_answered_and_few_are_taken_ahead(tmp_path, name):
    plan, taken = plan_in(tmp_path), []

    def watched():
        for task in tasks(40):
            taken.append(task)
            yield task

    answered = []
    engine = engines.make(name, 2, 1024)
    for task, answer in engine.map(plan, watched()):
        assert isinstance(answer, Outcome), answer
        answered.append(task.source.key)
        assert len(taken) - len(answered) <= 2 * engine.workers
    assert sorted(answered) == [task.source.key for task in tasks(40)]
    assert engine.workers == 2
    assert engine.peak_rss_mb() > 50


@pytest.mark.system
def test_after_a_ray_of_our_own_this_process_may_still_start_or_join_a_cluster(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", raising=False)
    assert len(list(engines.make("ray", 1, 1024).map(plan_in(tmp_path), tasks(2)))) == 2
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in os.environ
    assert ray_constants.ENABLE_RAY_CLUSTER


@pytest.mark.system
@pytest.mark.parametrize("name", NAMES[1:])
def test_a_worker_that_does_not_see_the_workspace_says_so(tmp_path, name):
    plan = plan_in(tmp_path)
    (tmp_path / "workspace" / "runs" / "noop").rmdir()
    with pytest.raises(WorkspaceError, match=r"does not see the workspace .*put it on a disk that all workers share"):
        list(engines.make(name, 1, 1024).map(plan, tasks(3)))


def test_an_unknown_engine_names_those_there_are():
    with pytest.raises(UnknownBackend, match="dask, local, ray"):
        engines.make("slurm")


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_missing_package_is_told_with_its_pip_command(monkeypatch, name):
    monkeypatch.setattr(registry, "missing_packages", lambda module: list(module.REQUIRES))
    with pytest.raises(MissingDependency, match=rf"pip install 'speechmill\[{name}\]'"):
        engines.make(name)


def test_the_local_engine_has_no_address():
    with pytest.raises(Unsupported, match="--engine dask or ray"):
        engines.make("local", address="tcp://127.0.0.1:8786")


def test_an_address_without_a_scheduler_is_told_before_work_starts(monkeypatch):
    from speechmill.engines import dask

    monkeypatch.setattr(dask, "CONNECT_S", 0.5)
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1 .*dask scheduler"):
        engines.make("dask", address="tcp://127.0.0.1:1")


def test_an_address_without_a_ray_is_told_before_work_starts():
    with pytest.raises(ConfigError, match=r"no Ray answers at auto .*ray start --head"):
        engines.make("ray", address="auto")


def test_an_answer_counts_whatever_has_become_of_the_dask_worker_since():
    """Lost after it had answered, its future's status is that of work that is being done again."""
    from speechmill.engines.dask import _UnderWay

    class Lost:
        key, status = "key", "lost"

    (task,), outcome = tasks(1), Outcome({}, {}, ())
    under_way = _UnderWay.__new__(_UnderWay)
    under_way._where = "here"
    for answer in (outcome, Death("timeout", "", None)):
        under_way._tasks, under_way._done = {"key": (Lost, task, 0)}, iter([(Lost, answer)])
        assert list(under_way.take()) == [(task, answer)]
    under_way._tasks, under_way._done = {"key": (Lost, task, 0)}, iter([(Lost, Fatal(ConfigError("why")))])
    with pytest.raises(ConfigError, match="why"):
        list(under_way.take())
