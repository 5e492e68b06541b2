# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from speechmill.core.types import Drop, Interval, Recording, Segment, Turn, Word
from speechmill.demo.corpus import TrueRecording, TrueWord, Truth
from speechmill.demo.score import Score, score
from speechmill.formats.manifest import segment_schema, table_of, write_parquet, write_rows
from speechmill.store.dataset import Dataset

EN, VI, MUSIC, BROKEN = "talk-0a1b2c", "tieng-viet-3d4e5f", "nhac-667788", "hong-99aabb"
TRUTH = Truth(
    (
        TrueRecording(
            "talk.flac",
            10.0,
            "en",
            "Good morning, Anna.",
            (
                TrueWord("Good", 1.0, 0.5, "Tom"),
                TrueWord("morning", 1.5, 0.5, "Tom"),
                TrueWord("Anna", 2.0, 0.5, "Tom"),
            ),
            (Interval(1.0, 1.5),),
            (Turn(1.0, 1.5, "Tom"),),
        ),
        TrueRecording(
            "tieng-viet.m4a",
            10.0,
            "vi",
            "Xin chào.",
            (TrueWord("Xin", 1.0, 0.5, "Lan"), TrueWord("chào", 1.5, 0.5, "Lan")),
            (Interval(1.0, 1.0),),
            (Turn(1.0, 1.0, "Lan"),),
        ),
        TrueRecording("nhac.mp3", 10.0),
        TrueRecording("hong.m4a", broken=True),
    )
)
WORDS = (Word("good", 1.01, 0.49), Word("mourning", 1.5, 0.5), Word("anna", 2.03, 0.49))


def _recording(key: str) -> Recording:
    return Recording(key, f"{key}.wav", "0" * 64, 10.0, 16_000, 1, (f"recordings/{key}.flac",))


def _segment(key: str, text: str, words: tuple[Word, ...] = (), **more: str) -> Segment:
    # Dropped by a filter: scored all the same.
    drops = (Drop("2 <= duration", 1.5, 2.0),)
    return Segment(f"{key}-0", key, 1.0, 1.5, text=text, words=words, drops=drops, gaps=more)


def _dataset(root: Path, keys: tuple[str, ...], segments: list[Segment]) -> Dataset:
    write_rows(root / "dataset" / "recordings.parquet", [_recording(key) for key in keys], Recording)
    write_parquet(root / "dataset" / "segments.parquet", table_of(segments, segment_schema(["snr_db"])))
    return Dataset(root)


@pytest.fixture
def rows(tmp_path: Path) -> dict[tuple[str, str], Score]:
    segments = [
        _segment(EN, "good mourning anna", WORDS),
        _segment(VI, "Xin chào", align="no-aligner: pocketsphinx does not know the language 'vi'"),
    ]
    scores = score(
        TRUTH,
        _dataset(tmp_path, (EN, VI, MUSIC), segments),
        speech={EN: [Interval(1.0, 1.2)], VI: [Interval(1.0, 1.0), Interval(5.0, 0.5)], MUSIC: [Interval(3.0, 2.0)]},
        turns={EN: [Turn(1.0, 1.5, "#1")]},
        transcripts={EN: "pocketsphinx", VI: "sidecar"},
    )
    by_name = {(row.recording, row.measure): row for row in scores}
    assert len(by_name) == len(scores)
    return by_name


def test_missed_and_false_speech_is_a_share_of_the_speech(rows: dict[tuple[str, str], Score]) -> None:
    assert rows["talk", "vad_error"].value == pytest.approx(0.3 / 1.5)
    assert rows["talk", "vad_miss_s"].value == pytest.approx(0.3)
    assert rows["tieng-viet", "vad_error"].value == pytest.approx(0.5)
    assert rows["tieng-viet", "vad_false_alarm_s"].value == pytest.approx(0.5)


def test_music_is_scored_by_what_was_found_in_it(rows: dict[tuple[str, str], Score]) -> None:
    assert rows["nhac", "vad_false_alarm_s"].value == pytest.approx(2.0)
    assert rows["nhac", "words_invented"].value == 0
    assert ("nhac", "wer") not in rows


def test_wer_names_the_source_of_the_text(rows: dict[tuple[str, str], Score]) -> None:
    assert rows["talk", "wer"].value == pytest.approx(1 / 3)
    assert rows["talk", "wer"].detail == "text from pocketsphinx"
    assert rows["talk", "cer"].value == pytest.approx(1 / 17)  # good mo(u)rning anna
    assert rows["tieng-viet", "cer"].value == 0.0
    assert rows["tieng-viet", "wer"] == Score("tieng-viet", "wer", 0.0, "ratio", "text from sidecar")


def test_turns_are_scored_or_named_as_a_gap(rows: dict[tuple[str, str], Score]) -> None:
    assert rows["talk", "der"].value == 0
    assert rows["tieng-viet", "der"].value is None
    assert rows["tieng-viet", "der"].gap == "no diarization"


def test_word_times_are_compared_where_the_word_is_right(rows: dict[tuple[str, str], Score]) -> None:
    assert rows["talk", "word_start_mean_ms"].value == pytest.approx(20.0)  # 10 and 30
    assert rows["talk", "word_end_mean_ms"].value == pytest.approx(10.0)  # 0 and 20
    assert rows["talk", "word_end_median_ms"].detail == "2 of 3 words compared"


def test_a_language_without_an_aligner_is_a_named_gap(rows: dict[tuple[str, str], Score]) -> None:
    assert rows["tieng-viet", "word_start_median_ms"] == Score(
        "tieng-viet", "word_start_median_ms", None, "ms", gap="no aligner for vi"
    )


def test_a_failed_alignment_says_why(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path, (VI,), [_segment(VI, "Xin chào", align="text-does-not-fit")])
    gaps = {row.gap for row in score(TRUTH, dataset, {}, {}) if row.measure == "word_end_mean_ms"}
    assert gaps == {"not aligned: text-does-not-fit"}


def test_a_broken_file_must_not_be_in_the_dataset(tmp_path: Path, rows: dict[tuple[str, str], Score]) -> None:
    assert rows["hong", "broken_file_refused"].value == 1
    dataset = _dataset(tmp_path / "other", (BROKEN,), [])
    refused = [row.value for row in score(TRUTH, dataset, {}, {}) if row.measure == "broken_file_refused"]
    assert refused == [0]


def test_a_recording_that_is_not_in_the_dataset_is_a_gap(tmp_path: Path) -> None:
    rows = score(TRUTH, _dataset(tmp_path, (EN,), []), {}, {})
    assert [row.gap for row in rows if row.recording == "tieng-viet"] == ["not in the dataset"]
    assert {row.gap for row in rows if row.recording == "talk"} == {
        "no voice activity detection",
        "no text",
        "no diarization",
        "no segments",
    }
