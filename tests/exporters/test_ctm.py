# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
from pathlib import Path

from lhotse import SupervisionSegment, SupervisionSet
from tests.exporters.split_in_two import exported

from speechmill.core.types import Recording, Segment, Word
from speechmill.exporters import ctm
from speechmill.exporters.ctm import Config, in_order
from speechmill.formats.ctm import read
from speechmill.store.dataset import Dataset

MANY_CHANNELS = Recording("r", "r.wav", "0" * 64, 9.0, 8000, 12, tuple(f"{i}.flac" for i in range(12)))


def test_each_word_is_a_line_with_its_confidence_where_there_is_one(dataset: Dataset, folder: Path) -> None:
    exported(ctm, Config(), dataset, folder, {"tin-tuc-9f8e7d": "dev"})
    assert (folder / "train.ctm").read_text(encoding="utf-8").split("\n") == [
        "talk-1a2b3c 1 0.1000 0.4000 she 0.9000",
        'talk-1a2b3c 1 0.6000 0.5000 "no"',
        "talk-1a2b3c 2 0.5000 0.5000 hello",
        "talk-1a2b3c 2 1.2000 0.5000 there",
        "",
    ]
    assert read(folder / "dev.ctm") == {
        ("tin-tuc-9f8e7d", 0): (Word("xin", 0.25, 0.25, 0.5), Word("chào", 0.5, 1.25, 0.75))
    }
    assert (folder / "train" / "talk-1a2b3c.ctm").read_bytes() == (folder / "train.ctm").read_bytes()


def test_phones_are_lines_where_they_are_asked_for(dataset: Dataset, folder: Path) -> None:
    exported(ctm, Config(level="phones"), dataset, folder)
    assert [word.symbol for word in read(folder / "train.ctm")["tin-tuc-9f8e7d", 0]] == ["s", "i", "t͡ɕ"]


def test_lhotse_reads_its_words_as_alignments(dataset: Dataset, folder: Path) -> None:
    exported(ctm, Config(), dataset, folder)
    whole = SupervisionSegment("all", "tin-tuc-9f8e7d", 0.0, 2.0)
    read_back = SupervisionSet.from_segments([whole]).with_alignment_from_ctm(folder / "train.ctm")
    (segment,) = read_back
    assert [(one.symbol, one.start, one.duration, one.score) for one in segment.alignment["word"]] == [
        ("xin", 0.25, 0.25, 0.5),
        ("chào", 0.5, 1.25, 0.75),
    ]


def test_lines_lie_as_sort_puts_them_for_sclite(tmp_path: Path) -> None:
    segments = [
        Segment(f"r-{channel}-{start}", "r", start, 2.0, channel, words=(Word("ah uh", start + 0.5, 0.1),))
        for channel in (1, 9, 11)
        for start in (2.0, 0.0, 1.25)
    ]
    ctm.write(tmp_path / "r.ctm", in_order(MANY_CHANNELS, segments, "words"))
    sort = ["sort", "-k1,1", "-k2,2", "-k3,3n", str(tmp_path / "r.ctm")]
    done = subprocess.run(sort, capture_output=True, check=True, env={"LC_ALL": "C"}, text=True)
    assert done.stdout == (tmp_path / "r.ctm").read_text(encoding="utf-8")
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["10"] * 3 + ["12"] * 3 + ["2"] * 3
    assert done.stdout.startswith("r 10 0.5000 0.1000 ah_uh\n")
