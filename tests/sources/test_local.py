# SPDX-License-Identifier: Apache-2.0
"""Folders as people have them: order, links, odd names, tables, sidecars."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from speechmill.core import registry
from speechmill.core.errors import ConfigError
from speechmill.core.types import Rights, Source
from speechmill.sources.local import Backend, Config, safe_stem


def _touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def _discover(root: Path, **options: object) -> list[Source]:
    return list(Backend(Config(path=str(root), **options), Path("/")).discover())


def _names(root: Path, sources: list[Source]) -> list[str]:
    return [os.path.relpath(source.uri, root) for source in sources]


def test_the_registry_finds_it():
    assert registry.require("sources", "local").Backend is Backend


def test_audio_files_are_found_in_a_stable_order(tmp_path):
    _touch(tmp_path, "b.wav", "a/z.FLAC", "a/c/d.mp3", "a.opus", "notes.pdf", "c.textgrid", ".hidden.wav", "._b.wav")
    sources = _discover(tmp_path)
    assert _names(tmp_path, sources) == ["a.opus", "a/c/d.mp3", "a/z.FLAC", "b.wav"]
    assert sources == _discover(tmp_path)
    assert sources[0] == Source("a-7fce081d", str(tmp_path / "a.opus"), size=4, rights=Rights())


def test_the_id_follows_from_the_path_below_the_root_only(tmp_path):
    _touch(tmp_path / "x", "s1/clip.wav", "s2/clip.wav")
    _touch(tmp_path / "y", "s2/clip.wav")
    first, second = (source.id for source in _discover(tmp_path / "x"))
    assert first != second
    assert [source.id for source in _discover(tmp_path / "y")] == [second]


def test_files_of_one_stem_have_ids_of_their_own(tmp_path):
    # sha256 of both paths starts with the same six hex digits; eight tell them apart.
    _touch(tmp_path, "s1324/clip.wav", "s8070/clip.wav")
    assert len({source.id for source in _discover(tmp_path)}) == 2


def test_paths_are_relative_to_the_base_and_a_file_will_do(tmp_path):
    _touch(tmp_path, "corpus/a.wav", "corpus/b.wav")
    _write(tmp_path / "corpus/recordings.tsv", "path\tspeaker\na.wav\tAnn\nb.wav\tBob\ngone.wav\tCy\n")
    _write(tmp_path / "corpus/transcripts.tsv", "file\ttext\na\tchào\n")
    sources = list(Backend(Config(path="corpus/a.wav"), tmp_path).discover())
    assert [(source.uri, source.speaker, source.text) for source in sources] == [
        (str(tmp_path / "corpus/a.wav"), "Ann", "chào")
    ]
    assert [source.id for source in sources] == [_discover(tmp_path / "corpus")[0].id]


def test_what_does_not_exist_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match=r"no such file or folder: .*nowhere"):
        _discover(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="extensions is empty"):
        _discover(tmp_path, extensions=())


def test_options_narrow_the_search(tmp_path):
    _touch(tmp_path, "a.wav", "b.mp3", "c/d.wav")
    assert _names(tmp_path, _discover(tmp_path, extensions=(".WAV",))) == ["a.wav", "c/d.wav"]
    assert _names(tmp_path, _discover(tmp_path, recursive=False)) == ["a.wav", "b.mp3"]


def test_links_are_followed_and_loops_survived(tmp_path):
    _touch(tmp_path, "root/a/x.wav", "elsewhere/y.wav")
    (tmp_path / "root/a/up").symlink_to(tmp_path / "root")
    (tmp_path / "root/a/self").symlink_to(tmp_path / "root/a")
    (tmp_path / "root/far").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root/link.wav").symlink_to(tmp_path / "elsewhere/y.wav")
    assert _names(tmp_path / "root", _discover(tmp_path / "root")) == ["a/x.wav", "far/y.wav", "link.wav"]


def test_what_can_not_be_read_is_a_source_with_an_error(tmp_path):
    _touch(tmp_path, "fine.wav")
    (tmp_path / "dangling.wav").symlink_to(tmp_path / "nowhere.wav")
    (tmp_path / "ouroboros.wav").symlink_to(tmp_path / "ouroboros.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    with open(os.path.join(os.fsencode(tmp_path), b"n\xe9.wav"), "wb"):
        pass
    sources = _discover(tmp_path)
    assert [(source.id[:-9], source.error) for source in sources] == [
        ("dangling", "missing: dangling link"),
        ("fine", None),
        ("n_", "unreadable: its name is not UTF-8"),
        ("ouroboros", "unreadable: Too many levels of symbolic links"),
        ("pipe", "unreadable: not a regular file"),
    ]
    assert sources[2].uri == f"{tmp_path}/n\\xe9.wav"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_forbidden_files_and_folders(tmp_path):
    _touch(tmp_path, "a.wav", "b/c.wav")
    (tmp_path / "a.wav").chmod(0)
    (tmp_path / "b").chmod(0)
    errors = [source.error for source in _discover(tmp_path)]
    (tmp_path / "b").chmod(0o700)
    assert errors == ["unreadable: Permission denied"] * 2


def test_a_forbidden_folder_is_a_source_with_an_error(tmp_path, monkeypatch):
    _touch(tmp_path, "a.wav", "b/c.wav")
    real = os.scandir

    def scandir(path):
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = [(os.path.relpath(source.uri, tmp_path), source.error) for source in _discover(tmp_path)]
    assert found == [("a.wav", None), ("b", "unreadable: Permission denied")]


def test_odd_names_work(tmp_path):
    names = [
        'say "hi".wav',
        "two\nlines.wav",
        "Tiếng Việt.wav",
        "tab\there.wav",
        "e\u0301.wav",
        "-rf.wav",
        "...wav.wav",
    ]
    for name in names:
        if not name.startswith("."):
            _touch(tmp_path, name)
            _write(tmp_path / (name[:-4] + ".txt"), "x")
    sources = _discover(tmp_path)
    assert {source.id[:-9] for source in sources} == {"say__hi_", "two_lines", "Tiếng_Việt", "tab_here", "é", "_rf"}
    assert all(source.sidecars == (source.uri[:-4] + ".txt",) and source.error is None for source in sources)


@settings(max_examples=60, deadline=None)
@given(stem=st.text(max_size=120))
def test_any_stem_becomes_a_safe_name(stem):
    safe = safe_stem(stem)
    assert 1 <= len(safe.encode()) <= 80
    assert safe == unicodedata.normalize("NFC", safe)
    assert re.fullmatch(r"[^-\W.]?[^\s./\\\"'<>|:*?]*", safe)


def test_recordings_tsv_adds_metadata(tmp_path):
    _touch(tmp_path, "a.wav", "s/b.wav", "c.wav", ".raw.wav", "d.xyz")
    _write(
        tmp_path / "recordings.tsv",
        "\ufeffpath\tlanguage\tspeaker\tnum_speakers\tchannels\tlicence\tevidence\tconsent\tdate\tattribution\r\n"
        "a.wav\tvi\tAnn\t1\tmix\tCC BY 4.0\thttp://x\tyes\t2024-05-01\tAnn N.\r\n"
        "./s/b.wav\ten\r\n"
        "\r\n"
        "gone.wav\tvi\tBob\r\n"
        ".raw.wav\t\t\t2\teach\r\n"
        "d.xyz\r\n",
    )
    sources = _discover(tmp_path)
    assert _names(tmp_path, sources) == [".raw.wav", "a.wav", "c.wav", "d.xyz", "gone.wav", "s/b.wav"]
    raw, a, c, d, gone, b = sources
    assert (raw.num_speakers, raw.channels, raw.size) == (2, "each", 4)
    assert (a.language, a.speaker, a.num_speakers, a.channels, a.date) == ("vi", "Ann", 1, "mix", "2024-05-01")
    assert a.rights == Rights("CC BY 4.0", "cc-by", evidence="http://x", attribution="Ann N.", consent="yes")
    assert (c.language, c.rights) == (None, Rights())
    assert d.error is None
    assert (gone.error, gone.speaker, gone.size) == ("missing: listed in recordings.tsv line 5", "Bob", 0)
    assert (b.language, b.speaker) == ("en", None)


def test_a_name_in_nfc_finds_a_file_in_nfd(tmp_path):
    _touch(tmp_path, unicodedata.normalize("NFD", "tiếng.wav"))
    _write(tmp_path / "recordings.tsv", unicodedata.normalize("NFC", "path\tlanguage\ntiếng.wav\tvi\n"))
    _write(tmp_path / "transcripts.tsv", unicodedata.normalize("NFC", "file\ttext\ntiếng\tchào\n"))
    assert [(source.language, source.text, source.error) for source in _discover(tmp_path)] == [("vi", "chào", None)]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("path\tlicense\n", r"recordings\.tsv:1: unknown column 'license'; did you mean 'licence'"),
        ("language\n", ":1: no column 'path'"),
        ("path\tpath\n", ":1: the header has a column twice"),
        ("path\tnum_speakers\na.wav\t2\nb.wav\ttwo\n", ":3: num_speakers is 'two'"),
        ("path\tnum_speakers\na.wav\t0\n", ":2: num_speakers is '0'"),
        ("path\tchannels\na.wav\tleft\n", ":2: channels is 'left'; it is mix or each"),
        ("path\tdate\n\t2024\n", ":2: no path"),
        ("path\na.wav\n./a.wav\n", r":3: \./a\.wav is listed before, in line 2"),
        ("path\na.wav\tx\n", ":2: 2 columns, the header has 1"),
    ],
)
def test_a_broken_recordings_tsv_says_where(tmp_path, table, message):
    _touch(tmp_path, "a.wav", "b.wav")
    _write(tmp_path / "recordings.tsv", table)
    with pytest.raises(ConfigError, match=message):
        _discover(tmp_path)


@pytest.mark.parametrize("name", ["recordings.tsv", "transcripts.tsv"])
def test_broken_utf8_in_a_table_says_where(tmp_path, name):
    _touch(tmp_path, "a.wav")
    (tmp_path / name).write_bytes(b"path\ttext\nn\xe9.wav\tx\n")
    with pytest.raises(ConfigError, match=f"{name}:2: broken UTF-8"):
        _discover(tmp_path)


def test_the_nearest_transcripts_tsv_wins(tmp_path):
    _touch(tmp_path, "a/b/x.wav", "a/b/y.wav", "a/z.wav", "q.wav", "r.wav")
    _write(
        tmp_path / "transcripts.tsv", 'file\ttext\nq\t"Yes," he said.\na/b/x.wav\troot\na/b/y\troot\na/z.wav\troot\n'
    )
    _write(tmp_path / "a/transcripts.tsv", "id\tpath\ttext\n1\tb/x.wav\tmiddle\n2\tz.wav\t\n")
    _write(tmp_path / "a/b/transcripts.tsv", "path\ttext\nx\tnear\n")
    texts = {name: source.text for source in _discover(tmp_path) for name in _names(tmp_path, [source])}
    assert texts == {"a/b/x.wav": "near", "a/b/y.wav": "root", "a/z.wav": "", "q.wav": '"Yes," he said.', "r.wav": None}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", ":1: the header has a column twice or without a name"),
        ("name\ttext\n", ":1: the header needs the columns file and text; it has: name, text"),
        ("file\ttext\na.wav\tx\na.wav\ty\n", r":3: a second text for a\.wav"),
        ("file\ttext\n\tx\n", ":2: no file name"),
        ("file\ttext\na\tone\ttwo\n", ":2: 3 columns"),
    ],
)
def test_a_broken_transcripts_tsv_says_where(tmp_path, table, message):
    _touch(tmp_path, "s/a.wav")
    _write(tmp_path / "s/transcripts.tsv", table)
    with pytest.raises(ConfigError, match=message):
        _discover(tmp_path)


def test_sidecars_come_best_first(tmp_path):
    _touch(tmp_path, "talk.wav", "talk.2.wav", "talk.vi.mp3")
    beside = [
        "talk.txt",
        "talk.LAB",
        "talk.en-US.srt",
        "talk.srt",
        "talk.de.srt",
        "talk.VTT",
        "talk.json",
        "talk.TextGrid",
    ]
    others = ["talk.info.json", "talker.txt", "talk.2.txt", "talk.vi.vtt", "transcripts.txt", "talk.md"]
    for name in (*beside, *others):
        _write(tmp_path / name, "x")
    found = {Path(source.uri).name: [Path(path).name for path in source.sidecars] for source in _discover(tmp_path)}
    assert found == {
        "talk.2.wav": ["talk.2.txt"],
        "talk.vi.mp3": ["talk.vi.vtt"],
        "talk.wav": [
            "talk.TextGrid",
            "talk.json",
            "talk.VTT",
            "talk.srt",
            "talk.de.srt",
            "talk.en-US.srt",
            "talk.LAB",
            "talk.txt",
        ],
    }


def test_real_speech_is_found_with_its_text(shared_data):
    sources = _discover(shared_data / "librispeech_test_other")
    assert len(sources) == 60
    assert all(source.text and source.error is None and source.size > 0 for source in sources)
    vietnamese = _discover(shared_data / "vietnamese_clips")
    assert [len(source.sidecars) for source in vietnamese] == [1, 1, 1, 1]


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a/../../b.wav", "C:/a.wav", "C:\\a.wav", "a\0b"])
@pytest.mark.parametrize("column", ["path", "reference"])
def test_a_table_can_not_name_what_lies_outside_its_folder(tmp_path, path, column):
    _touch(tmp_path, "corpus/a.wav", "b.wav")
    rows = {"path": "a.wav", "reference": "a.wav"} | {column: path}
    table = "\n".join(["\t".join(rows), "\t".join(rows.values())])
    (tmp_path / "corpus" / "recordings.tsv").write_text(table, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"recordings\.tsv:2: "):
        _discover(tmp_path / "corpus")
