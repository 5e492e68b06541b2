# SPDX-License-Identifier: Apache-2.0
"""Canonical audio that is gone or broken is made again, or the recording says that it can't be; a run always ends."""

import json
import os
import shutil

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow
RUN = (
    "--language",
    "en",
    "--transcript",
    "sidecar",
    "--diarize",
    "none",
    "--align",
    "none",
    "--filter",
    "none",
    "--workers",
    "1",
)


@pytest.fixture
def folder(tone_corpus):
    return tone_corpus({"a": "one", "b": "two"})


@pytest.fixture
def run(speechmill, folder, tmp_path):
    def go(*more, expect=0, quality="snr", export="none"):
        arguments = ("run", folder, "--out", tmp_path / "out", *RUN, "--quality", quality, "--export", export)
        return json.loads(speechmill(*arguments, "--json", *more, expect=expect, timeout=300).stdout)

    return go


def test_broken_canonical_audio_is_made_again(run, tmp_path):
    run()
    audio = sorted((tmp_path / "out" / "recordings").rglob("*.flac"))
    audio[0].write_bytes(b"fLaC no more")
    again = run(quality="snr,dnsmos")
    assert again["failures"] == []
    assert again["stages"]["normalise"]["processed"] == 1
    rows = pq.read_table(tmp_path / "out" / "dataset" / "segments.parquet").to_pylist(maps_as_pydicts="strict")
    assert [row["scores"]["dnsmos_ovrl"] is None for row in rows] == [False, False]


def test_audio_that_only_an_export_needs_is_made_again(run, tmp_path):
    run()
    shutil.rmtree(tmp_path / "out" / "recordings")
    again = run(export="nemo")
    assert again["stages"]["normalise"]["processed"] == 2
    assert len(list((tmp_path / "out" / "exports" / "nemo").rglob("*.flac"))) == 2


def test_audio_that_cannot_be_made_again_fails_its_recording_and_the_run_ends(run, folder, tmp_path):
    run()
    shutil.rmtree(tmp_path / "out" / "recordings")
    # The disk lost the original's content; size and date are what they were, so intake doesn't look.
    original = folder / "a.wav"
    status = original.stat()
    original.write_bytes(b"x" * status.st_size)
    os.utime(original, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = run(quality="snr,dnsmos", expect=1)
    failed = [(item["stage"], item["reason"]) for item in again["failures"]]
    assert failed == [("quality.dnsmos", "canonical-audio-missing")]
    rows = pq.read_table(tmp_path / "out" / "dataset" / "segments.parquet").to_pylist(maps_as_pydicts="strict")
    assert [row["scores"]["dnsmos_ovrl"] is None for row in rows] == [True, False]


def test_exec_of_a_stage_whose_input_is_missing_says_which_to_run_first(run, speechmill, tmp_path):
    plan = tmp_path / "out" / "runs" / run()["run"]
    for stage in ("segment", "quality.snr"):
        shutil.rmtree(next((tmp_path / "out" / "stages").glob(f"{stage}-*")))
    done = speechmill("exec", "--run", plan, "--stages", "quality", expect=2, timeout=300)
    assert "has no result of segment yet; first: --stages segment" in done.stderr
    speechmill("exec", "--run", plan, "--stages", "segment")
    counts = json.loads(speechmill("exec", "--run", plan, "--stages", "quality").stdout)["stages"]
    assert counts["quality.snr"]["processed"] == 2
