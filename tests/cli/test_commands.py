# SPDX-License-Identifier: Apache-2.0
"""Every command on a small finished workspace: status 0 and results to stdout, 2 and a reason to stderr."""

import json
import shutil
from pathlib import Path

import click
import pyarrow.parquet as pq
import pytest

from speechmill.cli.main import COMMANDS, Commands

RUN = ("--language", "en", "--transcript", "sidecar", "--diarize", "none", "--align", "none", "--quality", "snr")
TEXTS = {"a": "one two three", "b": "x", "c": "four five six"}  # b: one letter in two seconds is too slow a speech


@pytest.fixture(scope="module")
def finished(speechmill, make_tone, tmp_path_factory):
    """A workspace with three segments, one of them dropped. Tests that write take a copy."""
    base = tmp_path_factory.mktemp("commands")
    (base / "audio").mkdir()
    for i, (name, text) in enumerate(TEXTS.items()):
        make_tone(base / "audio" / f"{name}.wav", 2.0 + 0.25 * i, 150.0 + 20.0 * i)
        (base / "audio" / f"{name}.txt").write_text(text)
    speechmill("run", base / "audio", "--out", base / "out", *RUN, "--export", "none")
    return base / "out"


@pytest.fixture
def workspace(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "out"))


def rows(workspace):
    path = workspace / "dataset" / "segments.parquet"
    found = pq.read_table(path).to_pylist(maps_as_pydicts="strict")
    return {row["recording_id"].rpartition("-")[0]: row for row in found}


def kept(workspace):
    return "".join(name for name, row in rows(workspace).items() if not row["drops"])


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_has_one_line_and_an_example_to_copy(name):
    command = Commands().get_command(click.Context(Commands("speechmill")), name)
    help_text = command.get_help(click.Context(command, info_name=f"speechmill {name}"))
    assert f"  speechmill {name}" in help_text.split("\n", 1)[1]
    assert command.get_short_help_str(200)


def test_an_unknown_command_suggests_the_nearest(speechmill):
    done = speechmill("exprot", expect=2)
    assert "No such command 'exprot'. Did you mean 'export'?" in done.stderr


def test_a_corpus_file_made_by_init_can_be_planned(speechmill, make_tone, tmp_path):
    speechmill("init", tmp_path / "corpus.yaml", "--language", "en")
    (tmp_path / "audio").mkdir()
    make_tone(tmp_path / "audio" / "a.wav", 3.6)
    done = speechmill("run", tmp_path / "corpus.yaml", "--dry-run")
    assert "1 recordings, 0.00 h of audio" in done.stdout
    found = json.loads(speechmill("run", tmp_path / "corpus.yaml", "--dry-run", "--json").stdout)
    assert found["audio_h"] == 0.001
    assert [stage["recordings"] for stage in found["stages"]] == [1] * len(found["stages"])
    refused = speechmill("init", tmp_path / "corpus.yaml", expect=2)
    assert "exists already" in refused.stderr


def test_init_prints_the_schema(speechmill):
    schema = json.loads(speechmill("init", "--schema").stdout)
    assert schema["$defs"]["CorpusFile"]["required"] == ["sources"]


def test_models_are_listed_shown_and_found(speechmill):
    listed = speechmill("models", "list").stdout
    assert [name for name in ("dnsmos", "dvector", "pocketsphinx-en", "silero-vad-v6.2") if name not in listed] == []
    shown = speechmill("models", "show", "silero-vad-v6.2").stdout
    assert "MIT" in shown
    assert Path(speechmill("models", "path", "silero-vad-v6.2").stdout.strip()).is_dir()
    assert "did you mean 'dnsmos'" in speechmill("models", "show", "dnsmoss", expect=2).stderr


def test_a_language_lists_the_backends_that_know_it(speechmill):
    listed = json.loads(speechmill("list", "asr", "--language", "vi", "--json").stdout)
    names = [row["backend"] for row in listed]
    assert "faster_whisper" in names
    english = json.loads(speechmill("list", "asr", "--language", "en", "--json").stdout)
    assert [row["backend"] for row in english] == sorted([*names, "pocketsphinx"])
    assert "pocketsphinx" in speechmill("list").stdout


def test_doctor_finds_nothing_wrong_where_tests_can_run(speechmill, tmp_path):
    findings = json.loads(speechmill("doctor", tmp_path, "--json").stdout)
    by_name = {finding["what"]: finding for finding in findings}
    assert by_name["Python"]["fine"]
    assert by_name["vad silero"] == {"what": "vad silero", "fine": True, "found": "ready", "mend": ""}
    assert "ok    vad silero" in speechmill("doctor", tmp_path).stdout


def test_doctor_says_how_to_get_weights_that_are_absent(speechmill, tmp_path):
    done = speechmill("doctor", tmp_path, "--json", env={"SPEECHMILL_MODELS": str(tmp_path / "none")})
    by_name = {finding["what"]: finding for finding in json.loads(done.stdout)}
    finding = by_name["optional vad silero"]
    assert (finding["fine"], finding["found"]) == (False, "weights absent")
    assert finding["mend"].startswith("speechmill models pull silero-vad-v6.2")


def test_status_as_table_and_json(speechmill, finished):
    assert "dropped by 2 <= num_chars / duration <= 40" in speechmill("status", finished).stdout
    status = json.loads(speechmill("status", finished, "--json").stdout)
    assert (status["state"], status["segments"], status["segments_kept"]) == ("finished", 3, 2)


