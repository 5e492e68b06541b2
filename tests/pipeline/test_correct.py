# SPDX-License-Identifier: Apache-2.0
"""Files that come back: what they change is logged, what agrees with the dataset is not."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from speechmill.core.errors import ConfigError, FormatError
from speechmill.core.types import Correction, Recording, Segment, Source, Word
from speechmill.exporters.textgrid import text_grid
from speechmill.formats import eaf
from speechmill.formats.audio import probe
from speechmill.formats.manifest import (
    arrow_schema,
    read_rows,
    segment_schema,
    table_of,
    write_parquet,
    write_rows,
)
from speechmill.formats.textgrid import IntervalTier, TextGrid, write
from speechmill.pipeline import corrected_corpus
from speechmill.pipeline.correct import drop, import_files
from speechmill.store.corrections import by_audio, log
from speechmill.store.workspace import Workspace

WORDS = (Word("one", 1.1, 0.4), Word("two", 1.6, 0.8))
PHONES = (Word("w", 1.1, 0.2), Word("n", 1.3, 0.2), Word("t", 1.6, 0.8))
SEGMENTS = (
    Segment("talk-11-0-0001000-0003000", "talk-11", 1.0, 2.0, 0, "One, two.", "en", "talk-11#1", 0, WORDS, PHONES),
    Segment("talk-11-0-0004000-0006000", "talk-11", 4.0, 2.0, 0, "three", "en", "talk-11#2"),
)


@pytest.fixture
def workspace(tmp_path):
    """A workspace whose dataset has one recording of ten seconds with two segments."""
    root = tmp_path / "workspace"
    Workspace.create(root)
    recording = Recording("talk-11", "/x/talk.wav", "aa", 10.0, 16_000, 1, ("recordings/v1/aa.flac",))
    schema = segment_schema(["snr_db"])
    write_parquet(root / "dataset" / "segments.parquet", table_of(SEGMENTS, schema))
    write_parquet(root / "dataset" / "recordings.parquet", table_of([recording], arrow_schema(Recording)))
    return root


@pytest.fixture
def bring(workspace, tmp_path):
    """Import a file with this content; returns its corrections as tuples."""

    def go(name, content, **options):
        path = tmp_path / name
        if isinstance(content, TextGrid):
            write(path, content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            eaf.write(path, content)
        (imported,) = import_files(workspace, [path], who="Lan", **options)
        rows = by_audio(workspace / "corrections").get("aa", ())
        assert imported.corrections == len(rows)
        return [(row.start, round(row.end, 3), row.text, row.speaker, len(row.words)) for row in rows]

    return go


def grid(*tiers):
    return TextGrid(0.0, 10.0, tuple(IntervalTier(name, rows) for name, rows in tiers))


def test_what_was_exported_and_comes_back_as_it_was_corrects_nothing(bring, workspace):
    assert bring("talk-11.TextGrid", text_grid(10.0, SEGMENTS)) == []
    assert log(workspace / "corrections") == []


def test_a_changed_text_is_a_correction_and_its_neighbour_is_none(bring):
    tiers = (("talk-11#1", (Word("One, too.", 1.0, 2.0),)), ("talk-11#2", (Word("three", 4.0, 2.0),)))
    assert bring("talk.TextGrid", grid(*tiers)) == [(1.0, 3.0, "One, too.", "#1", 0)]


def test_words_of_the_old_text_beside_a_new_one_are_left(bring):
    tiers = (("#1", (Word("One, too.", 1.0, 2.0),)), ("#1 - words", WORDS))
    assert bring("talk.TextGrid", grid(*tiers)) == [(1.0, 3.0, "One, too.", "#1", 0)]


def test_what_was_there_before_outranks_a_correction_that_no_run_has_applied_yet(bring, workspace):
    """The dataset still says what it said: agreeing with it takes the correction back."""
    assert bring("talk.TextGrid", grid(("#1", (Word("One, too.", 1.0, 2.0),)))) == [(1.0, 3.0, "One, too.", "#1", 0)]
    (workspace.parent / "talk.TextGrid").unlink()
    write(workspace.parent / "talk.TextGrid", grid(("#1", (Word("One, two.", 1.0, 2.0),))))
    (imported,) = import_files(workspace, [workspace.parent / "talk.TextGrid"], who="Lan")
    assert (imported.corrections, imported.unchanged) == (1, 0)
    assert [row.text for row in by_audio(workspace / "corrections")["aa"]] == ["One, two."]


def test_another_speaker_alone_is_only_that(bring):
    assert bring("talk.TextGrid", grid(("Ann", (Word("three", 4.0, 2.0),)))) == [(4.0, 6.0, None, "Ann", 0)]


def test_moved_words_are_boundaries_of_the_text_that_was(bring, workspace):
    moved = (Word("one", 1.1, 0.45), Word("two", 1.6, 0.8))
    found = bring("talk.TextGrid", grid(("#1 - words", moved), ("#1 - phones", PHONES)))
    assert found == [(1.0, 3.0, "One, two.", "#1", 2)]
    (correction,) = by_audio(workspace / "corrections")["aa"]
    assert correction.words == moved
    assert [phone.symbol for phone in correction.phones] == ["w", "n", "t"]


def test_words_by_another_speaker_name_their_segments_speaker(bring):
    assert bring("talk.TextGrid", grid(("Ann - words", WORDS))) == [(1.0, 3.0, None, "Ann", 0)]


def test_changed_words_are_a_new_text(bring):
    words = (Word("one", 1.1, 0.4), Word("too", 1.6, 0.8))
    assert bring("talk.TextGrid", grid(("words", words))) == [(1.0, 3.0, "one too", "#1", 2)]


def test_words_where_nothing_was_are_utterances_parted_by_pauses(bring):
    words = (Word("four", 7.0, 0.4), Word("five", 7.5, 0.5), Word("six", 9.0, 0.5))
    assert bring("talk.TextGrid", grid(("words", words))) == [
        (7.0, 8.0, "four five", None, 2),
        (9.0, 9.5, "six", None, 1),
    ]


def test_tiers_that_an_aligner_adds_are_no_speakers(bring):
    assert bring("talk.TextGrid", grid(("confidence", (Word("0.91", 1.0, 2.0),)), ("syllables", WORDS))) == []


def test_a_tier_may_be_chosen(bring):
    tiers = (("notes", (Word("laughs", 1.0, 2.0),)), ("Ann", (Word("free", 4.0, 2.0),)))
    assert bring("talk.TextGrid", grid(*tiers), tier="A*") == [(4.0, 6.0, "free", "Ann", 0)]
    with pytest.raises(ConfigError, match="no tier matches 'B\\*'; there are: notes, Ann"):
        bring("talk.TextGrid", grid(*tiers), tier="B*")


def test_elan_names_speakers_by_participants(bring):
    tier = eaf.Tier("default", (Word("free", 4.0, 2.0),), participant="Ann")
    assert bring("talk.eaf", [tier]) == [(4.0, 6.0, "free", "Ann", 0)]


def test_a_table_names_segments_or_times(bring):
    found = bring(
        "checked.csv",
        "segment,recording,start,end,text,speaker\n"
        "talk-11-0-0001000-0003000,,,,One too,\n"
        ",talk.wav,4.0,6.0,,Ann\n"
        ",talk,7.0,8.5,new,Bo\n"
        "talk-11-0-0004000-0006000,,,,three,\n",
    )
    assert found == [(1.0, 3.0, "One too", None, 0), (4.0, 6.0, None, "Ann", 0), (7.0, 8.5, "new", "Bo", 0)]


def test_a_table_times_words(bring, workspace):
    table = "recording\tstart\tduration\ttext\tword\n"
    table += "talk\t7.0\t1.0\tHello, you!\t\ntalk\t7.1\t0.3\t\tHello\ntalk\t7.5\t0.4\t\tyou\n"
    assert bring("checked.tsv", table) == [(7.0, 8.0, "Hello, you!", None, 2)]
    (correction,) = by_audio(workspace / "corrections")["aa"]
    assert correction.words == (Word("Hello", 7.1, 0.3), Word("you", 7.5, 0.4))


@pytest.mark.parametrize(
    ("name", "table", "message"),
    [
        ("a.csv", "segment,txet\n", "a.csv:1: unknown columns txet"),
        ("a.csv", "recording,text\n", "a.csv:1: neither a column segment nor start"),
        ("a.csv", "recording,start,end\ntalk,x,2\n", "a.csv:2: start is 'x', not a number"),
        ("a.csv", "recording,start,end\ntalk,3,2\n", "a.csv:2: it ends at 2 s, and starts at 3 s"),
        ("a.csv", "segment,text\nnone-0-1-2,hi\n", "a.csv:2: the dataset has no segment 'none-0-1-2'"),
        ("a.csv", "segment,text\ntalk-11-0-1-2,hi\n", "a.csv:2: the dataset has no segment 'talk-11-0-1-2'"),
        ("a.csv", "recording,start,end,text\ntalk,9,12,hi\n", "a.csv: something ends at 12.000 s"),
        ("a.csv", "recording,start,end,text\nother,1,2,hi\n", "the dataset has no recording 'other'"),
        ("a.txt", "hi", "corrections are read from .TextGrid, .eaf, .csv and .tsv"),
    ],
)
def test_what_can_not_be_read_is_one_clear_error_and_nothing_is_logged(bring, workspace, name, table, message):
    with pytest.raises((ConfigError, FormatError)) as caught:
        bring(name, table)
    assert message in str(caught.value)
    assert log(workspace / "corrections") == []


def test_a_name_that_two_recordings_have_is_asked_about(workspace, tmp_path):
    made = (("talk-11", "/x/talk.wav", "11"), ("talk-22", "/y/talk.wav", "22"))
    rows = [Recording(*one, 10.0, 16_000, 1, ("a.flac",)) for one in made]
    write_parquet(workspace / "dataset" / "recordings.parquet", table_of(rows, arrow_schema(Recording)))
    path = tmp_path / "talk.csv"
    path.write_text("start,end,text\n1,2,hi\n")
    with pytest.raises(ConfigError, match=r"'talk' may be any of talk-11, talk-22; say which with --recording"):
        import_files(workspace, [path], who="Lan")
    (imported,) = import_files(workspace, [path], who="Lan", recording="talk-22")
    assert imported.corrections == 1
    assert list(by_audio(workspace / "corrections")) == ["22"]


def test_there_is_nothing_to_write_before_a_run(workspace, tmp_path):
    with pytest.raises(ConfigError, match="has no segment with a corrected text; corrections take effect when"):
        corrected_corpus.write(workspace, tmp_path / "corpus")
    with pytest.raises(ConfigError, match="is not empty; name a new folder"):
        corrected_corpus.write(workspace, workspace)


def test_a_run_finds_its_corrections_where_it_is_taken_up(tmp_path):
    correction = Correction("c", 1.0, 2.0, 0, "text", None, WORDS, PHONES)
    sources = [Source("a", "a.wav", key="k", corrections=(correction,)), Source("b", "b.wav", key="l")]
    write_rows(tmp_path / "sources.parquet", sources, Source)
    assert read_rows(tmp_path / "sources.parquet", Source) == sources


def test_a_correction_is_dropped_by_its_id(bring, workspace):
    bring("checked.csv", "recording,start,end,text\ntalk,7,8,new\n")
    (correction,) = by_audio(workspace / "corrections")["aa"]
    drop(workspace, [correction.id], who="Lan")
    assert by_audio(workspace / "corrections") == {}
    with pytest.raises(ConfigError, match=f"no correction {correction.id}; see: speechmill corrections list"):
        drop(workspace, [correction.id], who="Lan")


RUN = ("--language", "en", "--transcript", "sidecar", "--diarize", "none", "--export", "none", "--quality", "snr")


@pytest.mark.slow
def test_corrections_redo_the_segments_of_their_recordings_and_are_undone_when_dropped(
    speechmill, tone_corpus, tmp_path
):
    folder, out = tone_corpus({"a": "one", "b": "two", "c": "three"}), tmp_path / "out"

    def run(*more):
        done = speechmill("run", folder, "--out", out, *RUN, "--align", "pocketsphinx", *more, "--json")
        stages = json.loads(done.stdout)["stages"]
        rows = pq.read_table(out / "dataset" / "segments.parquet").to_pylist(maps_as_pydicts="strict")
        return {name: count["processed"] for name, count in stages.items() if count["processed"]}, rows

    _worked, before = run()
    table = tmp_path / "checked.csv"
    table.write_text(
        "segment,recording,start,end,word,text,speaker\n"
        f"{before[0]['id']},,,,,,Ann\n"
        f"{before[1]['id']},,,,,two too,\n"
        ",c,0.5,1.5,,three,\n"
        ",c,0.6,1.4,three,,\n"
    )
    speechmill("corrections", "import", table, "--workspace", out)

    worked, (a, b, c) = run()
    assert worked == {"segment": 2, "align": 2, "quality.snr": 2, "filter": 1}
    assert [row["text"] for row in (a, b, c)] == ["one", "two too", "three"]
    assert [row["corrected"] for row in (a, b, c)] == [["speaker"], ["text"], ["text", "words"]]
    assert a["speaker"] == "Ann"
    assert c["words"] == [{"symbol": "three", "start": 0.6, "duration": 0.8, "score": 1.0}]
    assert "align" not in c["gaps"]

    assert "corrected     text, words" in speechmill("explain", c["id"], out).stdout

    worked, again = run("--set", "segment.pad_s=0.05")  # another segmentation
    assert worked["segment"] == 3
    assert [(row["text"], row["corrected"]) for row in again] == [(row["text"], row["corrected"]) for row in (a, b, c)]

    speechmill("corrections", "write", tmp_path / "corpus", "--workspace", out)
    assert sorted(path.read_text() for path in tmp_path.glob("corpus/*/*.lab")) == ["three\n", "two too\n"]
    (clip,) = tmp_path.glob(f"corpus/*/{c['id']}.flac")
    assert clip.with_suffix(".lab").read_text() == "three\n"
    assert probe(clip).duration == pytest.approx(1.0)

    listed = json.loads(speechmill("corrections", "list", "--workspace", out, "--json").stdout)
    ids = [row["correction"]["id"] for row in listed]
    assert [row["correction"]["text"] for row in listed] == [None, "two too", "three"]
    speechmill("corrections", "drop", *ids, "--workspace", out)
    assert run() == ({"filter": 1}, before)
