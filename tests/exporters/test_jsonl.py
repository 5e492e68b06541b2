# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from speechmill.core.stage import Context
from speechmill.core.types import Recording, Segment
from speechmill.exporters.jsonl import Backend, Config
from speechmill.formats.manifest import read_jsonl
from speechmill.store.dataset import Dataset


def test_what_is_written_is_read_back(dataset: Dataset, tmp_path: Path) -> None:
    for kept_only in (True, False):
        folder = tmp_path / str(kept_only)
        folder.mkdir()
        count = Backend(Config(kept_only=kept_only), Context(dataset.root, lambda name: dataset.root)).export(
            dataset, folder
        )
        expected = list(dataset.segments(kept=kept_only))
        assert list(read_jsonl(folder / "segments.jsonl", Segment)) == expected
        assert count == len(expected) > 0
        found = {one.id: one.audio for one in read_jsonl(folder / "recordings.jsonl", Recording)}
        assert found == {one.id: one.audio for one in dataset.recordings().values()}
