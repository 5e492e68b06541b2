# SPDX-License-Identifier: Apache-2.0
"""What a workspace says of itself, before a run, after it, and after one that was cut off."""

import shutil
import wave

import pytest

from speechmill import api
from speechmill.core.errors import ConfigError, WorkspaceError
from speechmill.pipeline.explain import explain
from speechmill.pipeline.overview import found_by_recording, overview
from speechmill.pipeline.run import Options
from speechmill.store.workspace import Workspace

pytestmark = pytest.mark.slow
SETTINGS = {
    "language": "en",
    "transcript": ["sidecar"],
    "diarize": "none",
    "align": None,
    "quality": ["snr"],
    "export": [],
}


@pytest.fixture(scope="module")
def out(make_tone, tmp_path_factory):
    """A workspace of a good recording, its copy, one without text, one of silence, and one that is broken."""
    folder = tmp_path_factory.mktemp("overview") / "audio"
    folder.mkdir()
    make_tone(folder / "good.wav", 3.6)
    (folder / "good.txt").write_text("a text of enough letters")
    for suffix in (".wav", ".txt"):
        shutil.copy(folder / f"good{suffix}", folder / f"twin{suffix}")
    with wave.open(str(folder / "silent.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000))
    (folder / "broken.wav").write_bytes(b"not audio")
    workspace = folder.parent / "out"
    summary = api.run(folder, workspace, settings=SETTINGS, workers=1, options=Options(max_failed=1))
    assert summary.exit_status == 0
    return workspace


def name_of(out, stem):
    return next(name for name in (row["id"] for row in all_recordings(out)) if name.startswith(f"{stem}-"))


def all_recordings(out):
    import pyarrow.parquet as pq

    return pq.read_table(out / "dataset" / "recordings.parquet").to_pylist()


def test_hours_and_segments_are_added_up(out):
    found = overview(out)
    assert (found.state, found.exit_status, found.recordings, found.aliases) == ("finished", 0, 4, 1)
    assert found.audio_h == pytest.approx((3.6 + 1.0) / 3600, abs=1e-4)
    assert (found.segments, found.segments_kept) == (1, 1)
    assert found.stages["vad"].processed == 2
    assert found.stages["vad"].pending == 1  # blocked by the broken file


def test_a_failure_names_stage_reason_and_file(out):
    (failure,) = overview(out).failures
    assert (failure.stage, failure.reason, failure.permanent) == ("normalise", "not-audio", True)
    assert failure.uri.endswith("broken.wav")


def test_what_gave_nothing_is_noted(out):
    notes = {quiet.recording_id.split("-")[0]: quiet.note for quiet in overview(out).notes}
    assert notes == {"silent": "no speech found", "twin": f"same content and text as {name_of(out, 'good')}"}


def test_a_copy_is_explained_by_what_it_is_a_copy_of(out):
    text = "\n".join(explain(out, name_of(out, "twin")))
    assert f"equal to      {name_of(out, 'good')}" in text


def test_a_failed_recording_is_explained(out):
    text = "\n".join(explain(out, name_of(out, "broken")))
    assert "failed        in normalise: not-audio" in text
    assert "normalise          failed: not-audio" in text
    with pytest.raises(ConfigError, match="no segment or recording 'x'"):
        explain(out, "x")


def test_what_stages_found_can_be_asked_for_by_recording(out):
    found = found_by_recording(out, "transcript")
    assert {name.split("-")[0]: transcript.backend for name, transcript in found.items()} == {
        "good": "sidecar",
        "twin": "sidecar",
        "silent": "none",
    }


def test_a_run_that_was_cut_off_is_counted_from_the_ledger(out, tmp_path):
    cut = tmp_path / "out"
    shutil.copytree(out, cut)
    for path in cut.glob("runs/*/summary.json"):
        path.unlink()
    shutil.rmtree(next(cut.glob("stages/quality.snr-*")))
    # The plan says where its workspace is, and this one has moved.
    plan = next(cut.glob("runs/*/plan.json"))
    plan.write_text(plan.read_text().replace(str(out), str(cut)))
    found = overview(cut)
    assert (found.state, found.exit_status) == ("running-or-killed", None)
    assert (found.stages["vad"].cached, found.stages["quality.snr"].cached) == (2, 0)
    assert found.stages["quality.snr"].pending == 3
    assert [failure.reason for failure in found.failures] == ["not-audio"]


def test_a_new_workspace_has_no_run(tmp_path):
    Workspace.create(tmp_path / "new")
    found = overview(tmp_path / "new")
    assert (found.run, found.state, found.segments) == (None, "none", 0)
    with pytest.raises(WorkspaceError, match="is not a workspace"):
        overview(tmp_path / "nowhere")
