# SPDX-License-Identifier: Apache-2.0
"""Dashboards ask for what is really measured, in words that Prometheus understands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from speechmill.telemetry.metrics import METRICS

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
AIRFLOW = ROOT / ".venv-airflow"
HISTOGRAM = ("_bucket", "_sum", "_count")
WORDS = re.compile(r"\b(?:speechmill|airflow)_[a-z0-9_]+")


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(board: dict[str, Any]) -> Iterator[str]:
    for panel in panels(board):
        yield from (target["expr"] for target in panel["targets"])


def names(board: dict[str, Any]) -> set[str]:
    asked = [*queries(board), *(one["definition"] for one in board["templating"]["list"] if "definition" in one)]
    return {name for query in asked for name in WORDS.findall(query)}


def of_speechmill() -> set[str]:
    found = set()
    for metric in METRICS:
        ends = HISTOGRAM if metric.kind == "histogram" else ("",)
        found |= {metric.prometheus + end for end in ends}
    return found


def of_airflow() -> set[str]:
    """Names as deploy/airflow/airflow.cfg and deploy/statsd/mapping.yml make them of Airflow's own list."""
    lists = list(AIRFLOW.glob("lib/python3*/site-packages/airflow/_shared/observability/metrics/metrics_template.yaml"))
    if not lists:
        pytest.skip("Airflow is not here: make setup-airflow")
    found = set()
    for metric in yaml.safe_load(lists[0].read_text(encoding="utf-8"))["metrics"]:
        name = "airflow_" + re.sub(r"[^a-zA-Z0-9_]", "_", metric["name"])
        found |= {name + end for end in HISTOGRAM} if metric["type"] == "timer" else {name}
    return found


def test_there_is_a_dashboard_of_stages_and_one_of_airflow() -> None:
    assert [path.stem for path in DASHBOARDS] == ["airflow", "speechmill"]


def test_every_metric_of_the_stages_dashboard_is_measured() -> None:
    asked = names(read(DASHBOARDS[1]))
    assert asked - of_speechmill() == set()
    assert {metric.prometheus for metric in METRICS if metric.kind != "histogram"} <= asked, "a metric nobody sees"


def test_every_metric_of_the_airflow_dashboard_is_measured() -> None:
    asked = names(read(DASHBOARDS[0]))
    assert len(asked) > 10
    assert asked - of_airflow() == set()


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_the_four_golden_signals_have_a_row_each(path: Path) -> None:
    rows = [panel["title"] for panel in read(path)["panels"] if panel["type"] == "row"]
    assert rows == ["Latency", "Traffic", "Errors", "Saturation"]


def test_all_signals_are_there_by_stage_and_by_shard() -> None:
    by = {"stage": set[str](), "shard": set[str]()}
    signal = ""
    for panel in read(DASHBOARDS[1])["panels"]:
        signal = panel["title"] if panel["type"] == "row" else signal
        for target in panel.get("targets", ()):
            for label, signals in by.items():
                if f"{{{{{label}}}}}" in target["legendFormat"]:
                    signals.add(signal)
    assert by["stage"] == by["shard"] == {"Latency", "Traffic", "Errors", "Saturation"}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_are_whole_and_do_not_overlap(path: Path) -> None:
    board = read(path)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    for panel in panels(board):
        assert panel["title"]
        assert panel["targets"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert panel["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_variables_of_queries_are_declared(path: Path) -> None:
    board = read(path)
    declared = {variable["name"] for variable in board["templating"]["list"]} | {"__rate_interval"}
    used = {name for query in queries(board) for name in re.findall(r"\$(\w+)", query)}
    assert used <= declared


def test_the_source_of_the_dashboards_is_provisioned() -> None:
    folder = ROOT / "deploy/grafana/provisioning"
    source = yaml.safe_load((folder / "datasources/prometheus.yaml").read_text(encoding="utf-8"))["datasources"][0]
    default = read(DASHBOARDS[0])["templating"]["list"][0]
    assert (default["query"], default["current"]["value"]) == (source["type"], source["uid"])
    provider = yaml.safe_load((folder / "dashboards/files.yaml").read_text(encoding="utf-8"))["providers"][0]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_prometheus_can_read_every_query(path: Path, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here: apt-get install prometheus")
    asked = [re.sub(r"\$__rate_interval", "1m", query) for query in queries(read(path))]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(asked)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {len(asked)} rules found" in done.stdout
