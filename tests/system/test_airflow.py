# SPDX-License-Identifier: Apache-2.0
"""Corpora on a real Airflow: PostgreSQL, Redis, CeleryExecutor, StatsD and Prometheus, as scripts/platform starts them.

One platform for all tests of this file; each has a corpus, and so DAGs, of its own.
"""

from __future__ import annotations

import contextlib
import json
import signal
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.conftest import CommandLine
from tests.services.airflow import Absent, Platform, fetch, running, wait_for
from tests.system.airflow_corpora import (
    CLIPS,
    CRON,
    DATES,
    Calls,
    dated,
    events,
    listening,
    parts,
    real_clips,
    rows,
    talks,
    write_corpus,
)

from replica.handle import Replica
from speechmill.orchestrators.airflow import render
from speechmill.pipeline.spec import load

pytestmark = pytest.mark.system

WEBHOOK = "webhook"  # a connection of Airflow
SETTINGS = (
    "scheduler.task_instance_heartbeat_timeout=20",
    "scheduler.task_instance_heartbeat_timeout_detection_interval=2",
    "dag_processor.min_file_process_interval=600",
)


@pytest.fixture(scope="module")
def calls() -> Iterator[Calls]:
    """A webhook, and what it was told."""
    with listening() as heard:
        yield heard


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    media = tmp_path_factory.mktemp("media")
    talks(media)
    with Replica.start(media=media, languages=("en",)) as server:
        yield server


@pytest.fixture(scope="module")
def corpora(
    replica: Replica,
    tmp_path_factory: pytest.TempPathFactory,
    make_tone: Callable[..., None],
    shared_folder: Path,
) -> dict[str, Path]:
    """A folder for each test, with a corpus file in it."""
    root = tmp_path_factory.mktemp("corpora")
    real_clips(root / "clips", shared_folder)
    speech = {"sources": [{"local": {"path": str(root / "clips")}}]}
    write_corpus(root / "expected", "expected", **speech)
    write_corpus(root / "flaky", "flaky", **speech)
    late = {"deadline_h": {"label": 0.001}, "webhook": WEBHOOK}
    write_corpus(root / "killed", "killed", late, **speech)
    write_corpus(root / "cleared", "cleared", {"retries": 0, "webhook": WEBHOOK}, **speech)
    dated(root / "tones", make_tone)
    tones = {"sources": [{"local": {"path": str(root / "tones")}}], "transcript": ["sidecar"]}
    write_corpus(root / "dated", "dated", {"schedules": {"label": CRON}}, **tones)
    write_corpus(root / "metered", "metered", **tones)
    crawl = {"egress": [{"name": "lab", "proxy": replica.proxy()}], "spacing_s": 0.0, "processes": 1}
    found = {"sources": [{"youtube": {"search": "talks about libraries", "limit": 3}}], "crawl": crawl}
    asked = {"transcript": [{"captions": "manual"}, "pocketsphinx"], "quality": ["snr"], "align": "pocketsphinx"}
    write_corpus(root / "talks", "talks", export=["jsonl", "textgrid"], **found, **asked)
    return {folder.name: folder for folder in root.iterdir() if (folder / "corpus.yaml").exists()}


@pytest.fixture(scope="module")
def shared_folder() -> Path:
    from tests.conftest import SHARED_DATA

    return SHARED_DATA


@pytest.fixture(scope="module")
def expected(corpora: dict[str, Path], speechmill: CommandLine) -> list[dict[str, Any]]:
    """What an undisturbed run gives, without Airflow."""
    speechmill("run", corpora["expected"] / "corpus.yaml", "--workers", "1")
    return rows(corpora["expected"] / "workspace", "segments")


@pytest.fixture(scope="module")
def platform(
    corpora: dict[str, Path],
    replica: Replica,
    calls: Calls,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Platform]:
    """A platform with the DAGs of all corpora, their pools, and a connection to the webhook."""
    dags = tmp_path_factory.mktemp("dags")
    pools = [render(load(folder / "corpus.yaml"), dags)[1] for folder in corpora.values()]
    environment = {**replica.environment(), "OMP_NUM_THREADS": "1"}
    try:
        with running(dags, settings=SETTINGS, environment=environment) as started:
            started.add_pools(*pools)
            webhook = {"connection_id": WEBHOOK, "conn_type": "http", "host": "127.0.0.1", "port": calls.port}
            started.ask("POST", "connections", {**webhook, "schema": "http"}, user="admin")
            yield started
    except Absent as error:
        pytest.skip(str(error))


def command_of(platform: Platform, folder: Path, stages: str) -> list[psutil.Process]:
    """Return the processes that do a step for a corpus."""
    found = []
    for process in platform.processes():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if "exec" in words and stages in words and any(str(folder) in word for word in words):
            found.append(process)
    return found


