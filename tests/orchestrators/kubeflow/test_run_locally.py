# SPDX-License-Identifier: Apache-2.0
"""Pipelines run by kfp's local runner, with a program that answers as speechmill does: what is called when."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.orchestrators.kubeflow import environment

pytestmark = pytest.mark.system
RANGES = ["0..1", "2"]
ALIGNER = ["--set", 'align="pocketsphinx"']  # which the pipeline was made for


class Corpus:
    """A corpus whose program is the stub, and what was asked of it."""

    def __init__(self, folder: Path, **answers: Any) -> None:
        self.folder = folder
        facts = {"untranscribed": 0, "several_speakers": 4}
        (folder / "answers.json").write_text(json.dumps({"ranges": RANGES, "facts": facts, **answers}))
        program = f"{sys.executable} {environment.HERE / 'stub.py'} {folder}"
        orchestrate = {"command": program, "retries": 1, "retry_s": 0, "max_failed": 2}
        raw = {"name": "t", "language": "en", "sources": [{"local": {"path": "audio"}}], "orchestrate": orchestrate}
        self.file = folder / "corpus.yaml"
        self.file.write_text(yaml.safe_dump(raw))

    def run(self, flow: str, *given: str) -> Any:
        return environment.run("run_locally.py", self.file, flow, self.folder / "kfp", *given)

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls.jsonl").read_text().splitlines()]

    def stages(self) -> list[tuple[str, str]]:
        """Stages and shards of each `exec`, in order."""
        done = [call for call in self.calls if call[0] == "exec"]
        return [
            (call[call.index("--stages") + 1], call[call.index("--shard") + 1]) for call in done if "--shard" in call
        ]


def test_all_flows_in_one_run(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    found = corpus.run("")
    assert found["error"] is None
    assert corpus.calls[0] == ["plan", str(corpus.file), "--tasks", "1000", "--json", *ALIGNER]
    assert corpus.calls[-1] == ["conclude", "--run", "R1", "--max-failed", "2", "--json"]
    resumed = [call for call in corpus.calls if call[0] == "plan"][1]
    assert resumed[-2:] == ["--run", "R1"]  # of this very run, though a newer one were there
    order = ["normalise,vad", "transcribe", "diarize", "segment", "quality.snr,quality.dnsmos", "align"]
    assert [stages for stages, _ in corpus.stages()][::2] == order
    assert Counter(corpus.stages()) == Counter((stages, shards) for stages in order for shards in RANGES)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Corpus, Any]:
    corpus = Corpus(tmp_path_factory.mktemp("labelled"))
    return corpus, corpus.run("label", "run=R7")


def test_the_stand_in_runs_where_all_have_text(labelled: tuple[Corpus, Any]) -> None:
    done = {name for name, status in labelled[1]["done"] if status == "SUCCESS"}
    assert done == {"plan", "prepare", "transcribe-given", "diarize", "segment", "quality"}


def test_a_run_that_is_there_is_gone_on_with_as_it_was_planned(labelled: tuple[Corpus, Any]) -> None:
    corpus = labelled[0]
    assert corpus.calls[0] == ["plan", str(corpus.file), "--tasks", "1000", "--json", "--run", "R7"]


def test_a_task_over_shards_tells_its_counts(labelled: tuple[Corpus, Any]) -> None:
    counts = labelled[1]["counts"]
    (numbers,) = [one for place, one in counts.items() if place.endswith("for-loop-1-iteration-1/segment")]
    assert numbers == {"segment processed": 2, "segment cached": 1, "segment failed": 0}


def test_what_was_done_of_a_run_is_not_done_again(labelled: tuple[Corpus, Any]) -> None:
    corpus, first = labelled
    done = len(corpus.stages())
    again = corpus.run("label", "run=R7")
    assert again["outputs"] == first["outputs"] == {"Output": "R7"}
    assert again["done"] == [["plan", "SUCCESS"]]
    assert len(corpus.stages()) == done == 5 * len(RANGES)


def test_parameters_of_a_run_reach_the_plan(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, ranges=[])
    corpus.run(
        "label", "settings=vad.threshold=0.6 'filter=[has_text, snr_db >= 5]'", "since=2026-11-01", "until=2026-11-02"
    )
    given = [*ALIGNER, "--since", "2026-11-01", "--until", "2026-11-02"]
    given += ["--set", "vad.threshold=0.6", "--set", "filter=[has_text, snr_db >= 5]"]
    assert corpus.calls == [["plan", str(corpus.file), "--tasks", "1000", "--json", *given]]


def test_a_task_that_the_infrastructure_failed_is_tried_again(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, fail={"finish": 1}, ranges=[])
    assert corpus.run("align")["error"] is None
    assert sum("finish" in call for call in corpus.calls) == 2


def test_a_task_that_fails_again_ends_the_run(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, fail={"finish": 2}, ranges=[])
    assert "finish" in corpus.run("align")["error"]
    assert not any(call[0] == "conclude" for call in corpus.calls)


def test_too_many_failed_recordings_fail_the_run_and_still_show_the_report(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, status=1, ranges=[])
    found = corpus.run("align")
    assert "'judge'" in found["error"]
    assert sum(call[0] == "conclude" for call in corpus.calls) == 1  # an answer isn't asked for again
    (report,) = tmp_path.glob("kfp/*/conclude/report")
    assert report.read_text() == "<p>report"
    (dataset,) = tmp_path.glob("kfp/*/conclude/dataset")
    assert json.loads(dataset.read_text())["dataset"] == "segments.parquet"
    (counts,) = [numbers for place, numbers in found["counts"].items() if place.endswith("conclude")]
    assert counts == {"failed": 3, "segments": 9, "segments_kept": 7, "hours_kept": 0.25, "recordings": 4}
