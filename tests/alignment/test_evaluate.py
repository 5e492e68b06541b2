# SPDX-License-Identifier: Apache-2.0
"""Boundary errors of a folder against the truth, counted by hand."""

import json

import pytest

from speechmill.alignment.evaluate import compare
from speechmill.core.errors import ConfigError, FormatError
from speechmill.core.types import Word
from speechmill.formats import textgrid
from speechmill.formats.textgrid import IntervalTier, TextGrid


def write(path, words, phones=(), prefix=""):
    tiers = (IntervalTier(f"{prefix}words", tuple(words)), IntervalTier(f"{prefix}phones", tuple(phones)))
    textgrid.write(path, TextGrid(0.0, 5.0, tiers))


def rows(found):
    return {(row.tier, row.edge, row.offset_removed): row for row in found.rows}


@pytest.fixture
def out(tmp_path):
    write(tmp_path / "out/ann/a.TextGrid", [Word("one", 1.02, 0.5), Word("two", 2.04, 0.5)], [Word("w", 1.0, 0.1)])
    return tmp_path / "out"


def test_starts_and_ends_are_compared_as_they_are_and_without_their_offset(out, tmp_path):
    (tmp_path / "gold_words.json").write_text(json.dumps({"a": [["ONE", 1.0, 1.5], ["two", 2.0, 2.5]]}))
    found = rows(compare(tmp_path / "gold_words.json", out))
    start = found["words", "start", False]
    assert (start.compared, start.mean_ms, start.median_ms, start.offset_ms) == (2, 30.0, 30.0, 30.0)
    assert (start.within_10_ms, start.within_25_ms, start.within_50_ms) == (0.0, 0.5, 1.0)
    assert found["words", "both", True].mean_ms == 10.0
    assert found["words", "both", False].compared == 4


def test_a_folder_of_textgrids_is_a_truth_too_and_silence_no_symbol(out, tmp_path):
    words = [Word("<eps>", 0.0, 1.0), Word("one", 1.0, 0.5), Word("tow", 2.0, 0.5)]
    write(tmp_path / "gold/ann/a.TextGrid", words, [Word("w", 1.1, 0.1)], "Ann - ")
    found = compare(tmp_path / "gold", out)
    assert (found.symbols, found.matched) == ({"words": 2, "phones": 1}, {"words": 1, "phones": 1})
    assert rows(found)["phones", "end", False].mean_ms == 100.0
    assert compare(tmp_path / "gold", out, "phones").symbols == {"phones": 1}


def test_a_file_that_was_not_aligned_is_named_and_its_words_count_as_not_found(out, tmp_path):
    (tmp_path / "words.json").write_text(json.dumps({"a": [["one", 1.0, 1.5]], "b": [["one", 1.0, 1.5]]}))
    found = compare(tmp_path / "words.json", out)
    assert (found.files, found.absent, found.symbols, found.matched) == (2, ("b",), {"words": 2}, {"words": 1})


def test_nothing_to_compare_is_an_error(out, tmp_path):
    (tmp_path / "words.json").write_text(json.dumps({"z": [["one", 1.0, 1.5]]}))
    with pytest.raises(ConfigError, match="none of 1 files"):
        compare(tmp_path / "words.json", out)
    (tmp_path / "gold.json").write_text("{}")
    with pytest.raises(ConfigError, match="--tier words or phones"):
        compare(tmp_path / "gold.json", out)
    (tmp_path / "words.json").write_text("[]")
    with pytest.raises(FormatError, match=r"words\.json: not"):
        compare(tmp_path / "words.json", out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no TextGrid below"):
        compare(tmp_path / "empty", out)