def kill_while(platform: Platform, folder: Path, stage: str, done: Callable[[Path, str], list[Any]]) -> None:
    """Kill -9 what does a stage of a corpus, when it has done some recordings and not all."""
    wait_for(lambda: done(folder, stage), f"a recording through {stage}", every_s=0.05)
    victims = command_of(platform, folder, stage)
    assert victims, "it was done before it could be killed"
    for victim in victims:
        victim.kill()
    assert len(events(folder, stage)) < CLIPS


def test_from_a_trigger_to_an_exported_dataset_by_events(platform: Platform, corpora: dict[str, Path]) -> None:
    flows = ("talks_crawl", "talks_label", "talks_align")
    platform.unpause(*flows)
    platform.wait("talks_crawl", platform.trigger("talks_crawl"))
    for flow in flows[1:]:
        run = platform.wait_started(flow)
        assert run["run_type"] == "asset_triggered", f"{flow} is started by what the flow before it gave"
        platform.wait(flow, run["dag_run_id"])
    workspace = corpora["talks"] / "workspace"
    recordings, segments = rows(workspace, "recordings"), rows(workspace, "segments")
    assert len(recordings) == 3
    assert {one["origin"] for one in recordings} == {"youtube"}
    assert segments
    assert all(one["words"] and one["scores"]["snr_db"] is not None for one in segments)
    (shard,) = (workspace / "exports/jsonl").glob("segments-*.jsonl")
    _schema, *exported = shard.read_text().splitlines()
    assert sorted(json.loads(line)["id"] for line in exported) == sorted(one["id"] for one in segments)
    assert list((workspace / "exports/textgrid").rglob("*.TextGrid"))
    concluded = platform.printed("talks_align", run["dag_run_id"], "conclude")
    assert concluded["segments_kept"] == len(segments)
    assert Path(concluded["report"]).exists()


def test_a_task_whose_command_is_killed_is_tried_again(
    platform: Platform, corpora: dict[str, Path], expected: list[dict[str, Any]]
) -> None:
    platform.unpause("flaky_label", "flaky_align")
    run = platform.trigger("flaky_label")
    kill_while(platform, corpora["flaky"], "transcribe", events)
    platform.wait("flaky_label", run)
    tries = {one["task_id"]: one["try_number"] for one in platform.tasks("flaky_label", run)}
    assert tries["transcribe"] == 2
    assert tries["prepare"] == tries["segment"] == 1
    platform.wait("flaky_align", platform.wait_started("flaky_align")["dag_run_id"])
    assert rows(corpora["flaky"] / "workspace", "segments") == expected


def test_what_a_killed_worker_was_doing_is_done_by_another_and_lateness_is_told(
    platform: Platform, corpora: dict[str, Path], expected: list[dict[str, Any]], calls: Calls
) -> None:
    folder = corpora["killed"]
    platform.unpause("killed_label", "killed_align")
    run = platform.trigger("killed_label")
    wait_for(lambda: events(folder, "transcribe"), "a recording that is transcribed", every_s=0.05)
    worker = psutil.Process(platform.pid("worker"))
    victims = [worker, *worker.children(recursive=True)]
    orphans = command_of(platform, folder, "transcribe")
    assert orphans, "a task is under way"
    for victim in victims:
        if victim not in orphans and not any(victim in one.children(recursive=True) for one in orphans):
            victim.send_signal(signal.SIGKILL)
    psutil.wait_procs(victims, 60)
    assert [name for name, is_up in platform.status().items() if is_up == "DEAD"] == ["worker"]
    wait_for(lambda: not [one for one in orphans if one.is_running()], "the end of what the worker had started")
    platform.up()
    platform.wait("killed_label", run)
    tries = {one["task_id"]: one["try_number"] for one in platform.tasks("killed_label", run)}
    assert tries["transcribe"] == 2
    platform.wait("killed_align", platform.wait_started("killed_align")["dag_run_id"])
    assert rows(folder / "workspace", "segments") == expected
    told = calls.wait_for("late", "killed_label")
    assert told["dag_run"] == run


