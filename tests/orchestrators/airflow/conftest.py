# SPDX-License-Identifier: Apache-2.0
"""Airflow's own Python, and what it makes of rendered corpora."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speechmill.cli.main import cli

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent

PLAIN = """
name: plain
language: en
sources: [{local: {path: ./audio}}]
"""
BARE = """
name: bare
sources: [{local: {path: ./audio}}]
transcript: [sidecar]
diarize: none
align: none
quality: []
"""
EVERYTHING = """
name: Bản tin 6h
language: en
sources: [{podcast: {feed: "https://example.org/feed.xml"}}]
transcript: [captions, faster_whisper]
diarize: dvector
align: {ctc: {model: facebook/mms-1b-all}}
orchestrate:
  command: /opt/speechmill/bin/speechmill
  gpu: true
  schedules: {crawl: "0 1 * * *", label: "@daily", align: "0 5 * * 1"}
  tasks: 100
  parallel: 7
  workers: 2
  retries: 5
  retry_s: 30
  retry_max_s: 600
  timeout_h: 3
  deadline_h: {crawl: 2, label: 6.5, align: 12}
  emails: [speech@example.org]
  webhook: alerts
  wait_for: s3://speech/ready/*.ok
  catchup: true
  start_date: 2026-11-01
"""
TRAINED = """
name: trained
language: vi
sources: [{local: {path: ./audio}}]
transcript: [sidecar]
align: gmm
orchestrate: {wait_for: /data/ready, deadline_h: {label: 1}}
"""
CORPORA = {"plain": PLAIN, "bare": BARE, "everything": EVERYTHING, "trained": TRAINED}

InAirflow = Callable[..., Any]


@pytest.fixture(scope="session")
def in_airflow(tmp_path_factory: pytest.TempPathFactory) -> InAirflow:
    """Run a script of this folder with Airflow's Python and return the JSON that it printed last.

    The test is skipped, and says so, where Airflow is not installed.
    """
    python = ROOT / ".venv-airflow" / "bin" / "python"
    if not python.exists():
        pytest.skip("Airflow is not here: make setup-airflow")
    home = tmp_path_factory.mktemp("airflow")

    def run(script: str, *arguments: object, **environment: str) -> Any:
        own = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONHASHSEED": "random"}
        done = subprocess.run(
            [python, HERE / script, *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, **own, **environment},
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the DAG files of all corpora."""
    base = tmp_path_factory.mktemp("corpora")
    (base / "audio").mkdir()
    for name, text in CORPORA.items():
        (base / f"{name}.yaml").write_text(text)
        arguments = ["render", "airflow", str(base / f"{name}.yaml"), "--out", str(base / "dags")]
        cli.main(arguments, standalone_mode=False)
    return base / "dags"


@pytest.fixture(scope="session")
def found(in_airflow: InAirflow, rendered: Path) -> dict[str, Any]:
    """What Airflow read from it."""
    answer: dict[str, Any] = in_airflow("dag_dump.py", rendered)
    return answer


@pytest.fixture(scope="session")
def dags(found: dict[str, Any]) -> dict[str, Any]:
    assert found["errors"] == {}
    dags: dict[str, Any] = found["dags"]
    return dags
