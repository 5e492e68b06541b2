# SPDX-License-Identifier: Apache-2.0
"""Speakers have other names where that is asked for: the same ones each time, and none in the tables."""

import shutil
import stat
import sys

import pyarrow.parquet as pq
import pytest
from tests.conftest import write_tone

from speechmill import api
from speechmill.core.errors import WorkspaceError
from speechmill.store.dataset import Dataset
from speechmill.store.pseudonyms import Pseudonyms, pseudonyms


def test_a_pseudonym_depends_on_key_and_name_alone():
    one = Pseudonyms(bytes(32))
    assert one.of("Anna") == Pseudonyms(bytes(32)).of("Anna") == "spk-e86a29b069"
    assert one.of("Anna") != one.of("anna")
    assert one.of("Anna") != Pseudonyms(bytes(31) + b"x").of("Anna")
    assert one.of("talk-3f9a2c#1") != one.of("talk-3f9a2c#2")
    assert one.of(None) is None


def test_the_key_is_made_once_and_is_the_owners(tmp_path):
    first = pseudonyms(tmp_path).of("Anna")
    key = (tmp_path / "privacy" / "key").read_text()
    assert pseudonyms(tmp_path).of("Anna") == first
    assert (tmp_path / "privacy" / "key").read_text() == key
    assert [path.name for path in (tmp_path / "privacy").iterdir()] == ["key"]
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "privacy" / "key").stat().st_mode) == 0o600
    assert pseudonyms(tmp_path / "other").of("Anna") != first


def test_a_broken_key_is_an_error_and_not_replaced(tmp_path):
    (tmp_path / "privacy").mkdir()
    (tmp_path / "privacy" / "key").write_text("abc")
    with pytest.raises(WorkspaceError, match="no key of 64 hex digits"):
        pseudonyms(tmp_path)
    assert (tmp_path / "privacy" / "key").read_text() == "abc"


@pytest.mark.slow
def test_exports_name_nobody_and_tables_stay(tmp_path):
    folder, out = tmp_path / "audio", tmp_path / "out"
    folder.mkdir()
    write_tone(folder / "a.wav", 2.0)
    (folder / "a.txt").write_text("what somebody says")
    (folder / "recordings.tsv").write_text("path\tspeaker\na.wav\tAnna Nguyen\n")
    settings = {
        "language": "en",
        "transcript": ["sidecar"],
        "diarize": "none",
        "align": None,
        "quality": ["snr"],
        "filter": "none",
        "export": ["jsonl", "rttm"],
        "speakers": "pseudonyms",
    }
    api.run(folder, out, settings=settings, workers=1)
    (named,) = Dataset(out).segments()
    (hidden,) = Dataset(out, "pseudonyms").segments()
    assert named.speaker == "Anna Nguyen"
    assert hidden.speaker == pseudonyms(out).of("Anna Nguyen")
    assert Dataset(out, "pseudonyms").recordings()[hidden.recording_id].speaker in (None, hidden.speaker)
    written = b"".join(path.read_bytes() for path in (out / "exports").rglob("*") if path.is_file())
    assert b"Anna" not in written
    assert hidden.speaker.encode() in written
    assert (out / "privacy" / "key").read_bytes().strip() not in written
    assert pq.read_table(out / "tables" / next((out / "tables").glob("segments-*")).name)["speaker"].to_pylist() == [
        "Anna Nguyen"
    ]
    shutil.rmtree(out)