def test_another_preset_decides_anew(speechmill, workspace):
    assert kept(workspace) == "ac"
    speechmill("filter", workspace, "--preset", "none")
    assert kept(workspace) == "abc"
    done = speechmill("filter", workspace, "--preset", "asr-broad", "--rule", "duration >= 2.4", "--json")
    assert json.loads(done.stdout)["funnel"]["kept"] == 1
    assert kept(workspace) == "c"


def test_a_rule_of_a_preset_can_be_left_out(speechmill, workspace):
    speechmill("filter", workspace, "--preset", "asr-broad", "--without", "num_chars")
    assert kept(workspace) == "abc"


def test_a_rule_over_a_score_that_was_not_computed_says_what_to_add(speechmill, workspace):
    done = speechmill("filter", workspace, "--preset", "tts-strict", expect=2)
    assert "'dnsmos_ovrl', which this run does not compute" in done.stderr
    assert kept(workspace) == "ac"


def test_decisions_only_leaves_the_dataset_alone(speechmill, workspace):
    before = {path.name: path.read_bytes() for path in (workspace / "dataset").iterdir()}
    done = speechmill("filter", workspace, "--rule", "duration >= 2.4", "--decisions-only", "--json")
    decisions = pq.read_table(json.loads(done.stdout)["decisions"]).to_pylist()
    assert [len(row["drops"]) for row in decisions] == [1, 1, 0]
    assert decisions[0]["drops"] == [{"rule": "duration >= 2.4", "value": 2.0, "threshold": 2.4}]
    assert {path.name: path.read_bytes() for path in (workspace / "dataset").iterdir()} == before


def test_a_sweep_shows_hours_and_changes_nothing(speechmill, workspace):
    before = {path: path.stat().st_mtime_ns for path in workspace.rglob("*.parquet")}
    arguments = ("filter", workspace, "--rule", "has_text", "--rule", "num_words == 0", "--sweep", "duration")
    points = json.loads(speechmill(*arguments, "--json").stdout)
    counts = [point["segments_kept"] for point in points]
    assert (counts[0], counts[-1]) == (3, 1)
    assert counts == sorted(counts, reverse=True)
    assert points[0]["hours_kept"] == pytest.approx((2.0 + 2.25 + 2.5) / 3600)
    assert "hours kept" in speechmill(*arguments).stdout
    assert {path: path.stat().st_mtime_ns for path in workspace.rglob("*.parquet")} == before


def test_export_after_the_fact(speechmill, workspace):
    assert "written" in speechmill("export", workspace, "nemo", "rttm").stdout
    lines = (workspace / "exports" / "nemo" / "manifest_train.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["one two three", "four five six"]
    assert "is up to date" in speechmill("export", workspace, "nemo").stdout
    speechmill("filter", workspace, "--preset", "none")
    assert "written" in speechmill("export", workspace, "nemo", "--set", "audio=wav").stdout
    assert len(list((workspace / "exports" / "nemo").rglob("*.wav"))) == 3
    assert "did you mean 'nemo'" in speechmill("export", workspace, "nemoo", expect=2).stderr


def test_a_report_without_audio_has_none(speechmill, workspace):
    path = Path(speechmill("report", workspace).stdout.strip())
    assert "data:audio" in path.read_text(encoding="utf-8")
    speechmill("report", workspace, "--no-audio")
    page = path.read_text(encoding="utf-8")
    assert "data:audio" not in page
    assert "one two three" in page


def test_a_kept_segment_is_explained(speechmill, finished):
    row = rows(finished)["a"]
    text = speechmill("explain", row["id"], finished).stdout
    assert f"segment {row['id']}" in text
    assert "text          'one two three'" in text
    assert "snr_db        none" in text  # a tone is no speech, so there is no speech level
    assert f"gap           quality.snr: {row['gaps']['quality.snr']}" in text
    assert "\nkept\n  passed        has_text\n" in text
    for stage in ("normalise", "vad", "transcribe", "segment", "quality.snr"):
        assert f"  {stage:<18} done" in text


def test_a_dropped_segment_is_explained_with_rule_value_and_threshold(speechmill, finished):
    row = rows(finished)["b"]
    (drop,) = row["drops"]
    assert drop == {"rule": "2 <= num_chars / duration <= 40", "value": 1 / row["duration"], "threshold": 2.0}
    text = speechmill("explain", row["id"], finished).stdout
    assert "\ndropped\n  passed        has_text\n" in text
    assert f"  dropped by    2 <= num_chars / duration <= 40: it is {drop['value']:.4g}" in text


def test_a_recording_is_explained(speechmill, finished):
    text = speechmill("explain", rows(finished)["a"]["recording_id"], finished).stdout
    assert "audio         2.000 s, 16000 Hz, 1 channels" in text
    assert "segment" not in text.splitlines()[-1].split()[0]


def test_an_unknown_id_is_refused(speechmill, finished):
    assert "no segment or recording 'nobody'" in speechmill("explain", "nobody", finished, expect=2).stderr


@pytest.mark.parametrize("command", ["status", "report", "filter", "gc"])
def test_a_folder_that_is_no_workspace_is_refused(speechmill, tmp_path, command):
    assert "is not a workspace" in speechmill(command, tmp_path, expect=2).stderr


def test_an_option_that_does_not_exist_is_refused(speechmill, tmp_path):
    done = speechmill("run", tmp_path, "--set", "vad.treshold=0.6", expect=2)
    assert "did you mean 'threshold'" in done.stderr


def test_too_many_failures_end_with_status_one(speechmill, tmp_path):
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "broken.wav").write_bytes(b"nothing")
    arguments = ("run", tmp_path / "audio", "--out", tmp_path / "out", *RUN, "--export", "none")
    assert "not-audio" in speechmill(*arguments, expect=1).stdout
    speechmill(*arguments, "--max-failed", "1", expect=0)
