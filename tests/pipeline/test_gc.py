# SPDX-License-Identifier: Apache-2.0
"""What no run needs goes, what the newest one needs stays; many parts become one."""

from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from msgspec import structs
from tests.engines.noop import plan_in

from speechmill import api
from speechmill.pipeline import gc, record
from speechmill.store import ledger, made
from speechmill.store.workspace import Workspace

pytestmark = pytest.mark.slow
SETTINGS = {
    "language": "en",
    "transcript": ["sidecar"],
    "diarize": "none",
    "align": None,
    "quality": ["snr"],
    "filter": "none",
    "export": ["rttm"],
}


@pytest.fixture
def folder(tone_corpus):
    return tone_corpus({"a": "one", "b": "two", "c": "three"})


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def worked(summary):
    return {name for name, count in summary.stages.items() if count.processed}


def run(folder, out, **more):
    return api.run(folder, out, settings={**SETTINGS, **more}, workers=1)


def names(out, kind):
    return {path.name.split("-")[0] for path in (out / "stages").glob(f"{kind}-*")}


def rows(out):
    return pq.read_table(out / "dataset" / "segments.parquet").to_pylist(maps_as_pydicts="strict")


def collect(out):
    return gc.collect(Workspace.open(out))


def test_results_of_other_settings_go_and_the_newest_runs_stay(folder, out, speechmill):
    run(folder, out)
    run(folder, out, **{"vad.threshold": 0.6})
    before, kept = rows(out), sorted(path.name for path in (out / "stages").iterdir())
    assert sum(name.startswith("vad-") for name in kept) == 2
    would = speechmill("gc", out, "--dry-run").stdout
    assert "would go" in would
    assert sorted(path.name for path in (out / "stages").iterdir()) == kept
    assert "deleted" in speechmill("gc", out).stdout
    stages = sorted(path.name.rpartition("-")[0] for path in (out / "stages").iterdir())
    assert stages == ["diarize", "normalise", "quality.snr", "segment", "transcribe", "vad"]
    assert len(list((out / "tables").iterdir())) == 4  # of both versions
    assert len(list((out / "decisions").iterdir())) == 2
    assert worked(run(folder, out, **{"vad.threshold": 0.6})) == set()
    assert rows(out) == before
    assert collect(out) == []


def test_a_dataset_that_was_filtered_again_survives(folder, out):
    run(folder, out)
    index = api.filter(out, ["num_chars >= 4"])
    gc.delete(collect(out))
    assert [row["text"] for row in rows(out) if not row["drops"]] == ["three"]
    assert index.decisions_path(Workspace.open(out)).exists()
    assert worked(run(folder, out)) == {"filter"}
    assert worked(run(folder, out, filter=["num_chars >= 4"])) <= {"filter", "export.rttm"}


def test_leftovers_of_a_crash_go(folder, out):
    run(folder, out)
    stray = [out / "recordings" / ".tmp-123.flac", next((out / "stages").iterdir()) / "00000" / "x.corrupt"]
    orphan = out / "recordings" / "v1" / "zz" / "nobody-0.flac"
    orphan.parent.mkdir()
    for path in (*stray, orphan):
        path.write_bytes(b"left behind")
    assert sorted(collect(out)) == sorted([*stray, orphan])
    gc.delete(collect(out))
    assert not any(path.exists() for path in (*stray, orphan))
    assert len(list((out / "recordings").rglob("*.flac"))) == 3
    assert worked(run(folder, out)) == set()


def test_a_workspace_without_a_run_has_only_leftovers(out):
    workspace = Workspace.create(out)
    (out / ".tmp-1").write_bytes(b"x")
    assert gc.collect(workspace) == [out / ".tmp-1"]


def test_a_run_compacts_many_parts_and_gc_deletes_what_they_were(folder, out, monkeypatch):
    monkeypatch.setattr(record, "FLUSH_RECORDINGS", 1)
    monkeypatch.setattr(ledger, "COMPACT_ABOVE", 2)
    run(folder, out)
    parts = sorted(next((out / "stages").glob("vad-*")).rglob("*.parquet"))
    assert [path.name.endswith(".compact.parquet") for path in parts].count(True) == 1
    assert len(parts) == 4
    before = rows(out)
    doomed = collect(out)
    assert len([path for path in doomed if path.parent.parent.name.startswith("vad-")]) == 3
    gc.delete(doomed)
    assert len(list((out / "stages").rglob("*.parquet"))) == 6
    assert worked(run(folder, out)) == set()
    assert worked(run(folder, out, quality=["snr", "dnsmos"])) == {"quality.dnsmos", "filter", "export.rttm"}
    assert [row["id"] for row in rows(out)] == [row["id"] for row in before]


def test_the_model_that_the_newest_run_was_planned_with_stays(tmp_path):
    plan = plan_in(tmp_path)
    first, *rest = plan.nodes
    plan = structs.replace(plan, nodes=(structs.replace(first, trainer="trainer", model="planned"), *rest))
    workspace = Workspace.open(Path(plan.workspace))
    (workspace.runs / plan.run / "plan.json").write_bytes(msgspec.json.encode(plan))
    for model in ("planned", "pinned", "unused"):
        (workspace.models / model).mkdir(parents=True)
    made.pin(workspace.models, "trainer", "pinned")  # by a run that was planned before and trained later
    assert gc.collect(workspace) == [workspace.models / "unused"]
