# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import pysubs2
import pytest
from tests.exporters.split_in_two import exported

from speechmill.core.types import Segment, Word
from speechmill.exporters import srt, vtt
from speechmill.exporters._subtitles import Config, cues, pieces
from speechmill.formats import captions
from speechmill.store.dataset import Dataset
from speechmill.transcripts._entries import reading

SENTENCE = (
    'When he came back, the men of Hamilton (all of them) had left; "Nobody\'s here," she said, '
    "and 43 years later it was so still, for ever and ever."
)
SAID = (
    "when he came back the men of hamilton all of them had left nobody's here she said and forty three years later "
    "it was so still for ever and ever"
)


def said(text: str, words: list[str], each: float = 0.4) -> Segment:
    timed = tuple(Word(word, 10 + i * each, each) for i, word in enumerate(words))
    return Segment("s", "r", 10.0, len(words) * each, text=text, speaker="anna", words=timed)


def test_the_text_stays_to_the_letter_and_the_limits_are_kept() -> None:
    segment = said(SENTENCE, SAID.split())
    found = list(cues(segment, Config()))
    assert " ".join(cue.text.replace("\n", " ") for cue in found) == SENTENCE
    assert [cue.text for cue in found] == [
        'When he came back, the men of Hamilton\n(all of them) had left; "Nobody\'s here,"',
        "she said, and 43 years later it\nwas so still, for ever and ever.",
    ]
    for cue in found:
        assert len(cue.text.split("\n")) <= 2
        assert all(len(line) <= 42 for line in cue.text.split("\n"))
        assert cue.duration <= 7.0


def test_a_cue_has_the_times_of_its_words_said_otherwise_or_not() -> None:
    found = {piece.text: (round(piece.start, 3), round(piece.end, 3)) for piece in pieces(said(SENTENCE, SAID.split()))}
    assert found["\"Nobody's "] == (15.2, 15.6)
    assert found["and 43 "] == (16.8, 18.0)  # "forty three" is said with the word before it


def test_a_pause_and_seven_seconds_end_a_cue() -> None:
    slow = said("one two three four", ["one", "two", "three", "four"], each=3.0)
    assert [(cue.text, cue.start, cue.duration) for cue in cues(slow, Config())] == [
        ("one two", 10.0, 6.0),
        ("three four", 16.0, 6.0),
    ]
    words = (Word("one", 10.0, 0.5), Word("two", 12.0, 0.5))
    assert [cue.text for cue in cues(Segment("s", "r", 10, 3, text="one two", words=words), Config())] == ["one", "two"]


def test_text_without_times_is_one_cue_and_no_text_is_none() -> None:
    (cue,) = cues(Segment("s", "r", 1.0, 20.0, text=SENTENCE), Config())
    assert (cue.start, cue.duration, len(cue.text.split("\n"))) == (1.0, 20.0, 4)
    assert list(cues(Segment("s", "r", 1.0, 2.0), Config())) == []


def test_letters_as_wide_as_chinese_ones_count_twice_and_lines_break_between_them() -> None:
    text = "今天天气很好我们一起去公园散步吧因为明天可能会下雨所以大家都想在外面走一走看看花"
    segment = said(text, [text[i : i + 2] for i in range(0, len(text), 2)], each=0.2)
    found = [cue.text for cue in cues(segment, Config())]
    assert "".join(found).replace("\n", "") == text
    assert [len(line) for cue in found for line in cue.split("\n")] == [20, 20]


def test_a_word_that_is_part_of_a_longer_one_is_not_taken_for_it() -> None:
    assert [piece.text for piece in pieces(said("Hannah and Ann", ["ann"]))] == ["Hannah and Ann"]
    assert [piece.text for piece in pieces(said("Hannah and Ann", ["hannah", "and", "ann"]))] == [
        *("Hannah ", "and ", "Ann")
    ]


@pytest.mark.parametrize("module", [srt, vtt])
def test_pysubs2_and_our_reader_find_equal_times(module: Any, dataset: Dataset, folder: Path) -> None:
    exported(module, Config(), dataset, folder, {"tin-tuc-9f8e7d": "test"})
    suffix = module.Backend.suffix
    path = folder / "test" / f"tin-tuc-9f8e7d{suffix}"
    assert [(cue.start, cue.end, cue.plaintext) for cue in pysubs2.load(str(path))] == [
        (250, 1750, "Xin chào, tôi tên là Đặng Nguyễn Ánh")
    ]
    ours = reading(folder / "train" / f"talk-1a2b3c{suffix}", captions.read)
    assert [(cue.start, cue.duration, cue.text) for cue in ours] == [
        (0.1, 1.0, 'She said "no" and <script>alert(1)</script> | left, \\ done'),
        (0.5, 1.2, "hello there"),
    ]
    assert [cue.speaker for cue in ours] == (["anna", "Bảo, the host"] if suffix == ".vtt" else [None, None])


def test_nothing_kept_is_no_file(empty_dataset: Dataset, folder: Path) -> None:
    exported(vtt, Config(), empty_dataset, folder)
    assert list(folder.iterdir()) == []
