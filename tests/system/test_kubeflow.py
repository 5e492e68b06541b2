# SPDX-License-Identifier: Apache-2.0
"""A corpus of real speech by Kubeflow Pipelines' own local runner, and a trial of its Katib experiment."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from tests.orchestrators.kubeflow import environment
from tests.orchestrators.kubeflow.test_templates import FOLDER, command

from speechmill.pipeline.events import read_summary

pytestmark = pytest.mark.system
HOUR = 30 << 20  # a file so large that doesn't say how long it is counts as more than an hour: a shard of its own
# Katib's own, by which its collector reads standard output: pkg/metricscollector/v1beta1/common/const.go
METRIC = re.compile(r"([\w|-]+)\s*=\s*((-?\d+)(\.\d+)?)")


@pytest.fixture
def corpus(tmp_path: Path, shared_data: Path) -> Path:
    """Three recordings with text and one without, in two shards; the program is this environment's."""
    audio = tmp_path / "audio"
    shutil.copytree(shared_data / "librivox_austen", audio, ignore=shutil.ignore_patterns("092*", "093*"))
    shutil.copy(shared_data / "misc" / "jfk.flac", audio / "without_text.flac")
    make_endless(audio / "0870.flac")
    raw = {
        "name": "austen",
        "language": "en",
        "sources": [{"local": {"path": "audio"}}],
        "quality": ["snr"],
        "export": ["jsonl"],
        "store": "kubeflow",
        "orchestrate": {"command": f"{sys.executable} -m speechmill", "parallel": 2},
    }
    (tmp_path / "corpus.yaml").write_text(yaml.safe_dump(raw))
    return tmp_path / "corpus.yaml"


def make_endless(path: Path) -> None:
    """Have a FLAC file not say how long it is (https://www.rfc-editor.org/rfc/rfc9639#section-8.2), and be large."""
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    with path.open("ab") as file:
        file.truncate(HOUR)


def rows(workspace: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(workspace / "dataset" / "segments.parquet").to_pylist()
    return found


def total(run: Any, name: str) -> float:
    """Add up a number of all tasks that give it."""
    return sum(numbers.get(name, 0) for numbers in run["counts"].values())


def test_the_same_rows_as_run_and_nothing_is_done_twice(corpus: Path, speechmill: Callable[..., Any]) -> None:
    folder = corpus.parent
    first = environment.run("run_locally.py", corpus, "", folder / "first")
    assert first["error"] is None, first["error"]
    speechmill("run", corpus, "--out", folder / "local", "--workers", 1)
    assert len(rows(folder / "local")) >= 4
    assert rows(folder / "kubeflow") == rows(folder / "local")
    (run,) = (folder / "kubeflow" / "runs").iterdir()
    assert {"transcribe"} == {name for name, _ in first["done"]} & {"transcribe", "transcribe-given"}
    (report,) = folder.glob("first/*/conclude/report")
    assert report.read_bytes() == (folder / "kubeflow" / "report.html").read_bytes()
    assert [place for place in first["counts"] if place.endswith("-iteration-1/segment")]  # there were two shards
    stages = ("normalise", "vad", "transcribe", "diarize", "segment", "quality.snr", "align")
    assert {stage: total(first, f"{stage} processed") for stage in stages} == dict.fromkeys(stages, 4)

    cached = environment.run("run_locally.py", corpus, "", folder / "first", f"run={run}")
    assert {name for name, _ in cached["done"]} == {"plan", "resume", "finish", "conclude", "judge"}

    again = environment.run("run_locally.py", corpus, "label", folder / "again")  # another run, without kfp's cache
    assert {stage: total(again, f"{stage} processed") for stage in stages[:-1]} == dict.fromkeys(stages[:-1], 0)
    assert {stage: total(again, f"{stage} cached") for stage in stages[:-1]} == dict.fromkeys(stages[:-1], 4)
    summary = read_summary(run)
    assert summary is not None
    assert summary.exit_status == 0


def test_a_trial_of_the_experiment(tmp_path: Path, shared_data: Path) -> None:
    shutil.copytree(shared_data / "librivox_austen", tmp_path / "labelled", ignore=shutil.ignore_patterns("09*"))
    shutil.copy(FOLDER / "tuning.yaml", tmp_path)
    printed = []
    for snr_db in ("0", "60"):
        words = command({"threshold": "0.5", "break-s": "0.8", "snr-db": snr_db})
        words = [sys.executable, *(word.replace("/data", str(tmp_path)) for word in words[1:])]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        printed.append({found[1]: float(found[2]) for found in METRIC.finditer(done.stdout)})
    assert printed[0]["word_f1"] > 0.5
    assert printed[0]["segments_kept"] >= 3
    assert printed[1] == {"word_f1": 0.0, "wer": 1.0, "hours_kept": 0.0, "segments_kept": 0.0}
