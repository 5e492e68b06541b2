# SPDX-License-Identifier: Apache-2.0
"""Two real runs with one change between them: its cause is named, and no other."""

import wave

import numpy as np
import pytest

from speechmill import api
from speechmill.core.types import Correction
from speechmill.pipeline import gc
from speechmill.pipeline.versions.diff import diff
from speechmill.store import corrections
from speechmill.store.takedowns import FOLDER, TakenDown
from speechmill.store.workspace import Workspace

pytestmark = pytest.mark.slow


@pytest.fixture
def compare(out, shelf):
    """Compare the two newest versions."""

    def go(shown=10):
        from speechmill.store.takedowns import taken_down

        versions = shelf()
        return diff(versions.find("latest~1"), versions.find("latest"), taken_down(out), shown)

    return go


def causes(found):
    return sorted({str(cause) for effect in found.effects for cause in effect.causes})


def amounts(found):
    """Added, removed and changed segments altogether."""
    return tuple(sum(getattr(effect, name) for effect in found.effects) for name in ("added", "removed", "changed"))


def correct(out, shelf, letter, **said):
    """Set something of the segment of a recording, as `speechmill corrections import` does."""
    row = next(row for row in shelf().newest().facts().to_pylist() if row["id"].startswith(letter))
    one = corrections.named(row["sha256"], Correction("", 0.0, row["duration"], **said))
    corrections.append(
        Workspace.open(out).corrections,
        [corrections.Entry(corrections.now(), "me", sha256=row["sha256"], recording_id=row["id"], correction=one)],
    )


def take_down(out, name):
    import msgspec

    (out / FOLDER).mkdir(exist_ok=True)
    content = msgspec.json.encode([TakenDown(name, "x", "y")])
    (out / FOLDER / "takedowns.json").write_bytes(content)


def test_another_threshold(run, compare):
    run(filter=["num_chars >= 2"])
    run(filter=["num_chars >= 4"])
    found = compare()
    assert causes(found) == ["rules: num_chars >= 2 -> num_chars >= 4"]
    assert amounts(found) == (0, 2, 0)
    assert found.effects[0].removed_hours == pytest.approx((2.0 + 2.25) / 3600)
    assert [(one.rule, one.before_hours > 0, one.after_hours > 0) for one in found.reasons] == [
        ("num_chars >= 4", False, True)
    ]
    assert {one.change for one in found.segments} == {"removed"}


def test_another_threshold_the_other_way(run, compare):
    run(filter=["num_chars >= 4"])
    run(filter=["num_chars >= 2"])
    found = compare()
    assert causes(found) == ["rules: num_chars >= 4 -> num_chars >= 2"]
    assert amounts(found) == (2, 0, 0)


def test_a_new_rule_and_one_less(run, compare):
    run(filter=["duration >= 2.1"])
    run(filter=["num_chars >= 4"])
    found = compare()
    assert causes(found) == ["rules: new num_chars >= 4"]  # a is dropped by both, b by the new one
    assert amounts(found) == (0, 1, 0)


def test_a_new_file(run, folder, make_tone, compare):
    run()
    make_tone(folder / "d.wav", 3.0, 300.0)
    (folder / "d.txt").write_text("four")
    run()
    found = compare()
    assert causes(found) == ["new audio"]
    assert amounts(found) == (1, 0, 0)
    assert [(one.change, one.id[0]) for one in found.recordings] == [("added", "d")]


def test_a_file_that_is_gone(run, folder, compare):
    run()
    (folder / "b.wav").unlink()
    run()
    found = compare()
    assert causes(found) == ["file gone"]
    assert amounts(found) == (0, 1, 0)


def test_a_file_with_other_audio(run, folder, make_tone, compare):
    run()
    make_tone(folder / "b.wav", 2.25, 333.0)
    run()
    found = compare()
    assert [str(one.cause) for one in found.recordings] == ["other audio"]
    assert set(causes(found)) <= {"other audio"}


def test_another_text_beside_the_audio(run, folder, compare):
    run()
    (folder / "b.txt").write_text("two, edited")
    run()
    found = compare()
    assert causes(found) == ["other text or metadata"]
    assert amounts(found) == (0, 0, 1)
    assert found.fields == {"text": 1}


def write_bursts(path):
    """Write three seconds of a tone with pauses between them, which a voice detector tells apart."""
    time = np.arange(8 * 16_000) / 16_000
    sound = 0.001 * np.random.default_rng(0).standard_normal(len(time))
    for start in (1.0, 3.5, 6.0):
        here = (time > start) & (time < start + 1.0)
        sound[here] += 0.3 * np.sin(2 * np.pi * 200 * time[here]) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time[here]))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((sound * 32767).astype("<i2").tobytes())


