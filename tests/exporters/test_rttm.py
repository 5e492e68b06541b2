# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from speechmill.core.stage import Context
from speechmill.exporters.rttm import Backend, Config, one_field
from speechmill.store.dataset import Dataset


def test_each_kept_segment_is_a_line(dataset: Dataset, folder: Path, context: Context) -> None:
    assert Backend(Config(), context).export(dataset, folder) == 3
    assert (folder / "talk-1a2b3c.rttm").read_text(encoding="utf-8").split("\n") == [
        "SPEAKER talk-1a2b3c 1 0.1000 1.0000 <NA> <NA> anna <NA> <NA>",
        "SPEAKER talk-1a2b3c 2 0.5000 1.2000 <NA> <NA> Bảo,_the_host <NA> <NA>",
        "",
    ]


def test_lhotse_reads_it(dataset: Dataset, folder: Path, context: Context) -> None:
    from lhotse import SupervisionSet

    Backend(Config(), context).export(dataset, folder)
    supervisions = SupervisionSet.from_rttm(folder / "tin-tuc-9f8e7d.rttm")
    assert [(s.recording_id, s.start, s.duration, s.speaker) for s in supervisions] == [
        ("tin-tuc-9f8e7d", 0.25, 1.5, "anna")
    ]


def test_nothing_kept_is_no_rttm(empty_dataset: Dataset, folder: Path, context: Context) -> None:
    assert Backend(Config(), context).export(empty_dataset, folder) == 0
    assert [path.name for path in folder.iterdir()] == ["ATTRIBUTION.tsv"]


def test_a_name_of_nothing_printable_is_unknown() -> None:
    assert one_field(";; ") == "unknown"
    assert one_field("a\tb\nc") == "a_b_c"