def test_clearing_what_failed_does_only_what_is_undone_and_failure_is_told(
    platform: Platform, corpora: dict[str, Path], expected: list[dict[str, Any]], calls: Calls
) -> None:
    platform.unpause("cleared_label", "cleared_align")
    run = platform.trigger("cleared_label")
    kill_while(platform, corpora["cleared"], "transcribe", parts)  # what is done, is done for good
    platform.wait("cleared_label", run, expect="failed")
    assert platform.states("cleared_label", run)["transcribe"] == "failed"
    told = calls.wait_for("failed", "cleared_label")
    assert told["dag_run"] == run
    body = {"dry_run": False, "only_failed": True, "dag_run_id": run, "include_downstream": True}
    platform.ask("POST", "dags/cleared_label/clearTaskInstances", body)
    platform.wait("cleared_label", run)
    counts = platform.printed("cleared_label", run, "transcribe", 0)["stages"]["transcribe"]
    assert counts["processed"] + counts["cached"] == CLIPS
    assert 0 < counts["processed"] < CLIPS
    tries = {one["task_id"]: one["try_number"] for one in platform.tasks("cleared_label", run)}
    assert tries["prepare"] == 1
    platform.wait("cleared_align", platform.wait_started("cleared_align")["dag_run_id"])
    assert rows(corpora["cleared"] / "workspace", "segments") == expected


def test_a_backfill_over_three_dates_works_on_each_dates_own_recordings(
    platform: Platform, corpora: dict[str, Path]
) -> None:
    wait_for(lambda: platform.answer("GET", "dags/dated_label")[0] == 200, "the DAG")
    first, *_, last = DATES
    body = {"dag_id": "dated_label", "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z"}
    platform.ask("POST", "backfills", {**body, "max_active_runs": 1, "reprocess_behavior": "none"})
    platform.unpause("dated_label")
    wait_for(lambda: len(platform.runs("dated_label")) == len(DATES), "a run for each date")
    found = sorted(platform.runs("dated_label"), key=lambda run: run["logical_date"])
    assert [run["run_type"] for run in found] == ["backfill"] * 3
    for run, (date, count) in zip(found, DATES.items(), strict=True):
        platform.wait("dated_label", run["dag_run_id"])
        planned = platform.printed("dated_label", run["dag_run_id"], "plan", key="planned")
        assert (planned["since"], planned["recordings"]) == (date, count)
        counts = platform.printed("dated_label", run["dag_run_id"], "prepare", 0)["stages"]["normalise"]
        assert (counts["processed"], counts["cached"]) == (count, 0)


def test_a_viewer_looks_and_an_op_starts(platform: Platform) -> None:
    wait_for(lambda: platform.answer("GET", "dags/dated_align")[0] == 200, "the DAG")
    body = {"logical_date": None}
    assert platform.answer("GET", "dags/dated_align", user="viewer")[0] == 200
    assert platform.answer("POST", "dags/dated_align/dagRuns", body, user="viewer")[0] == 403
    assert platform.answer("GET", "connections", user="viewer")[0] == 403
    status, run = platform.answer("POST", "dags/dated_align/dagRuns", body, user="op")
    assert status == 200
    platform.ask("DELETE", f"dags/dated_align/dagRuns/{urllib.parse.quote(run['dag_run_id'])}", user="admin")


def test_metrics_of_airflow_and_of_runs_arrive_in_prometheus(platform: Platform, corpora: dict[str, Path]) -> None:
    platform.unpause("metered_label")
    platform.wait("metered_label", platform.trigger("metered_label"))

    def value(query: str) -> float:
        url = f"{platform.url('prometheus')}/api/v1/query?query={urllib.parse.quote(query)}"
        found = json.loads(fetch(url))["data"]["result"]
        return sum(float(one["value"][1]) for one in found)

    finished = 'airflow_ti_finish{dag_id="metered_label",task_id="prepare",state="success"}'
    wait_for(lambda: value(finished) == 1, finished)
    done = 'speechmill_stage_recordings_total{stage="normalise"}'
    wait_for(lambda: value(done) >= 2, done)
    assert value("speechmill_stage_audio_seconds_total") > 2


def test_nothing_listens_publicly_and_no_secret_is_shown(platform: Platform) -> None:
    ports, commands = set[tuple[str, int]](), list[list[str]]()
    for process in platform.processes():
        with contextlib.suppress(psutil.NoSuchProcess):  # a task's that has ended, or waits to be buried
            commands.append(process.cmdline())
            waiting = [one for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
            ports |= {(one.laddr.ip, one.laddr.port) for one in waiting}
    assert len(commands) >= 8
    assert len(ports) >= 6
    assert {address for address, _ in ports} == {"127.0.0.1"}
    hidden = platform.secrets
    shown = [name for words in commands for word in words for name, secret in hidden.items() if secret in word]
    logs = [path for path in platform.folder.rglob("*.log") if "prometheus/data" not in str(path)]
    assert len(logs) > 10
    shown += [
        f"{name} in {log}"
        for log in logs
        for name, secret in hidden.items()
        if secret in log.read_text(encoding="utf-8", errors="replace")
    ]
    assert shown == []
    for path in ("secrets.json", "state.json", "airflow/airflow.cfg", "redis/redis.conf"):
        assert (platform.folder / path).stat().st_mode & 0o077 == 0
