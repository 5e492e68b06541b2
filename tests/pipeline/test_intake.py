# SPDX-License-Identifier: Apache-2.0
"""Keys: what a result depends on changes them, and nothing else does."""

import os

import pytest

from speechmill.pipeline import spec
from speechmill.pipeline.intake import Memory, discover

SRT = "1\n00:00:00,000 --> 00:00:01,000\nhello\n"


@pytest.fixture
def folder(tmp_path, make_tone):
    audio = tmp_path / "audio"
    audio.mkdir()
    make_tone(audio / "my.talk.wav", 1.0)
    (audio / "my.talk.srt").write_text(SRT)
    return audio


def found(folder, limit=None, **fields):
    """Discover a folder's sources; returns file name -> source."""
    corpus = spec.resolve({"sources": [{"local": {"path": str(folder)}}], **fields}, folder)
    memory = Memory(folder.parent / "hashes.parquet")
    sources = discover(corpus, memory, folder.parent / "out", limit)
    memory.save()
    return {os.path.basename(source.uri): source for source in sources}


def key(folder, **fields):
    (source,) = found(folder, **fields).values()
    return source.key


def test_the_key_is_the_same_each_time(folder):
    assert key(folder) == key(folder)


def test_a_renamed_recording_keeps_its_key(folder):
    before = key(folder)
    (folder / "my.talk.wav").rename(folder / "other.wav")
    (folder / "my.talk.srt").rename(folder / "other.srt")
    assert key(folder) == before


def test_another_kind_of_transcript_with_equal_bytes_is_another_key(folder):
    before = key(folder)
    (folder / "my.talk.srt").rename(folder / "my.talk.txt")
    as_text = key(folder)
    (folder / "my.talk.txt").rename(folder / "my.talk.en.srt")
    assert len({before, as_text, key(folder)}) == 3


def test_an_edited_or_removed_transcript_is_another_key(folder):
    before = key(folder)
    (folder / "my.talk.srt").write_text(SRT.replace("hello", "goodbye"))
    edited = key(folder)
    (folder / "my.talk.srt").unlink()
    assert len({before, edited, key(folder)}) == 3


@pytest.mark.parametrize(
    "row",
    [
        ("language", "vi"),
        ("speaker", "anna"),
        ("num_speakers", "2"),
        ("channels", "each"),
        ("date", "2024-05-01"),
    ],
)
def test_metadata_that_a_result_may_depend_on_is_in_the_key(folder, row):
    before = key(folder)
    (folder / "recordings.tsv").write_text(f"path\t{row[0]}\nmy.talk.wav\t{row[1]}\n")
    assert key(folder) != before


def test_a_licence_is_not_in_the_key(folder):
    before = key(folder)
    (folder / "recordings.tsv").write_text("path\tlicence\nmy.talk.wav\tCC0 1.0\n")
    source = found(folder)["my.talk.wav"]
    assert (source.key, source.rights.licence) == (before, "CC0 1.0")


def test_the_corpus_files_language_is_in_the_key(folder):
    assert key(folder, language="en") != key(folder, language="vi")


def test_a_file_is_hashed_again_when_it_has_changed_and_only_then(folder, monkeypatch):
    from speechmill.pipeline import intake

    hashed, real = [], intake.sha256_file
    monkeypatch.setattr(intake, "sha256_file", lambda path: hashed.append(path.name) or real(path))
    found(folder)
    assert sorted(hashed) == ["my.talk.srt", "my.talk.wav"]
    found(folder)
    assert len(hashed) == 2
    (folder / "my.talk.srt").write_text(SRT * 2)
    found(folder)
    assert hashed[2:] == ["my.talk.srt"]


def test_a_lost_memory_is_made_again(folder):
    before = key(folder)
    (folder.parent / "hashes.parquet").write_bytes(b"PAR1 no more")
    assert key(folder) == before


def test_the_first_of_equal_recordings_owns_the_work(folder, make_tone):
    make_tone(folder / "zzz.wav", 1.0)
    (folder / "zzz.srt").write_text(SRT)
    both = found(folder)
    assert both["zzz.wav"].alias_of == both["my.talk.wav"].id
    assert both["my.talk.wav"].alias_of is None


def test_what_cannot_be_read_is_keyed_by_its_name(folder):
    (folder / "my.talk.wav").unlink()
    (folder / "my.talk.wav").symlink_to(folder / "nowhere.wav")
    source = found(folder)["my.talk.wav"]
    assert source.error == "missing: dangling link"
    assert source.key == found(folder)["my.talk.wav"].key
    assert source.sha256 == ""


def test_a_workspace_inside_the_folder_is_not_fed_on(folder, make_tone):
    out = folder / "out"
    out.mkdir()
    make_tone(out / "inside.wav", 1.0)
    corpus = spec.resolve({"sources": [{"local": {"path": str(folder)}}]}, folder)
    sources = discover(corpus, Memory(folder.parent / "hashes.parquet"), out)
    assert [os.path.basename(source.uri) for source in sources] == ["my.talk.wav"]


def test_a_folder_named_twice_is_read_once(folder):
    corpus = spec.resolve({"sources": [{"local": {"path": str(folder)}}] * 2}, folder)
    assert len(discover(corpus, Memory(folder.parent / "hashes.parquet"), folder / "out")) == 1


def test_limit_takes_the_first(folder, make_tone):
    make_tone(folder / "aaa.wav", 1.5)
    assert list(found(folder, limit=1)) == ["aaa.wav"]
