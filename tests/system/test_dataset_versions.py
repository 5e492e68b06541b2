# SPDX-License-Identifier: Apache-2.0
"""Runs on the demo corpus, each with one change: `dataset diff` names its cause, and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

RUN = ("--quality", "snr", "--export", "none", "--max-failed", "9", "--diarize", "none", "--set", "align=null")
KEPT = "filter=[num_chars >= 1]"


@pytest.fixture
def corpus(tmp_path: Path, speechmill: Callable[..., Any]) -> Path:
    """Make the demo corpus, with less to recognise: one short reading, and that without its text."""
    pytest.importorskip("espeakng_loader", reason="no espeak-ng: pip install 'speechmill[demo]'")
    speechmill("demo", "--out", tmp_path, "--only-make")
    folder = tmp_path / "corpus"
    (folder / "english_talk.flac").unlink()
    (folder / "english_read.txt").unlink()
    return folder


def test_each_cause_is_named_rightly(corpus: Path, speechmill: Callable[..., Any]) -> None:
    out = corpus.parent / "workspace"

    def run(*more: str) -> None:
        speechmill("run", corpus / "corpus.yaml", *RUN, *(more or ("--set", KEPT)))

    def diff(before: int, after: int) -> Any:
        return json.loads(speechmill("dataset", "diff", out, before, after, "--segments", "1", "--json").stdout)

    def causes(before: int, after: int) -> list[str]:
        found = diff(before, after)
        assert found["compared"]
        return sorted({f"{one['kind']}: {one['what']}" for effect in found["effects"] for one in effect["causes"]})

    recording = corpus / "tieng_viet.m4a"
    aside = recording.rename(corpus.parent / recording.name)
    run()
    aside.rename(recording)
    run()
    assert causes(1, 2) == ["new audio: "]

    run("--set", "filter=[num_chars >= 40]")
    assert causes(2, 3) == ["rules: num_chars >= 1 -> num_chars >= 40"]

    run("--set", KEPT, "--set", "transcript=[sidecar]")
    assert causes(2, 4) == ["stage: transcribe: sidecar, pocketsphinx -> sidecar"]
    (recognised,) = diff(2, 4)["segments"]

    table = corpus.parent / "corrections.csv"
    table.write_text(f"segment,text\n{recognised['id']},what was really said here\n", encoding="utf-8")
    run()  # the dataset that the correction is of
    speechmill("corrections", "import", table, "--workspace", out)
    run()
    assert causes(2, 6) == causes(5, 6) == ["correction: "]

    log = json.loads(speechmill("dataset", "log", out, "--json").stdout)
    assert [entry["number"] for entry in log] == [1, 2, 3, 4, 5, 6]
    assert "2 -> 6" in speechmill("dataset", "diff", out, "2").stdout
