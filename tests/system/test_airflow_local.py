# SPDX-License-Identifier: Apache-2.0
"""The platform without Celery: Airflow's LocalExecutor. And the script itself: said twice, with a service that died."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.services.airflow import ROOT, SCRIPT, Absent, running, wait_for
from tests.system.airflow_corpora import DATES, dated, rows, write_corpus

from speechmill.orchestrators.airflow import render
from speechmill.pipeline.spec import load

pytestmark = pytest.mark.system


def test_the_scheduler_runs_tasks_itself_and_what_has_died_is_started_again(
    tmp_path: Path, make_tone: Callable[..., None]
) -> None:
    dated(tmp_path / "tones", make_tone)
    tones = {"sources": [{"local": {"path": str(tmp_path / "tones")}}], "transcript": ["sidecar"]}
    corpus = write_corpus(tmp_path / "local", "local", **tones)
    dags = tmp_path / "dags"
    dags.mkdir()
    _, pools, _ = render(load(corpus), dags)
    try:
        with running(dags, executor="local", environment={"OMP_NUM_THREADS": "1"}) as platform:
            assert "redis" not in platform.status()
            platform.add_pools(pools)
            platform.unpause("local_label", "local_align")
            platform.wait("local_label", platform.trigger("local_label"))
            platform.wait("local_align", platform.wait_started("local_align")["dag_run_id"])
            assert len(rows(tmp_path / "local/workspace", "segments")) == sum(DATES.values())
            before = {name: platform.pid(name) for name in ("scheduler", "triggerer")}
            psutil.Process(before["triggerer"]).kill()
            wait_for(lambda: platform.status()["triggerer"] == "DEAD", "a dead triggerer")
            platform.up()
            assert platform.pid("scheduler") == before["scheduler"]
            assert platform.pid("triggerer") != before["triggerer"]
            left = platform.processes()
            folder = platform.folder
    except Absent as error:
        pytest.skip(str(error))
    assert len(left) > 8
    assert not folder.exists()
    assert not [one for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


STARTS_ONE = """
import sys
from pathlib import Path
from tests.services.airflow import Platform
Platform(Path(sys.argv[1]), executor="local", settings=())
"""


def test_nothing_is_left_of_a_platform_whose_test_was_killed_while_it_started(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    tmp_path.chmod(0o755)
    for parent in list(tmp_path.parents)[:2]:
        parent.chmod(0o755)  # PostgreSQL's user must get at it
    command = [sys.executable, "-c", STARTS_ONE, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as victim:
        wait_for(lambda: list(tmp_path.glob("speechmill-airflow-*/pids/postgres")), "PostgreSQL", victim.poll)
        victim.send_signal(signal.SIGKILL)
    wait_for(lambda: not list(tmp_path.glob("speechmill-airflow-*")), "an empty folder")

    def left() -> list[int]:
        return [one.pid for one in psutil.process_iter() if str(tmp_path) in _marks(one)]

    wait_for(lambda: not left(), "the end of every process")


def test_a_service_that_does_not_live_is_named_with_its_log() -> None:
    with tempfile.TemporaryDirectory(prefix="speechmill-platform-") as folder, socket.socket() as taken:
        Path(folder).chmod(0o711)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, str(SCRIPT), "up", "--folder", folder, "--executor", "local"]
        command += ["--port", f"postgres={taken.getsockname()[1]}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        finally:
            subprocess.run([sys.executable, str(SCRIPT), "down", "--folder", folder], check=True)
        assert done.returncode == 2
        assert f"platform: postgres ended; read {folder}/logs/postgres.log\n" in done.stderr
        assert "Address already in use" in done.stderr


def _marks(process: psutil.Process) -> str:
    try:
        return process.environ().get("SPEECHMILL_PLATFORM", "")
    except psutil.Error:
        return ""
