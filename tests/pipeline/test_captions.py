# SPDX-License-Identifier: Apache-2.0
"""Captions through a whole run: what is left out is in no segment, and the recording says how much it was."""

import pyarrow.parquet as pq
import pytest

GOOD = "WEBVTT\n\n00:00.200 --> 00:01.900\none two three four five\n\n00:02.000 --> 00:02.200\n[music]\n"
BAD = "WEBVTT\n\n00:00.200 --> 00:01.900\n♪ la la la ♪\n"


@pytest.mark.slow
def test_what_rules_left_out_is_counted_in_the_dataset(speechmill, make_tone, tmp_path):
    folder = tmp_path / "audio"
    folder.mkdir()
    for name, captions in (("good", GOOD), ("bad", BAD)):
        make_tone(folder / f"{name}.wav", 3.0, 200.0 if name == "good" else 300.0)
        (folder / f"{name}.vtt").write_text(captions, encoding="utf-8")
    (tmp_path / "corpus.yaml").write_text(
        "sources: [local: {path: ./audio}]\nlanguage: en\ntranscript: [{captions: manual}]\n"
        "diarize: none\nquality: []\nalign: none\nfilter: none\nexport: []\n",
        encoding="utf-8",
    )
    speechmill("run", tmp_path / "corpus.yaml", "--out", tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "dataset" / "recordings.parquet").to_pylist()
    found = {row["id"].split("-")[0]: (row["transcript"], row["warnings"]) for row in rows}
    assert found == {
        "good": ("captions", ["captions-dropped: of 2: 1 noise"]),
        "bad": ("none", ["captions-dropped: of 1: 1 music"]),
    }
    segments = pq.read_table(tmp_path / "out" / "dataset" / "segments.parquet").to_pylist()
    assert [row["text"] for row in segments] == ["one two three four five"]
