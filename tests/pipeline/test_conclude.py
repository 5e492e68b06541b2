# SPDX-License-Identifier: Apache-2.0
"""A run that is planned, done piece by piece, finished and concluded, as orchestrators do it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from speechmill.pipeline.events import read_summary


@pytest.fixture
def corpus(tone_corpus, tmp_path):
    audio = tone_corpus({"a": "one", "b": "two", "c": "three"})
    (audio / "broken.wav").write_bytes(b"RIFF, and no more")
    raw = {"name": "small", "language": "en", "sources": [{"local": {"path": str(audio)}}], "transcript": ["sidecar"]}
    raw |= {"quality": ["snr"], "align": None, "diarize": None, "export": ["jsonl"]}
    path = tmp_path / "corpus.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def test_piece_by_piece_gives_the_rows_and_the_counts_of_a_run(corpus, speechmill, tmp_path):
    workspace = tmp_path / "pieces"
    planned = json.loads(speechmill("plan", corpus, "--out", workspace, "--json").stdout)
    run = planned["run"]
    assert (planned["recordings"], planned["ranges"]) == (4, ["0"])
    assert planned["facts"] == {"untranscribed": 1, "several_speakers": 0}
    for stages in ("normalise,vad", "transcribe..segment", "quality"):
        speechmill("exec", "--run", run, "--stages", stages, "--shard", "0..0")
    assert "first: speechmill exec" in speechmill("conclude", "--run", run, expect=2).stderr
    speechmill("exec", "--run", run, "--stages", "finish")
    told = json.loads(speechmill("conclude", "--run", run, "--json", expect=1).stdout)
    assert (told["recordings"], told["failed"], told["segments"]) == (4, 1, 3)
    assert json.loads(speechmill("conclude", "--run", run, "--max-failed", "1", "--json").stdout) == told
    assert Path(told["report"]).exists()

    speechmill("run", corpus, "--out", tmp_path / "whole", "--max-failed", "1")
    rows = [pq.read_table(tmp_path / name / "dataset" / "segments.parquet") for name in ("pieces", "whole")]
    assert rows[0].to_pylist() == rows[1].to_pylist()
    mine, whole = (read_summary(next((tmp_path / name / "runs").iterdir())) for name in ("pieces", "whole"))
    assert {name: (count.processed, count.failed) for name, count in mine.stages.items()} == {
        name: (count.processed, count.failed) for name, count in whole.stages.items()
    }


def test_of_two_dates_each_is_worked_on_alone_and_the_dataset_holds_both(corpus, speechmill, tmp_path):
    audio = corpus.parent / yaml.safe_load(corpus.read_text())["sources"][0]["local"]["path"]
    (audio / "broken.wav").unlink()
    table = "path\tdate\na.wav\t2026-11-01\nb.wav\t2026-11-02\nc.wav\t2026-11-02\n"
    (audio / "recordings.tsv").write_text(table)
    counts, segments = [], []
    for since, until in (("2026-11-01", "2026-11-02"), ("2026-11-02", "2026-11-03")):
        plan = speechmill("plan", corpus, "--since", since, "--until", until, "--json")
        run = json.loads(plan.stdout)["run"]
        done = json.loads(speechmill("exec", "--run", run).stdout)["stages"]
        counts.append(done["normalise"]["processed"])
        speechmill("exec", "--run", run, "--stages", "finish")
        segments.append(json.loads(speechmill("conclude", "--run", run, "--json").stdout)["segments"])
    assert counts == [1, 2]
    assert segments == [1, 3]


def test_what_was_never_labelled_is_not_left_out_of_a_dataset_in_silence(corpus, speechmill, tmp_path):
    workspace = tmp_path / "early"
    speechmill("run", corpus, "--out", workspace, "--max-failed", "1")
    before = pq.read_table(workspace / "dataset" / "segments.parquet")
    planned = speechmill("plan", corpus, "--out", workspace, "--set", "vad.threshold=0.7", "--json")
    run = json.loads(planned.stdout)["run"]
    refused = speechmill("exec", "--run", run, "--stages", "finish", expect=2).stderr
    assert "has no result of vad yet; first: --stages vad" in refused
    assert pq.read_table(workspace / "dataset" / "segments.parquet") == before
    speechmill("exec", "--run", run)
    speechmill("exec", "--run", run, "--stages", "finish")
