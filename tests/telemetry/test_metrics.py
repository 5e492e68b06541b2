# SPDX-License-Identifier: Apache-2.0
"""The table of metrics, and that the mapping file for a StatsD exporter has all of it."""

from pathlib import Path

import yaml

from speechmill.telemetry import metrics
from speechmill.telemetry.metrics import METRICS, Bounded

MAPPING = Path(__file__).parents[2] / "deploy" / "statsd" / "mapping.yml"


def test_the_four_golden_signals_are_there_for_each_stage_and_shard():
    for signal in ("latency", "traffic", "errors", "saturation"):
        assert any({"stage", "shard"} <= set(m.labels) for m in METRICS if m.signal == signal), signal


def test_a_recording_is_never_a_label():
    assert {label for metric in METRICS for label in metric.labels} == {"stage", "shard", "reason"}


def test_names_of_prometheus_have_units():
    assert [metric.prometheus for metric in METRICS] == [
        "speechmill_stage_duration_seconds",
        "speechmill_stage_recordings_total",
        "speechmill_stage_audio_seconds_total",
        "speechmill_stage_cpu_seconds_total",
        "speechmill_stage_failures_total",
        "speechmill_workers",
        "speechmill_workers_busy",
        "speechmill_recordings_waiting",
        "speechmill_memory_bytes",
    ]


def test_the_mapping_file_has_every_metric_in_both_styles():
    rules = yaml.safe_load(MAPPING.read_text())["mappings"]
    by_match = {rule["match"]: rule for rule in rules}
    for metric in METRICS:
        assert by_match[metric.name]["name"] == metric.prometheus
        plain = by_match[metric.name + ".*" * len(metric.labels)]
        assert plain["name"] == metric.prometheus
        assert plain["labels"] == {label: f"${i + 1}" for i, label in enumerate(metric.labels)}
    exact = [i for i, rule in enumerate(rules) if rule["match"] in {metric.name for metric in METRICS}]
    globs = [i for i, rule in enumerate(rules) if rule["match"].startswith("speechmill.") and "*" in rule["match"]]
    assert max(exact) < min(globs), "speechmill.workers.* must not take speechmill.workers.busy"


def test_what_statsd_gives_a_meaning_is_no_part_of_a_name():
    labels = {"stage": "a:b|c,d=e f", "shard": "00001", "reason": ""}
    assert metrics.FAILURES.statsd(labels) == "speechmill.stage.failures,stage=a_b_c_d_e_f,shard=00001,reason=_"


def test_a_label_has_no_more_values_than_its_bound():
    bounded = Bounded(2)
    assert [bounded(value) for value in ("a", "b", "c", "a", "d")] == ["a", "b", "other", "a", "other"]
