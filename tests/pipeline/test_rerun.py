# SPDX-License-Identifier: Apache-2.0
"""What is done is never done twice, and a change redoes only what it touches."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

RUN = ("--language", "en", "--transcript", "sidecar", "--diarize", "none", "--align", "none", "--export", "none")


@pytest.fixture
def run(speechmill, tmp_path):
    """Run on a folder into one workspace; returns stage -> (processed, cached)."""

    def go(folder, *more, expect=0):
        done = speechmill("run", folder, "--out", tmp_path / "out", *RUN, "--json", *more, expect=expect)
        stages = json.loads(done.stdout)["stages"]
        return {name: (count["processed"], count["cached"]) for name, count in stages.items()}

    return go


@pytest.fixture
def folder(tone_corpus):
    return tone_corpus({"a": "one", "b": "two", "c": "three"})


def worked(counts):
    return {name for name, (processed, _cached) in counts.items() if processed}


pytestmark = pytest.mark.slow
QUALITY = ("--quality", "snr")


def test_running_again_does_no_stage_work(run, folder, speechmill, tmp_path):
    first = run(folder, *QUALITY)
    assert first["vad"] == (3, 0)
    assert worked(run(folder, *QUALITY)) == set()
    status = json.loads(speechmill("status", tmp_path / "out", "--json").stdout)
    assert {count["processed"] for count in status["stages"].values()} == {0}


def test_another_threshold_reruns_filter_and_export_only(run, folder):
    run(folder, *QUALITY)
    again = run(folder, *QUALITY, "--set", "filter=[snr_db >= 90]", "--export", "rttm")
    assert worked(again) == {"filter", "export.rttm"}


def test_one_more_file_works_on_one_file(run, folder, make_tone):
    run(folder, *QUALITY)
    make_tone(folder / "d.wav", 3.0, 300.0)
    (folder / "d.txt").write_text("four")
    again = run(folder, *QUALITY)
    assert {again[stage] for stage in ("normalise", "vad", "segment", "quality.snr")} == {(1, 3)}


def test_changing_the_vad_threshold_reruns_vad_and_what_reads_it(run, folder):
    run(folder, *QUALITY)
    again = run(folder, *QUALITY, "--set", "vad.threshold=0.6")
    assert again["normalise"] == (0, 3)
    assert worked(again) >= {"vad", "transcribe", "diarize", "segment", "quality.snr"}


def test_an_added_metric_computes_that_metric(run, folder):
    run(folder, *QUALITY)
    assert worked(run(folder, "--quality", "snr,dnsmos")) == {"quality.dnsmos", "filter"}


def test_an_edited_sidecar_redoes_its_recording_only(run, folder, tmp_path):
    run(folder, *QUALITY)
    (folder / "b.txt").write_text("two, edited")
    again = run(folder, *QUALITY)
    assert again["segment"] == (1, 2)
    texts = pq.read_table(tmp_path / "out" / "dataset" / "segments.parquet")["text"].to_pylist()
    assert texts == ["one", "two, edited", "three"]


def test_equal_content_is_worked_once_and_equal_audio_with_other_text_twice(run, folder, tmp_path):
    shutil.copy(folder / "a.wav", folder / "a2.wav")
    shutil.copy(folder / "a.txt", folder / "a2.txt")
    shutil.copy(folder / "b.wav", folder / "b2.wav")
    (folder / "b2.txt").write_text("another text")
    counts = run(folder, *QUALITY)
    assert counts["vad"] == (4, 0)
    rows = pq.read_table(tmp_path / "out" / "dataset" / "recordings.parquet").to_pylist()
    aliases = {row["id"].rsplit("-")[0]: row["alias_of"] for row in rows}
    assert aliases["a2"].startswith("a-")
    assert [aliases[name] for name in ("a", "b", "b2", "c")] == [None] * 4
    texts = pq.read_table(tmp_path / "out" / "dataset" / "segments.parquet")["text"].to_pylist()
    assert texts == ["one", "two", "another text", "three"]


def test_lost_canonical_audio_is_made_again_when_it_is_needed(run, folder, tmp_path):
    run(folder, *QUALITY)
    shutil.rmtree(tmp_path / "out" / "recordings")
    again = run(folder, "--quality", "snr,dnsmos")
    assert again["normalise"][0] == 3
    assert again["quality.dnsmos"] == (3, 0)


def test_a_corrupt_part_is_made_again_and_named(run, folder, tmp_path, speechmill):
    run(folder, *QUALITY)
    part = next((tmp_path / "out" / "stages").glob("quality.snr-*/*/*.parquet"))
    lost = pq.read_metadata(part).num_rows  # of three, where the machine was not too busy
    part.write_bytes(b"PAR1 not any more")
    again = run(folder, *QUALITY)
    assert again["quality.snr"] == (lost, 3 - lost)
    status = json.loads(speechmill("status", tmp_path / "out", "--json").stdout)
    assert part.name in status["warnings"][0]


def test_limit_takes_the_first_recordings(run, folder):
    assert run(folder, *QUALITY, "--limit", "2")["vad"] == (2, 0)
    assert run(folder, *QUALITY)["vad"] == (1, 2)


def test_dry_run_says_what_it_would_take_and_does_nothing(speechmill, folder, tmp_path):
    done = speechmill("run", folder, "--out", tmp_path / "out", *RUN, "--dry-run", "--json")
    found = json.loads(done.stdout)
    assert found["recordings"] == 3
    assert found["audio_h"] == pytest.approx((2.0 + 2.25 + 2.5) / 3600, abs=1e-3)
    assert not (tmp_path / "out" / "stages").exists()


def test_exec_does_a_shard_and_a_range_of_stages(speechmill, run, folder, tmp_path, make_tone):
    run(folder, *QUALITY)
    make_tone(folder / "d.wav", 3.0, 300.0)
    # A plan for four recordings, made by a run that may work on none.
    speechmill("run", folder, "--out", tmp_path / "out", *RUN, *QUALITY, "--set", "vad.threshold=0.7", "--limit", "3")
    plan = sorted((tmp_path / "out" / "runs").iterdir())[-1]
    shutil.rmtree(next((tmp_path / "out" / "stages").glob("quality.snr-*")))
    for stages in ("vad..transcribe", "quality"):
        done = speechmill("exec", "--run", plan, "--stages", stages, "--shard", "0")
        counts = json.loads(done.stdout)["stages"]
        assert all(count["processed"] + count["cached"] == 3 for count in counts.values())
    assert json.loads(speechmill("exec", "--run", plan, "--stages", "finish").stdout)["stages"]["filter"]
