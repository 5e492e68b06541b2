# SPDX-License-Identifier: Apache-2.0
"""A corpus on Flyte without a cluster: by flytekit's local runner, and by the commands of its containers."""

from __future__ import annotations

import json
import re
import shutil
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from tests.conftest import CommandLine
from tests.orchestrators.flyte.environment import call, package, script
from tests.system.conftest import MakeProject
from tests.system.projects import QUERY

from replica.handle import Replica
from speechmill.pipeline.batches import read_batch

pytestmark = pytest.mark.system

CLIPS = {"1688-142285-0001", "1688-142285-0002"}


@pytest.fixture
def corpus(shared_data: Path, tmp_path: Path) -> Path:
    """Write a corpus file of two clips, whose workspace is beside it."""
    audio = tmp_path / "audio"
    audio.mkdir()
    for clip in CLIPS:
        shutil.copy(shared_data / "librispeech_test_other" / "1688" / f"{clip}.flac", audio)
    fields = {
        "name": "clips",
        "language": "en",
        "sources": [{"local": {"path": str(audio)}}],
        "quality": ["snr"],
        "export": ["jsonl"],
        "store": str(tmp_path / "workspace"),
        "orchestrate": {"command": f"{sys.executable} -m speechmill", "wait_for": str(audio)},
    }
    (tmp_path / "corpus.yaml").write_text(yaml.safe_dump(fields))
    return tmp_path / "corpus.yaml"


def everything(corpus: Path) -> list[str]:
    """Do both flows with `pyflyte run`. Returns what steps did: the words after `speechmill`, without places."""
    module = next((corpus.parent / "rendered").glob("*_flyte.py"))
    done = call("pyflyte", "run", module, "everything", "--corpus", corpus, folder=corpus.parent)
    commands = re.findall(r"^\+ .* -m speechmill (\w+)(?:.* --stages (\S+))?", done.stderr, re.MULTILINE)
    return [" ".join(filter(None, command)) for command in commands]


def rows(workspace: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(workspace / "dataset" / "segments.parquet").to_pylist())


def contained(corpus: Path, packaged: Path, task: str, given: dict[str, Any], *item: object) -> dict[str, Any]:
    """Run the command of a packaged task's container; see contained.py."""
    folder = corpus.parent / "bucket" / uuid.uuid4().hex
    words = (packaged, task, folder, json.dumps(given), *item)
    found: dict[str, Any] = script("contained.py", *words, folder=corpus.parent)
    return found


def test_flyte_gives_the_rows_of_a_run_and_skips_what_the_ledger_has(corpus: Path, speechmill: CommandLine) -> None:
    workspace = corpus.parent / "workspace"
    packaged = package(corpus, corpus.parent)
    label = ["plan", "exec normalise,vad", "exec transcribe", "exec diarize", "exec segment", "exec quality.snr"]
    align = ["plan", "exec align", "exec finish", "conclude"]
    assert everything(corpus) == label + align
    speechmill("run", corpus, "--out", corpus.parent / "alone", "--workers", 1)
    found = rows(workspace)
    assert any(row["words"] for row in found)
    assert found == rows(corpus.parent / "alone")

    assert everything(corpus) == ["plan", "plan", "exec finish", "conclude"]
    shutil.rmtree(next(workspace.rglob("segment-*")))
    assert [command for command in everything(corpus) if command in label[1:]] == label[1:]
    assert rows(workspace) == found

    run = max((workspace / "runs").iterdir())
    concluded = contained(corpus, packaged, "clips.align.conclude", {"run": {"folder": str(run)}})
    report = Path(concluded["report"]["scalar"]["blob"]["uri"])
    assert report.read_bytes() == (workspace / "report.html").read_bytes()
    assert report.is_relative_to(corpus.parent / "bucket")
    assert concluded["dataset"]["scalar"]["blob"]["uri"] == str(workspace / "dataset")
    table = concluded["segments"]["scalar"]["structuredDataset"]
    assert table["uri"] == str(workspace / "dataset" / "segments.parquet")
    assert concluded["counts"]["segments"] == len(found)
    assert concluded["files"] == ["deck.html", "outputs.pb"]


def test_the_containers_of_packaged_tasks_do_a_run(corpus: Path, speechmill: CommandLine) -> None:
    (corpus.parent / "audio" / "broken.flac").write_bytes(b"fLaC")
    packaged = package(corpus, corpus.parent)
    names = script("packaged.py", packaged, folder=corpus.parent)["tasks"]
    (prepare,) = [name for name in names if ".map_clips.label.prepare_" in name]

    asked = {"corpus": str(corpus), "settings": "", "since": "", "until": "", "limit": 0, "run": ""}
    planned = contained(corpus, packaged, "clips.label.plan", asked)
    assert planned["ranges"]["collection"]["literals"] == [{"scalar": {"primitive": {"stringValue": "0"}}}]
    run = planned["run"]["scalar"]["blob"]["uri"]
    whole = {"run": {"folder": run}}
    shares = {**whole, "shards": ["9", "0"], "token": ["a", "b"]}
    counts = contained(corpus, packaged, prepare, shares, 1)["counts"]
    assert counts["shard"] == "0"
    assert (counts["stages"]["normalise"]["processed"], counts["stages"]["normalise"]["failed"]) == (3, 1)
    assert (counts["stages"]["vad"]["processed"], counts["stages"]["vad"]["pending"]) == (2, 1)
    absent = contained(corpus, packaged, prepare, shares, 0)
    assert "ended with status 2" in absent["error"]

    speechmill("exec", "--run", run)
    assert contained(corpus, packaged, "clips.align.finish", whole)["files"] == ["outputs.pb"]
    assert {row["recording_id"].rpartition("-")[0] for row in rows(corpus.parent / "workspace")} == CLIPS
    concluded = contained(corpus, packaged, "clips.align.conclude", whole)
    assert "ended with status 1" in concluded["error"]
    assert concluded["recoverable"] is False
    assert concluded["files"] == ["deck.html", "error.pb"]


def test_flyte_crawls(make_project: MakeProject, start_replica: Callable[..., Replica]) -> None:
    replica = start_replica()
    command = {"command": f"{sys.executable} -m speechmill"}
    project = make_project(replica, sources=[{"youtube": {"search": QUERY, "limit": 2}}], orchestrate=command)
    folder = project.folder
    call("speechmill", "render", "flyte", project.file, "--out", folder / "rendered", folder=folder)
    words = ("run", folder / "rendered" / "talks_flyte.py", "crawl", "--corpus", project.file)
    done = call("pyflyte", *words, folder=folder, variables=project.environment)
    asked = re.findall(r"^\+ .* -m speechmill (.*)$", done.stderr, re.MULTILINE)
    assert asked == [
        f"crawl fetch {project.file} --describe-only --no-wait --json",
        f"crawl fetch {project.file} --no-wait --json",
    ]
    (handed_over,) = [read_batch(project.workspace, choice) for choice in project.corpus.sources]
    assert len(handed_over) == 2
