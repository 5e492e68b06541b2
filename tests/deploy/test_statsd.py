# SPDX-License-Identifier: Apache-2.0
"""Our own StatsD exporter reads what Airflow and speechmill send, by the mapping that Prometheus's own reads."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "deploy/statsd"


@pytest.fixture(scope="module")
def exporter() -> ModuleType:
    spec = importlib.util.spec_from_file_location("statsd_exporter", FOLDER / "exporter.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for their annotations
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def store(exporter: ModuleType):
    return exporter.Store(exporter.Names((FOLDER / "mapping.yml").read_text(encoding="utf-8")))


def lines(store) -> list[str]:
    return [line for line in store.text().splitlines() if not line.startswith("#")]


def test_tags_become_labels_and_counts_add_up(store):
    store.take(
        b"airflow.ti.finish,dag_id=talks_label,state=success:1|c\nairflow.ti.finish,dag_id=talks_label,state=success:2|c"
    )
    assert lines(store) == ['airflow_ti_finish{dag_id="talks_label",state="success"} 3.0']


def test_a_sampled_count_stands_for_more(store):
    store.take(b"a.b:1|c|@0.25")
    assert lines(store) == ["a_b 4.0"]


def test_tags_of_dogstatsd_are_read(store):
    store.take(b"a.b:2|g|#stage:vad,shard:3..5")
    assert lines(store) == ['a_b{shard="3..5",stage="vad"} 2.0']


def test_gauges_are_set_and_moved(store):
    store.take(b"jobs:5|g\njobs:+2|g\njobs:-1|g")
    assert lines(store) == ["jobs 6.0"]


def test_a_stage_with_a_dot_in_its_name_is_one_label(store):
    store.take(b"speechmill.stage.recordings.quality.snr.00017:3|c")
    assert lines(store) == ['speechmill_stage_recordings_total{shard="00017",stage="quality.snr"} 3.0']


def test_milliseconds_become_a_histogram_of_seconds_with_the_rules_own_buckets(store):
    store.take(b"speechmill.stage.duration.vad.00000:40|ms\nspeechmill.stage.duration.vad.00000:2500|ms")
    shown = lines(store)
    labels = 'shard="00000",stage="vad"'
    assert f'speechmill_stage_duration_seconds_bucket{{{labels},le="0.03"}} 0' in shown
    assert f'speechmill_stage_duration_seconds_bucket{{{labels},le="0.1"}} 1' in shown
    assert f'speechmill_stage_duration_seconds_bucket{{{labels},le="+Inf"}} 2' in shown
    assert f"speechmill_stage_duration_seconds_sum{{{labels}}} 2.54" in shown
    assert f"speechmill_stage_duration_seconds_count{{{labels}}} 2" in shown


def test_what_cannot_be_read_is_counted_and_stops_nothing(store):
    store.take(b"nonsense\na:b|c\n:1|c\na.b:1|x\ngood:1|c\ngood:1|g")
    assert lines(store) == ["good 1.0", "statsd_exporter_samples_error_total 5.0"]


def test_a_label_cannot_break_out_of_its_quotes(store):
    store.take(b'a,file=x"y\\z:1|c')
    assert lines(store) == [r'a{file="x\"y\\z"} 1.0']
