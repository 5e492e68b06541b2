# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from lhotse import SupervisionSet
from msgspec import structs
from tests.exporters.split_in_two import OneShard, exported

from speechmill.core.stage import Context
from speechmill.exporters import Row, rttm
from speechmill.exporters._per_recording import one_field, one_name
from speechmill.exporters.rttm import Config
from speechmill.formats.rttm import read
from speechmill.store.dataset import Dataset


def test_each_kept_segment_is_a_line(dataset: Dataset, folder: Path) -> None:
    exported(rttm, Config(), dataset, folder)
    assert (folder / "train" / "talk-1a2b3c.rttm").read_text(encoding="utf-8").split("\n") == [
        "SPEAKER talk-1a2b3c 1 0.1000 1.0000 <NA> <NA> anna <NA> <NA>",
        "SPEAKER talk-1a2b3c 2 0.5000 1.2000 <NA> <NA> Bảo,_the_host_6eddddf3 <NA> <NA>",
        "",
    ]


def test_a_split_is_one_file_too_and_lhotse_reads_it(dataset: Dataset, folder: Path) -> None:
    exported(rttm, Config(), dataset, folder)
    supervisions = SupervisionSet.from_rttm(folder / "train.rttm")
    assert [(s.recording_id, s.start, s.duration, s.speaker) for s in supervisions] == [
        ("talk-1a2b3c", 0.1, 1.0, "anna"),
        ("talk-1a2b3c", 0.5, 1.2, "Bảo,_the_host_6eddddf3"),
        ("tin-tuc-9f8e7d", 0.25, 1.5, "anna"),
    ]


def test_nothing_kept_is_no_rttm(empty_dataset: Dataset, folder: Path) -> None:
    exported(rttm, Config(), empty_dataset, folder)
    assert list(folder.iterdir()) == []


def test_a_name_of_nothing_printable_is_unknown() -> None:
    assert one_field(";; ") == "unknown"
    assert one_field("a\tb\nc") == "a_b_c"


def test_distinct_speakers_stay_distinct() -> None:
    names = ["a b", "a_b", "a  b", "a\tb", " a_b", ";a_b", "unknown", ";; ", " "]
    written = list(map(one_name, names))
    assert len(set(written)) == len(names)
    assert written[:2] == ["a_b_c8687a08", "a_b"]
    assert all(name.split() == [name] and not name.startswith(";") for name in written)


def test_two_speakers_whose_names_differ_in_a_blank_are_two_in_the_file(
    dataset: Dataset, folder: Path, context: Context
) -> None:
    first = next(iter(dataset.segments()))
    recording = dataset.recordings()[first.recording_id]
    spoken = [structs.replace(first, speaker=name) for name in ("a b", "a_b")]
    shard = OneShard("train-00000", "train", dataset, (Row(recording, spoken),))
    rttm.Backend(Config(), context).shard(shard, folder)
    turns = read(folder / "train" / "talk-1a2b3c.rttm")["talk-1a2b3c"]
    assert [turn.speaker for turn in turns] == ["a_b_c8687a08", "a_b"]
