# SPDX-License-Identifier: Apache-2.0
"""What a run measures goes by StatsD, exporter and a real Prometheus into every panel of the dashboard."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.files import DEPLOY
from tests.services.ports import free_port

from speechmill.telemetry.metrics import METRICS
from speechmill.telemetry.statsd import StatsdSink

pytestmark = pytest.mark.system
LABELS = {"stage": "quality.snr", "shard": "00017", "reason": "decode-failed"}
VALUES = {"$__rate_interval": "1m", "$stage": ".*", "$shard": ".*"}
PATIENCE_S = 180


@contextmanager
def running(*commands: Sequence[str | Path]) -> Iterator[None]:
    processes = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for command in commands
    ]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.wait(60)


def get(url: str) -> str:
    """Ask until there is an answer."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def ask(prometheus: str, query: str) -> list[Any]:
    words = urllib.parse.urlencode({"query": query})
    found: list[Any] = json.loads(get(f"{prometheus}/api/v1/query?{words}"))["data"]["result"]
    return found


def queries() -> dict[str, str]:
    board = json.loads((DEPLOY / "grafana/dashboards/speechmill.json").read_text(encoding="utf-8"))
    found = {}
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"]
            for name, value in VALUES.items():
                query = query.replace(name, value)
            found[panel["title"]] = query
    return found


@pytest.mark.parametrize("tagged", [True, False], ids=["tags", "names"])
def test_every_panel_of_the_stages_dashboard_shows_what_is_sent(tmp_path: Path, tagged: bool) -> None:
    if shutil.which("prometheus") is None:
        pytest.skip("no Prometheus (apt-get install prometheus)")
    udp, web, own = free_port(), free_port(), free_port()
    (tmp_path / "targets").mkdir()
    shutil.copy(DEPLOY / "prometheus/prometheus.yml", tmp_path)
    (tmp_path / "targets/here.json").write_text(json.dumps([{"targets": [f"127.0.0.1:{web}"]}]), encoding="utf-8")
    exporter = [sys.executable, DEPLOY / "statsd/exporter.py", f"--statsd.listen-udp=127.0.0.1:{udp}"]
    exporter += [f"--web.listen-address=127.0.0.1:{web}", f"--statsd.mapping-config={DEPLOY / 'statsd/mapping.yml'}"]
    prometheus = ["prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--web.listen-address=127.0.0.1:{own}"]
    prometheus += [f"--storage.tsdb.path={tmp_path / 'data'}", "--log.level=error"]
    with running(exporter, prometheus):
        get(f"http://127.0.0.1:{web}/metrics")
        get(f"http://127.0.0.1:{own}/-/ready")
        sink = StatsdSink("127.0.0.1", udp, tagged=tagged)
        waiting, end = queries(), time.monotonic() + PATIENCE_S
        while waiting and time.monotonic() < end:
            for metric in METRICS:
                sink.send(metric, 3.0, {label: LABELS[label] for label in metric.labels})
            time.sleep(1)
            waiting = {title: query for title, query in waiting.items() if not ask(f"http://127.0.0.1:{own}", query)}
        assert sink.close() is None
        assert waiting == {}, "panels that stay empty"
        (busy,) = ask(f"http://127.0.0.1:{own}", queries()["Share of workers that are busy"])
        assert busy["metric"] == {"shard": "00017"}
        assert float(busy["value"][1]) == 1.0
        (slow,) = ask(f"http://127.0.0.1:{own}", queries()["19 of 20 take up to"])
        assert re.fullmatch(r"quality[._]snr", slow["metric"]["stage"])  # a name has no dots left to give
        assert 1.0 < float(slow["value"][1]) <= 10.0
