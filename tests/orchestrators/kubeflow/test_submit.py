# SPDX-License-Identifier: Apache-2.0
"""What submit.py asks of a server, by kfp's own client; the server here remembers it and says as little as it may."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from tests.orchestrators.kubeflow import environment

pytestmark = pytest.mark.slow
SUBMIT = Path(__file__).resolve().parents[3] / "deploy" / "kubeflow" / "submit.py"
API = "/apis/v2beta1"


class Server(ThreadingHTTPServer):
    """Answers what it was told to, by path; else with an id."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, Any]] = []
        self.answers: dict[str, Any] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def changes(self) -> list[tuple[str, str]]:
        return [(method, path.removeprefix(API)) for method, path, _ in self.asked if method != "GET"]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_json = "json" in (self.headers.get("Content-Type") or "")
        self.server.asked.append((self.command, path, json.loads(body) if body and is_json else body))
        ids = dict.fromkeys(("experiment_id", "pipeline_id", "run_id", "recurring_run_id"), "x1")
        found = json.dumps(self.server.answers.get(path, ids if self.command == "POST" else {})).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    raw = {"name": "t", "language": "en", "sources": [{"local": {"path": "audio"}}]}
    raw |= {"orchestrate": {"schedules": {"label": "30 2 * * *"}}}
    corpus = tmp_path_factory.mktemp("corpus") / "corpus.yaml"
    corpus.write_text(yaml.safe_dump(raw))
    environment.run("compiled.py", corpus, folder)
    return folder


def submit(server: Server, rendered: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [str(environment.PYTHON), str(SUBMIT), str(rendered), "--host", server.address, *arguments]
    clean = {**os.environ, "NO_PROXY": "127.0.0.1", "HOME": str(rendered)}
    return subprocess.run(words, capture_output=True, text=True, env=clean, timeout=120, check=False)


def test_pipelines_are_uploaded_and_schedules_replaced(server: Server, rendered: Path) -> None:
    runs = [
        {"display_name": "t-label", "recurring_run_id": "old"},
        {"display_name": "other", "recurring_run_id": "stays"},
    ]
    server.answers[f"{API}/recurringruns"] = {"recurringRuns": runs}
    done = submit(server, rendered)
    assert done.returncode == 0, done.stderr
    assert server.changes() == [
        ("POST", "/experiments"),
        ("POST", "/pipelines/upload"),
        ("POST", "/pipelines/upload"),
        ("POST", "/pipelines/upload"),
        ("DELETE", "/recurringruns/old"),
        ("POST", "/recurringruns"),
    ]
    made = server.asked[-1][2]
    assert made["display_name"] == "t-label"
    assert made["trigger"]["cron_schedule"]["cron"] == "0 30 2 * * *"
    assert made["max_concurrency"] == 1
    assert made["no_catchup"] is True
    assert made["pipeline_spec"]["pipeline_spec"]["pipelineInfo"]["name"] == "t-label"


def test_a_run_is_started_with_its_parameters(server: Server, rendered: Path) -> None:
    done = submit(server, rendered, "--run", "t-label", "since=2026-11-01", "settings=vad.threshold=0.6")
    assert done.returncode == 0, done.stderr
    assert server.changes() == [("POST", "/experiments"), ("POST", "/runs")]
    parameters = {"since": "2026-11-01", "settings": "vad.threshold=0.6"}
    assert server.asked[-1][2]["runtime_config"]["parameters"] == parameters


def test_a_run_that_failed_ends_with_1(server: Server, rendered: Path) -> None:
    server.answers[f"{API}/runs/x1"] = {"run_id": "x1", "state": "FAILED"}
    done = submit(server, rendered, "--run", "t-label", "--wait")
    assert done.returncode == 1
    assert "ended     FAILED" in done.stdout
