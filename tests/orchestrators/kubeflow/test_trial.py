# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from speechmill.core.types import Drop, Recording, Segment
from speechmill.orchestrators._kubeflow_trial import Score, score
from speechmill.store.dataset import Dataset


class Written(Dataset):
    """A dataset of three recordings; what follows is right, has a wrong word, and is dropped."""

    def __init__(self) -> None:
        self._rows = [
            Segment("a-0", "a-1", 0.0, 36.0, text="One two,"),
            Segment("a-1", "a-1", 36.0, 36.0, text="three"),
            Segment("b-0", "b-1", 0.0, 72.0, text="one too"),
            Segment("c-0", "c-1", 0.0, 72.0, text="one", drops=(Drop("snr_db >= 5", 1.0, 5.0),)),
        ]

    def recordings(self) -> dict[str, Recording]:
        return {f"{n}-1": Recording(f"{n}-1", f"/audio/{n}.flac", "", 72.0, 16000, 1, ()) for n in "abc"}

    def segments(self, *, kept: bool = True):  # type: ignore[no-untyped-def]
        return (row for row in self._rows if not (kept and row.drops))


def test_right_words_among_the_true_ones_and_the_kept_ones() -> None:
    found = score(Written(), {"a.flac": "one two three", "b.flac": "one two", "c": "one"}, "en")
    # 6 true words, 5 kept, 4 right: 2 * 4 / 11. One is wrong and one was dropped: 2 / 6.
    assert found == Score(word_f1=0.7273, wer=0.3333, hours_kept=0.04, segments_kept=3)


def test_without_any_words_nothing_is_right() -> None:
    assert score(Written(), {}, "en").word_f1 == 0.0


def test_words_that_nobody_said_lower_the_objective() -> None:
    assert score(Written(), {"a": "one two three"}, "en").word_f1 == 1.0
    assert score(Written(), {"a": "one two"}, "en").word_f1 == 0.8


def test_tables_name_files_with_or_without_extension(tmp_path: Path) -> None:
    assert score(Written(), {"x/b": "one too"}, "en").word_f1 == 1.0
