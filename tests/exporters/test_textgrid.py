# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from praatio import textgrid as praatio
from tests.exporters.split_in_two import exported

from speechmill.core.types import Segment, Word
from speechmill.exporters import textgrid
from speechmill.exporters.textgrid import Config, in_order, lanes, text_grid
from speechmill.formats.textgrid import read, write
from speechmill.store.dataset import Dataset


def segment(start: float, end: float, *words: Word, speaker: str | None = "a", text: str | None = None) -> Segment:
    return Segment(f"r-{start}", "r", start, end - start, speaker=speaker, text=text, words=words)


def test_praatio_reads_the_words_and_phones_of_each_speaker(dataset: Dataset, folder: Path) -> None:
    exported(textgrid, Config(), dataset, folder)
    grid = praatio.openTextgrid(str(folder / "train" / "talk-1a2b3c.TextGrid"), includeEmptyIntervals=True)
    assert grid.tierNames == (
        "anna - words",
        "anna - phones",
        "Bảo, the host - words",
        "Bảo, the host - phones",
    )
    assert (grid.minTimestamp, grid.maxTimestamp) == (0.0, 3.0)
    entries = [(round(e.start, 6), round(e.end, 6), e.label) for e in grid.getTier("anna - words").entries]
    # Praat doubles a quote inside a label; praatio undoes it.
    assert entries == [(0.0, 0.1, ""), (0.1, 0.5, "she"), (0.5, 0.6, ""), (0.6, 1.1, '"no"'), (1.1, 3.0, "")]


def test_one_speaker_needs_no_prefix_and_each_split_has_a_folder(dataset: Dataset, folder: Path) -> None:
    exported(textgrid, Config(), dataset, folder, {"tin-tuc-9f8e7d": "test"})
    grid = read(folder / "test" / "tin-tuc-9f8e7d.TextGrid")
    assert [tier.name for tier in grid.tiers] == ["words", "phones"]
    assert [word.symbol for word in grid.tiers[0].intervals] == ["xin", "chào"]
    assert [word.symbol for word in grid.tiers[1].intervals] == ["s", "i", "t͡ɕ"]


def test_nothing_kept_is_no_grid(empty_dataset: Dataset, folder: Path) -> None:
    exported(textgrid, Config(), empty_dataset, folder)
    assert list(folder.iterdir()) == []


def test_overlapping_segments_of_one_speaker_go_to_a_second_lane() -> None:
    first, second, third = segment(0, 2), segment(1, 3), segment(2, 4)
    assert lanes([first, second, third]) == [[first, third], [second]]


def test_a_second_lane_is_numbered() -> None:
    grid = text_grid(5.0, [segment(0, 2, Word("a", 0, 2)), segment(1, 3, Word("b", 1, 2))])
    assert [(tier.name, [w.symbol for w in tier.intervals]) for tier in grid.tiers] == [
        ("words", ["a"]),
        ("phones", []),
        ("words (2)", ["b"]),
        ("phones (2)", []),
    ]


def test_text_without_words_is_not_lost() -> None:
    grid = text_grid(5.0, [segment(0, 2, text="not aligned", speaker=None), segment(2, 3, Word("b", 2, 1), text="b")])
    assert [(tier.name, [w.symbol for w in tier.intervals]) for tier in grid.tiers] == [
        ("unknown - words", []),
        ("unknown - phones", []),
        ("unknown - utterances", ["not aligned"]),
        ("a - words", ["b"]),
        ("a - phones", []),
    ]


def test_words_that_overlap_or_outlast_the_recording_are_clipped(tmp_path: Path) -> None:
    words = in_order([Word("a", 0.0, 0.6), Word("b", 0.5, 0.4), Word("c", 0.7, 0.1), Word("d", 1.8, 0.5)], 2.00004)
    assert [(word.symbol, word.start, word.end) for word in words] == [
        ("a", 0.0, 0.6),
        ("b c", 0.6, 0.9),
        ("d", 1.8, pytest.approx(2.00004)),
    ]
    write(tmp_path / "x.TextGrid", text_grid(2.00004, [segment(0, 2, *words)]))
    assert len(read(tmp_path / "x.TextGrid").tiers[0].intervals) == 3


def test_speakers_whose_names_have_line_ends_are_tiers_that_praatio_reads(tmp_path: Path) -> None:
    said = [Segment(f"r-{i}", "r", float(i), 0.5, speaker=name) for i, name in enumerate(("a\nb", "a\tb", "a b"))]
    write(tmp_path / "r.TextGrid", text_grid(3.0, said))
    names = praatio.openTextgrid(str(tmp_path / "r.TextGrid"), includeEmptyIntervals=True).tierNames
    assert names[0].startswith("a_b_")
    assert names[4] == "a b - words"
    assert len(set(names)) == 6
