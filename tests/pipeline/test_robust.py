# SPDX-License-Identifier: Apache-2.0
"""What goes wrong around a run: equal names, damage found late, files that change, workspaces that move."""

import errno
import json
import os
import shutil

import pyarrow.parquet as pq
import pytest

from speechmill.core.columns import GAPS
from speechmill.core.errors import ConfigError, WorkspaceBusy
from speechmill.core.types import Interval, Source, Stamp
from speechmill.formats import manifest
from speechmill.pipeline.plan import Node, Resources
from speechmill.pipeline.spec import language_code
from speechmill.pipeline.table import _fitting
from speechmill.pipeline.worker import changes
from speechmill.store.ledger import Ledger, Result
from speechmill.store.workspace import Workspace

RUN = ("--language", "en", "--transcript", "sidecar", "--diarize", "none", "--align", "none", "--quality", "snr")


def segments(out):
    return pq.read_table(out / "dataset" / "segments.parquet").to_pylist()


@pytest.mark.slow
@pytest.mark.parametrize("text", ["other", "same"])
def test_two_sources_may_hold_the_same_relative_path(speechmill, make_tone, tmp_path, text):
    for name, words in (("a", "same"), ("b", text)):
        (tmp_path / name).mkdir()
        make_tone(tmp_path / name / "talk.wav", 2.0)
        (tmp_path / name / "talk.txt").write_text(words)
    corpus = tmp_path / "corpus.yaml"
    corpus.write_text("language: en\nsources: [{local: {path: a}}, {local: {path: b}}]\nexport: []\nstore: out\n")
    speechmill("run", corpus, *RUN)
    rows = segments(tmp_path / "out")
    assert sorted(row["text"] for row in rows) == sorted({"same", text})
    assert len({row["id"] for row in rows}) == len(rows)
    recordings = pq.read_table(tmp_path / "out" / "dataset" / "recordings.parquet").to_pylist()
    assert len({row["id"] for row in recordings}) == 2
    assert [row["alias_of"] is not None for row in recordings] == [False, text == "same"]


@pytest.mark.slow
def test_damage_that_only_the_join_meets_is_mended_before_the_dataset_is_written(speechmill, tone_corpus, tmp_path):
    folder, out = tone_corpus({"a": "one", "b": "two"}), tmp_path / "out"
    speechmill("run", folder, "--out", out, *RUN, "--export", "none")
    part = next((out / "stages").glob("segment-*/*/*.parquet"))
    with pq.ParquetFile(part) as file:
        column = file.metadata.row_group(0).column(file.metadata.num_columns - 1)
        assert column.path_in_schema.startswith("segments")
    raw = bytearray(part.read_bytes())
    begin = column.dictionary_page_offset or column.data_page_offset
    raw[begin : begin + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    part.write_bytes(raw)
    shutil.rmtree(out / "tables")
    done = speechmill("run", folder, "--out", out, *RUN, "--export", "none", "--json")
    assert [row["text"] for row in segments(out)] == ["one", "two"]
    assert part.name in json.loads(done.stdout)["warnings"][0]


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE])
def test_a_disks_passing_trouble_destroys_no_part(tmp_path, monkeypatch, number):
    ledger = Ledger(tmp_path)
    path = ledger.write("vad-1", "00000", ["speech"], [Result("a", {"speech": (Interval(0.0, 1.0),)})])

    def trouble(*_arguments, **_options):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(manifest.pq, "ParquetFile", trouble)
        with pytest.raises(OSError, match=os.strerror(number)):
            Ledger(tmp_path).states("vad-1")
    assert path.exists()
    assert Ledger(tmp_path).states("vad-1")["a"].ok


def test_scores_of_other_segments_become_a_gap():
    node = Node("quality.snr", "1", (), (), (), Resources())
    before = {"segments": ("one", "two")}
    assert _fitting(node, {"segments.scores.snr_db": (1.0, 2.0)}, before) == {"segments.scores.snr_db": (1.0, 2.0)}
    assert _fitting(node, {"segments.scores.snr_db": (1.0,)}, before) == {
        GAPS + "quality.snr": ("stale: made of other segments",) * 2
    }


def test_a_changed_file_is_noticed(tmp_path):
    audio, text = tmp_path / "a.wav", tmp_path / "a.txt"
    audio.write_bytes(b"one")
    text.write_bytes(b"two")
    stamps = tuple(Stamp(path.stat().st_size, path.stat().st_mtime_ns) for path in (audio, text))
    source = Source("a", str(audio), sidecars=(str(text),), stamps=stamps)
    assert changes(source) is None
    os.utime(text, ns=(0, 0))
    assert changes(source) == str(text)


@pytest.mark.slow
def test_a_moved_workspace_is_worked_on_where_it_is(speechmill, tone_corpus, tmp_path):
    folder = tone_corpus({"a": "one"})
    speechmill("run", folder, "--out", tmp_path / "out", *RUN, "--export", "none")
    (tmp_path / "out").rename(tmp_path / "moved")
    run = next((tmp_path / "moved" / "runs").iterdir())
    shutil.rmtree(next((tmp_path / "moved" / "stages").glob("quality.snr-*")))
    counts = json.loads(speechmill("exec", "--run", run, "--stages", "quality").stdout)["stages"]
    assert counts["quality.snr"]["processed"] == 1
    assert not (tmp_path / "out").exists()
    assert "no shard 7; there are 0 to 0" in speechmill("exec", "--run", run, "--shard", "7", expect=2).stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no shared locks here")
def test_gc_waits_for_those_who_joined(tmp_path):
    workspace = Workspace.create(tmp_path / "out")
    other = Workspace.open(tmp_path / "out")
    with workspace.joined(), other.joined(), pytest.raises(WorkspaceBusy, match="exec"), workspace.joined(alone=True):
        pass
    with workspace.joined(alone=True):
        pass


@pytest.mark.parametrize(
    ("written", "code"), [("EN", "en"), ("en_US", "en-us"), ("yue", "yue"), ("zh-Hans", "zh-hans")]
)
def test_language_codes_have_one_spelling(written, code):
    assert language_code(written) == code


@pytest.mark.parametrize("written", ["english", "e", "en us", "vi;rm"])
def test_what_is_no_language_code_is_refused(written):
    with pytest.raises(ConfigError, match="is not an ISO 639 language code"):
        language_code(written)


@pytest.mark.slow
def test_a_transcript_of_a_channel_that_is_not_there_fails_its_recording(speechmill, tone_corpus, tmp_path):
    folder = tone_corpus({"a": "one", "b": "two"})
    (folder / "a.txt").unlink()
    entry = {"text": "hi", "start": 0.2, "duration": 1.0, "channel": 3}
    (folder / "a.json").write_text(json.dumps({"utterances": [entry]}))
    done = speechmill("run", folder, "--out", tmp_path / "out", *RUN, "--json", expect=1)
    assert [item["reason"] for item in json.loads(done.stdout)["failures"]] == ["no-such-channel"]
    assert [row["text"] for row in segments(tmp_path / "out")] == ["two"]
