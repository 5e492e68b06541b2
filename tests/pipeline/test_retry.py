# SPDX-License-Identifier: Apache-2.0
"""A failure for good is a result: it is asked for again only where somebody asks, or the file is another one."""

import json

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow
RUN = ("--language", "en", "--transcript", "sidecar", "--diarize", "none", "--align", "none", "--quality", "none")


def test_a_permanent_failure_is_cached_until_it_is_asked_for(speechmill, tone_corpus, tmp_path, make_tone):
    folder, out = tone_corpus({"good": "one", "bad": "two"}), tmp_path / "out"
    (folder / "bad.wav").write_bytes(b"not audio")

    def run(*more, expect=1):
        arguments = ("run", folder, "--out", out, *RUN, "--filter", "none", "--export", "none", "--json", *more)
        return json.loads(speechmill(*arguments, expect=expect).stdout)["stages"]["normalise"]

    first = run()
    assert (first["processed"], first["failed"]) == (2, 1)
    assert run()["processed"] == 0
    assert run("--retry-failed")["processed"] == 1
    assert run()["processed"] == 0
    make_tone(folder / "bad.wav", 2.0)
    assert run(expect=0)["processed"] == 1
    assert pq.read_table(out / "dataset" / "segments.parquet")["text"].to_pylist() == ["two", "one"]


def test_without_metrics_and_transcripts_every_turn_is_a_segment(speechmill, shared_data, tmp_path):
    """Nothing is scored and nothing is said: what is left is where speech is. All exports can still be made."""
    arguments = ("--language", "vi", "--transcript", "none", "--quality", "none", "--align", "none", "--filter", "none")
    exports = ("--export", "huggingface,lhotse,nemo,textgrid,rttm")
    source = shared_data / "two_speakers" / "sample.flac"
    speechmill("run", source, "--out", tmp_path / "out", *arguments, *exports)
    rows = pq.read_table(tmp_path / "out" / "dataset" / "segments.parquet").to_pylist(maps_as_pydicts="strict")
    assert len(rows) > 2
    assert {row["text"] for row in rows} == {None}
    assert len({row["speaker"] for row in rows}) > 1
    assert not any(row.get("scores") for row in rows)
    (lines,) = [path.read_text().splitlines() for path in (tmp_path / "out" / "exports" / "rttm").glob("*.rttm")]
    assert len(lines) == len(rows)


def test_a_folder_without_audio_is_refused(speechmill, tmp_path):
    (tmp_path / "audio").mkdir()
    done = speechmill("run", tmp_path / "audio", "--out", tmp_path / "out", "--language", "en", expect=2)
    assert f"no recordings found by local (path: {tmp_path / 'audio'})" in done.stderr