def test_another_option_of_a_stage(run, folder, compare):
    write_bursts(folder / "d.wav")
    run(vad={"backend": "energy"})
    run(vad={"backend": "energy", "pad_ms": 150})
    found = compare()
    assert causes(found) == ["stage: vad: energy.pad_ms 30 -> 150"]
    assert [root.stage for root in found.stages] == ["vad"]
    assert amounts(found) == (3, 3, 0)


def test_another_option_and_another_threshold(run, folder, compare):
    write_bursts(folder / "d.wav")
    run(vad={"backend": "energy"}, filter="none")
    run(vad={"backend": "energy", "pad_ms": 150}, filter=["num_chars == 0 or num_chars >= 4"])
    found = compare()
    assert causes(found) == [
        "rules: new num_chars == 0 or num_chars >= 4",
        "stage: vad: energy.pad_ms 30 -> 150",
    ]
    assert amounts(found) == (3, 5, 0)


def test_another_backend(run, folder, compare):
    for name in "abc":
        (folder / f"{name}.txt").unlink()
    (folder / "a.srt").write_text("1\n00:00:00,000 --> 00:00:01,500\none\n")
    run(transcript=[], vad="energy")
    run(transcript=["sidecar"], vad="energy")
    found = compare()
    assert causes(found) == ["stage: transcribe: none -> sidecar"]


def test_another_metric_moves_no_segment_and_is_told(run, compare):
    run(quality=["snr"])
    run(quality=["snr", "clipping"])
    found = compare()
    assert found.effects == ()
    assert [(root.stage, root.what) for root in found.stages] == [("quality.clipping", "added: clipping")]


def test_a_corrected_text(run, out, shelf, compare):
    run()
    correct(out, shelf, "b", text="too")
    run()
    found = compare()
    assert causes(found) == ["correction"]
    assert amounts(found) == (0, 0, 1)
    assert found.fields == {"text": 1}


def test_a_corrected_speaker(run, out, shelf, compare):
    run()
    correct(out, shelf, "c", speaker="Jo")
    run()
    found = compare()
    assert causes(found) == ["correction"]
    assert found.fields == {"speaker": 1}


def test_a_takedown(run, out, shelf, compare):
    run()
    name = next(name for name in shelf().newest().facts()["id"].to_pylist() if name.startswith("a"))
    take_down(out, name)
    run()
    found = compare()
    assert causes(found) == ["takedown"]
    assert amounts(found) == (0, 1, 0)


def test_several_changes_at_once_are_told_apart(run, folder, out, shelf, make_tone, compare):
    run(filter=["num_chars >= 2"])
    make_tone(folder / "d.wav", 3.0, 300.0)
    (folder / "d.txt").write_text("fourth")
    correct(out, shelf, "c", text="thirteen")
    run(filter=["num_chars >= 4"])
    found = compare()
    assert causes(found) == ["correction", "new audio", "rules: num_chars >= 2 -> num_chars >= 4"]
    by_cause = {str(effect.causes[0]): (effect.added, effect.removed, effect.changed) for effect in found.effects}
    assert by_cause == {
        "new audio": (1, 0, 0),
        "correction": (0, 0, 1),
        "rules: num_chars >= 2 -> num_chars >= 4": (0, 2, 0),
    }


def test_a_correction_that_brings_a_segment_over_a_threshold(run, out, shelf, compare):
    run(filter=["num_chars >= 4"])
    correct(out, shelf, "b", text="twenty")
    run(filter=["num_chars >= 4"])
    found = compare()
    assert causes(found) == ["correction"]
    assert amounts(found) == (1, 0, 0)


def test_splits(run, compare):
    run()
    run(splits={"dev": 0.3, "test": 0.3, "text": None})
    found = compare()
    assert [one.kind for effect in found.effects for one in effect.causes] == ["splits"]
    assert set(found.fields) == {"split"}


def test_versions_without_rows_are_compared_by_their_recordings(run, folder, out, compare):
    run()
    (folder / "b.wav").unlink()
    run()
    gc.delete(gc.collect(Workspace.open(out), keep_versions=1))
    found = compare()
    assert not found.compared
    assert [str(one.cause) for one in found.recordings] == ["file gone"]
    assert found.notes == ("the segments of version 1 are gone: `speechmill gc` deleted them",)


def test_a_version_is_as_itself(run, out, shelf):
    run()
    api.filter(out, ["num_chars >= 4"])
    version = shelf().newest()
    found = diff(version, version)
    assert (found.effects, found.recordings, found.stages, found.rules, found.drift) == ((), (), (), (), ())


def test_drift_is_that_of_segments_in_both():
    from speechmill.pipeline.versions.drift import drift_of

    found = drift_of("snr_db", np.array([1.0, 2.0, 3.0, np.nan]), np.array([1.0, 4.0, np.nan, 9.0]))
    assert (found.segments, found.moved, found.mean_difference) == (2, 0.5, 1.0)
    assert (found.median_before, found.median_after) == (1.5, 2.5)
    assert (found.gained, found.lost) == (1, 1)
