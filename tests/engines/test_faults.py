# SPDX-License-Identifier: Apache-2.0
"""A worker that is killed, crashes, hangs or runs out of memory costs its own recording, no other."""

import json

import pyarrow.parquet as pq
import pytest
from tests.engines.faults import RUN, install


@pytest.fixture
def plugin(tmp_path):
    return install(tmp_path / "site")


def run(speechmill, folder, out, plugin, *more, expect):
    arguments = ("run", folder, "--out", out, *RUN, "--export", "none", "--filter", "none", "--json", *more)
    return speechmill(*arguments, env=plugin, expect=expect)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("segfault", "worker-died"),
        ("killed", "worker-died"),
        ("hang", "timeout"),
        ("memory", "out-of-memory"),
        ("exit", "error-SystemExit"),
    ],
)
@pytest.mark.system
def test_a_fault_costs_only_its_recording(speechmill, tone_corpus, tmp_path, plugin, fault, reason):
    folder = tone_corpus({"a": "fine", "b": fault, "c": "fine", "d": "fine"})
    # Room for the worker itself, and an end to hoarding long before the machine is full.
    more = ("--memory", "1200", "--workers", "2", *(("--timeout", "6") if fault == "hang" else ()))
    summary = json.loads(run(speechmill, folder, tmp_path / "out", plugin, *more, expect=1).stdout)
    assert [(f["recording_id"][0], f["stage"], f["reason"]) for f in summary["failures"]] == [
        ("b", "quality.faults", reason)
    ]
    assert summary["failures"][0]["attempts"] == 2
    rows = pq.read_table(tmp_path / "out" / "dataset" / "segments.parquet").to_pylist(maps_as_pydicts="strict")
    scores = {row["text"]: row["scores"]["fault"] for row in rows}
    assert scores == {"fine": 0.5, fault: None}
    assert next(row["gaps"] for row in rows if row["text"] == fault) == {"quality.faults": f"failed: {reason}"}
    # Quarantined now: asking again does no work, unless it is asked for.
    again = json.loads(run(speechmill, folder, tmp_path / "out", plugin, *more, expect=1).stdout)
    assert again["stages"]["quality.faults"]["processed"] == 0


@pytest.mark.system
def test_a_bug_and_a_nan_are_named_gaps(speechmill, tone_corpus, tmp_path, plugin):
    folder = tone_corpus({"a": "bug", "b": "nan", "c": "fine"})
    run(speechmill, folder, tmp_path / "out", plugin, "--max-failed", "1", expect=0)
    rows = pq.read_table(tmp_path / "out" / "dataset" / "segments.parquet").to_pylist(maps_as_pydicts="strict")
    assert {row["text"]: (row["scores"]["fault"], row["gaps"]) for row in rows} == {
        "bug": (None, {"quality.faults": "failed: error-ValueError"}),
        "nan": (None, {"quality.faults": "not-finite: fault"}),
        "fine": (0.5, {}),
    }
