# SPDX-License-Identifier: Apache-2.0
"""What a run tells the sinks and the log, and that nothing of it changes the run."""

import json
import os
import socket
import subprocess
import sys

import msgspec
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from tests.services.ports import free_port

from speechmill.cli.main import cli
from speechmill.pipeline.events import Event
from speechmill.pipeline.pending import Member
from speechmill.pipeline.record import Scope, Silent
from speechmill.telemetry.logs import JsonLog
from speechmill.telemetry.observe import Measured, Saturation, observed

SIDECAR = ("--language", "en", "--transcript", "sidecar", "--diarize", "none", "--align", "none", "--export", "none")
TEXTS = {"one": "a text of enough letters", "two": "another text of enough letters"}


class Kept:
    """A sink that keeps what it is sent."""

    def __init__(self):
        self.sent = []

    def send(self, metric, value, labels):
        self.sent.append((metric.name.removeprefix("speechmill."), value, dict(labels)))

    def close(self):
        return None


class Heard(Silent):
    """An observer that remembers notes."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def event(stage="vad", **fields):
    return Event(1000.0, stage, "talk-1", **{"wall_s": 0.5, "cpu_s": 0.4, "audio_s": 60.0, "shard": "00003", **fields})


@pytest.fixture
def scope(tmp_path):
    members = [Member("00003", "a" * 64, "talk-1", 60.0), Member("00004", "b" * 64, "talk-2", 60.0)]
    return Scope(tmp_path, members, workers=2)


def test_a_recording_is_measured_by_stage_and_shard():
    kept = Kept()
    Measured(Silent(), [kept]).done("talk-1", 60.0, [event()])
    labels = {"stage": "vad", "shard": "00003"}
    assert kept.sent == [
        ("stage.duration", 0.5, labels),
        ("stage.recordings", 1, labels),
        ("stage.audio", 60.0, labels),
        ("stage.cpu", 0.4, labels),
    ]


def test_a_failure_is_counted_by_its_reason_and_a_dead_worker_has_no_latency():
    kept = Kept()
    Measured(Silent(), [kept]).done("talk-1", 0.0, [event(wall_s=0.0, failed="worker-died")])
    assert "stage.duration" not in [name for name, _value, _labels in kept.sent]
    assert kept.sent[-1] == ("stage.failures", 1, {"stage": "vad", "shard": "00003", "reason": "worker-died"})


def test_saturation_counts_the_workers_of_these_shards_alone(scope, tmp_path):
    (tmp_path / "inflight").mkdir()
    (tmp_path / "inflight" / ("a" * 32)).write_text("asr")
    (tmp_path / "inflight" / ("c" * 32)).write_text("vad")  # another task's
    saturation = Saturation(scope)
    saturation.waiting = 2
    saturation.done([event(worker="host:1", peak_rss_mb=100.0)])
    found = {metric.name.removeprefix("speechmill."): (value, labels) for metric, value, labels in saturation.values()}
    shard = {"shard": "00003-00004"}
    assert found["workers"] == (2, shard)
    assert found["recordings.waiting"] == (1, shard)
    assert found["workers.busy"] == (1, {"stage": "asr", **shard})
    assert found["memory"][0] > 100 * 2**20


def test_at_the_end_the_gauges_are_nothing(scope):
    kept = Kept()
    measured = Measured(Silent(), [kept])
    measured.scope(scope)
    measured.begin(2, 120.0)
    measured.close()
    assert ("workers", 2, {"shard": "00003-00004"}) in kept.sent
    assert kept.sent[-3:] == [
        (name, 0.0, {"shard": "00003-00004"}) for name in ("workers", "recordings.waiting", "memory")
    ]


def test_what_a_sink_lost_is_told_once_at_the_end():
    class Lossy(Kept):
        def close(self):
            return "5 measurements were lost"

    heard = Heard()
    Measured(heard, [Lossy()]).close()
    assert heard.notes == ["5 measurements were lost"]


def test_where_nothing_is_asked_the_observer_is_left_alone():
    silent = Silent()
    with observed(silent, {}) as observer:
        assert observer is silent


def test_a_line_of_the_log_names_the_recording_and_the_reason(scope, capsys):
    log = JsonLog()
    log.scope(scope)
    log.done("talk-1", 0.0, [event(failed="timeout", detail="line\nbreak \x1b[31m", worker="host:1", peak_rss_mb=9.5)])
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line) == {
        "time": "1970-01-01T00:16:40.000Z",
        "level": "error",
        "message": "vad failed: timeout",
        "run": scope.folder.name,
        "shard": "00003",
        "stage": "vad",
        "recording": "talk-1",
        "reason": "timeout",
        "detail": "line\nbreak \x1b[31m",
        "worker": "host:1",
        "wall_s": 0.5,
        "audio_s": 60.0,
        "peak_rss_mb": 9.5,
    }


def test_a_note_with_a_path_that_is_no_utf8_is_logged(capsys):
    JsonLog().note("talk-\udcff.wav")
    assert json.loads(capsys.readouterr().err)["message"] == "talk-?.wav"


def run(*arguments, **environment):
    command = [sys.executable, "-m", "speechmill", *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def rows(out):
    return [pq.read_table(out / "dataset" / f"{name}.parquet").to_pylist() for name in ("segments", "recordings")]


@pytest.mark.slow
def test_a_run_with_dead_collectors_has_equal_rows(tone_corpus, tmp_path):
    audio = tone_corpus(TEXTS)
    nobody = f"127.0.0.1:{free_port()}"
    plain = run("run", audio, "--out", tmp_path / "plain", *SIDECAR)
    measured = run(
        *("run", audio, "--out", tmp_path / "measured", *SIDECAR),
        SPEECHMILL_STATSD=nobody,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{nobody}",
        SPEECHMILL_PROMETHEUS=nobody,
    )
    assert (plain.returncode, measured.returncode) == (0, 0), measured.stderr
    assert "metrics were lost: " in measured.stderr
    assert len(rows(tmp_path / "plain")[0]) == 2
    assert rows(tmp_path / "measured") == rows(tmp_path / "plain")


@pytest.mark.slow
def test_exec_measures_its_shard_and_logs_each_recording(tone_corpus, tmp_path):
    from speechmill import api
    from speechmill.pipeline.planned import plan_run

    settings = {"language": "en", "transcript": ["sidecar"], "diarize": "none", "align": None, "export": []}
    planned = plan_run(api.corpus_of(tone_corpus(TEXTS), tmp_path / "out", settings))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(60)
        address = f"127.0.0.1:{udp.getsockname()[1]}"
        done = run("exec", "--run", planned.run, "--shard", 0, "--log-format", "json", SPEECHMILL_STATSD=address)
        heard = []
        while "speechmill.memory.00000:0|g" not in heard:  # the last there is
            heard += udp.recv(65_535).decode().splitlines()
    assert done.returncode == 0, done.stderr
    assert heard.count("speechmill.stage.recordings.vad.00000:1|c") == 2
    assert "speechmill.workers.00000:1|g" in heard
    lines = [msgspec.json.decode(line) for line in done.stderr.splitlines()]
    vad = [line for line in lines if line.get("stage") == "vad"]
    assert len({line["recording"] for line in vad}) == 2
    assert {(line["level"], line["message"], line["shard"]) for line in vad} == {("info", "vad done", "00000")}
    assert all(line["worker"].count(":") == 1 for line in vad)


def test_a_command_that_is_asked_for_no_log_leaves_nothing_in_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("SPEECHMILL_LOG", raising=False)
    assert CliRunner().invoke(cli, ["exec", "--run", str(tmp_path)]).exit_code == 1
    assert "SPEECHMILL_LOG" not in os.environ


def test_what_ends_a_command_is_a_line_of_the_log_too(tmp_path):
    refused = run("exec", "--run", tmp_path, SPEECHMILL_LOG="json")
    [line] = refused.stderr.splitlines()
    assert refused.returncode == 2
    assert {**json.loads(line), "time": ""} == {
        "time": "",
        "level": "error",
        "message": f"{tmp_path} is not a run; name WORKSPACE/runs/ID",
    }
    assert run("exec", "--run", tmp_path).stderr.startswith("speechmill: ")
