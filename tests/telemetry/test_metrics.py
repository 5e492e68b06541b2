# SPDX-License-Identifier: Apache-2.0
"""The table of metrics, and that the mapping file for a StatsD exporter has all of it."""

import importlib.util
import sys
from pathlib import Path

import pytest

from speechmill.telemetry import metrics
from speechmill.telemetry.metrics import METRICS, Bounded

STATSD = Path(__file__).parents[2] / "deploy" / "statsd"
MAPPING = STATSD / "mapping.yml"


@pytest.fixture(scope="module")
def exporter():
    """The StatsD exporter of the platform on one machine."""
    spec = importlib.util.spec_from_file_location("statsd_exporter_of_the_platform", STATSD / "exporter.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up there
    spec.loader.exec_module(module)
    return module


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


@pytest.mark.parametrize("tagged", [False, True])
def test_the_mapping_file_brings_every_metric_to_prometheus(tagged, exporter):
    labels = {"stage": "quality.snr", "shard": "00010-00014", "reason": "worker-died"}
    store = exporter.Store(exporter.Names(MAPPING.read_text()))
    for metric in METRICS:
        store.take(f"{metric.statsd(labels, tagged=tagged)}:1|{'g' if metric.kind == 'gauge' else 'c'}".encode())
    lines = store.text().splitlines()
    for metric in METRICS:
        written = ",".join(f'{label}="{labels[label]}"' for label in sorted(metric.labels))
        assert f"{metric.prometheus}{{{written}}} 1.0" in lines


def test_the_gauges_of_a_task_that_was_killed_are_forgotten(exporter, monkeypatch):
    store = exporter.Store(exporter.Names(MAPPING.read_text()))
    store.take(b"speechmill.workers.00001:2|g\nspeechmill.stage.recordings.vad.00001:7|c")
    assert 'speechmill_workers{shard="00001"} 2.0' in store.text()
    now = exporter.time.monotonic()
    monkeypatch.setattr(exporter.time, "monotonic", lambda: now + 61)
    assert "speechmill_workers" not in store.text()
    assert 'speechmill_stage_recordings_total{shard="00001",stage="vad"} 7.0' in store.text()


def test_what_statsd_gives_a_meaning_is_no_part_of_a_name():
    labels = {"stage": "a:b|c,d=e f", "shard": "00001", "reason": ""}
    assert (
        metrics.FAILURES.statsd(labels, tagged=True)
        == "speechmill.stage.failures,stage=a_b_c_d_e_f,shard=00001,reason=_"
    )


def test_a_label_has_no_more_values_than_its_bound():
    bounded = Bounded(2)
    assert [bounded(value) for value in ("a", "b", "c", "a", "d")] == ["a", "b", "other", "a", "other"]
