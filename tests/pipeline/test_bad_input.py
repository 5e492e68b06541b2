# SPDX-License-Identifier: Apache-2.0
"""Bad input: each gives a clear reason in status and report, and the rest of the run is finished."""

import json
import os
import shutil
import subprocess
import sys

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from speechmill.formats.manifest import write_parquet

pytestmark = pytest.mark.slow
RUN = ("--language", "en", "--transcript", "sidecar", "--diarize", "none", "--align", "none", "--quality", "snr")
ODD = 'nó\'s "lạ"\nhai dòng'


def encode(path, codec, seconds=4.0, rate=16_000, layout="mono"):
    """Encode a tone with PyAV."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate)
        stream.layout = layout
        channels = len(stream.layout.channels)
        tone = np.sin(2 * np.pi * 200 * np.arange(int(seconds * rate)) / rate)
        planes = np.repeat((0.3 * tone * 32767).astype(np.int16)[None], channels, axis=0)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes.T).reshape(1, -1), format="s16", layout=layout)
        frame.rate = rate
        resampler = av.AudioResampler(stream.codec_context.format, layout, rate)
        fifo = av.AudioFifo()
        for converted in resampler.resample(frame):
            fifo.write(converted)
        size = stream.codec_context.frame_size or 1024
        while (piece := fifo.read(size, partial=True)) is not None:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))


@pytest.fixture(scope="module")
def bad(tmp_path_factory, speechmill, make_tone):
    """One run over everything bad at once; returns workspace, status and segments by stem."""
    base = tmp_path_factory.mktemp("bad")
    folder = base / "audio"
    folder.mkdir()
    make_tone(folder / "good.wav", 3.0)
    (folder / "good.txt").write_text("a good one")
    (folder / "zero.wav").write_bytes(b"")
    (folder / "text.wav").write_text("this is not audio at all, it only says so\n" * 40)
    encode(folder / "whole.m4a", "aac")
    whole = (folder / "whole.m4a").read_bytes()
    (folder / "cut.m4a").write_bytes(whole[: len(whole) // 2])
    write_silence(folder / "silence.wav", 3.0)
    encode(folder / "mulaw.wav", "pcm_mulaw", rate=8_000)
    encode(folder / "surround.flac", "flac", rate=48_000, layout="5.1")
    encode(folder / "delayed.mp3", "libmp3lame", rate=44_100)
    make_tone(folder / f"{ODD}.wav", 3.0)
    (folder / f"{ODD}.txt").write_text("<script>alert('xss')</script>", encoding="utf-8")
    make_tone(folder / "broken-text.wav", 3.0)
    (folder / "broken-text.txt").write_bytes(b"caf\xe9 \xff")
    (folder / "dangling.wav").symlink_to(folder / "nowhere.wav")
    (folder / "loop").symlink_to(folder)
    for stem in ("mulaw", "surround", "delayed", "silence", "whole"):
        (folder / f"{stem}.txt").write_text(f"text of {stem}")
    out = base / "out"
    # Six are broken for good: that many may fail.
    speechmill(
        "run", folder, "--out", out, *RUN, "--filter", "none", "--export", "huggingface,textgrid", "--max-failed", "6"
    )
    status = json.loads(speechmill("status", out, "--json").stdout)
    rows = pq.read_table(out / "dataset" / "segments.parquet").to_pylist()
    return out, status, {row["recording_id"].rsplit("-", 1)[0]: row for row in rows}


def write_silence(path, seconds):
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * int(16_000 * seconds)))


def test_each_bad_file_has_its_reason(bad):
    _out, status, _rows = bad
    reasons = {item["recording_id"].rsplit("-", 1)[0]: (item["stage"], item["reason"]) for item in status["failures"]}
    assert reasons.pop("cut")[0] == "normalise"
    assert reasons == {
        "zero": ("normalise", "zero-bytes"),
        "text": ("normalise", "not-audio"),
        "broken-text": ("transcribe", "broken-utf8"),
        "dangling": ("intake", "missing"),
    }


def test_odd_but_whole_files_are_in_the_dataset(bad):
    _out, _status, rows = bad
    for stem in ("good", "mulaw", "surround", "delayed", "whole"):
        assert rows[stem]["text"] == ("a good one" if stem == "good" else f"text of {stem}")


def test_a_loop_of_links_finds_each_file_once(bad):
    _out, status, rows = bad
    assert status["recordings"] == 12
    assert len([stem for stem in rows if stem.startswith("good")]) == 1


def test_a_name_with_quotes_newlines_and_vietnamese_is_kept_safe(bad):
    out, _status, rows = bad
    (row,) = [row for row in rows.values() if row["text"].startswith("<script>")]
    assert "\n" not in row["recording_id"]
    assert "lạ" in row["recording_id"]
    assert (out / "exports" / "textgrid").is_dir()


def test_a_script_in_a_transcript_stays_text_in_the_report(bad):
    page = (bad[0] / "report.html").read_text(encoding="utf-8")
    assert "<script>alert('xss')</script>" not in page
    assert "alert(" in page
    for reason in ("zero-bytes", "not-audio", "broken-utf8"):
        assert reason in page


def test_silence_is_noted_and_not_a_failure(tmp_path, speechmill):
    folder = tmp_path / "audio"
    folder.mkdir()
    write_silence(folder / "silence.wav", 3.0)
    done = speechmill("run", folder, "--out", tmp_path / "out", *RUN)
    assert "no speech found" in done.stdout


def test_two_runs_on_one_workspace(tmp_path, speechmill, tone_corpus):
    folder = tone_corpus({"a": "one"})
    out = tmp_path / "out"
    speechmill("run", folder, "--out", out, *RUN)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    done = speechmill("run", folder, "--out", out, *RUN, expect=2)
    assert "is held by process" in done.stderr
    holder.kill()
    holder.communicate()
    speechmill("run", folder, "--out", out, *RUN)


HOLD = """
import sys
from pathlib import Path
from speechmill.store.workspace import Workspace
with Workspace.open(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_workspace_of_another_version_is_refused(tmp_path, speechmill, tone_corpus):
    folder = tone_corpus({"a": "one"})
    speechmill("run", folder, "--out", tmp_path / "out", *RUN)
    (tmp_path / "out" / "workspace.json").write_text('{"speechmill_schema": "99"}')
    done = speechmill("run", folder, "--out", tmp_path / "out", *RUN, expect=2)
    assert "schema version 99" in done.stderr


def test_a_folder_that_is_no_workspace_is_left_alone(tmp_path, speechmill, tone_corpus):
    folder = tone_corpus({"a": "one"})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("keep")
    done = speechmill("run", folder, "--out", tmp_path / "mine", *RUN, expect=2)
    assert "not empty and not a workspace" in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["precious.txt"]


def test_an_output_that_cannot_be_written_is_refused(tmp_path, speechmill, tone_corpus):
    folder = tone_corpus({"a": "one"})
    (tmp_path / "file").write_text("in the way")
    done = speechmill("run", folder, "--out", tmp_path / "file" / "out", *RUN, expect=2)
    assert "can't be written" in done.stderr


def test_a_source_that_does_not_exist_is_refused(tmp_path, speechmill):
    assert "does not exist" in speechmill("run", tmp_path / "nowhere", expect=2).stderr


def test_a_language_nobody_knows_is_refused_before_work_starts(tmp_path, speechmill, tone_corpus):
    folder = tone_corpus({"a": "một"})
    done = speechmill(
        "run", folder, "--out", tmp_path / "out", "--language", "vi", "--transcript", "pocketsphinx", expect=2
    )
    assert "'pocketsphinx' does not know the language 'vi'; backends that do: faster_whisper" in done.stderr
    assert "speechmill list asr --language vi" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None, reason="needs root"
)
def test_a_full_disk_stops_the_run_and_the_next_one_goes_on(tmp_path, speechmill, tone_corpus):
    folder = tone_corpus({f"r{i}": f"text {i}" for i in range(8)})
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("no right to mount a small disk here")
    try:
        done = speechmill("run", folder, "--out", small / "out", *RUN, "--export", "none", expect=2)
        assert "disk is full" in done.stderr
        assert json.loads(speechmill("status", small / "out", "--json").stdout)["state"] in (
            "stopped",
            "running-or-killed",
        )
        subprocess.run(["mount", "-o", "remount,size=60m", str(small)], check=True)
        again = json.loads(speechmill("run", folder, "--out", small / "out", *RUN, "--export", "none", "--json").stdout)
        assert again["stages"]["segment"]["processed"] + again["stages"]["segment"]["cached"] == 8
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_part_of_another_schema_version_is_refused(tmp_path, speechmill, tone_corpus):
    folder = tone_corpus({"a": "one"})
    speechmill("run", folder, "--out", tmp_path / "out", *RUN)
    part = next((tmp_path / "out" / "stages").glob("vad-*/*/*.parquet"))
    table = pq.read_table(part)
    write_parquet(part, table)
    pq.write_table(table.replace_schema_metadata({b"speechmill.schema": b"0"}), part)
    assert "schema version 0" in speechmill("run", folder, "--out", tmp_path / "out", *RUN, expect=2).stderr
