# SPDX-License-Identifier: Apache-2.0
"""From tables to decisions: what goes into which split, what is dropped so that nothing leaks, what is remembered."""

from __future__ import annotations

import shutil
from collections import Counter

import pyarrow.parquet as pq
import pytest

from speechmill.core.errors import FormatError
from speechmill.pipeline import refilter as refilter_module
from speechmill.pipeline.dataset_options import Splits
from speechmill.pipeline.decide import notes_of
from speechmill.pipeline.refilter import read_index
from speechmill.store import assigned

HELD_OUT = ("dev", "test")


def memory(corpus):
    return assigned.read(corpus.workspace.splits)


def one_of(corpus, split):
    return next(name.split("-")[0] for name, found in corpus.splits().items() if found == split)


def test_splits_are_shared_out_and_remembered(twelve):
    assert Counter(twelve.splits().values()) == {"train": 6, "dev": 3, "test": 3}
    known = memory(twelve)
    assert {kind: len(known.of(kind)) for kind in ("recording", "speaker", "channel")} == {
        "recording": 12,
        "speaker": 12,
        "channel": 0,
    }
    assert notes_of(read_index(twelve.workspace).decisions_path(twelve.workspace)) == ()


def test_without_splits_every_kept_row_is_for_training_and_nothing_is_remembered(corpus, make):
    found = corpus.grown("t1", [make.recording("a"), make.recording("b")], make.said("a") + make.said("b"), splits=None)
    assert set(found.values()) == {"train"}
    assert not corpus.workspace.splits.exists()


def test_what_is_dropped_is_of_no_split(corpus, make):
    rows = [make.recording(name) for name in "abcdef"]
    segments = [one for name in "abcdef" for one in make.said(name, snr=5.0 if name in "ab" else 20.0)]
    found = corpus.grown("t1", rows, segments, filter=["snr_db >= 10"])
    assert [found[f"{name}-0"] for name in "ab"] == [None, None]
    assert memory(corpus).of("recording").keys() == {f"sha-{name}" for name in "cdef"}
    looser = corpus.decide("t1", filter=["snr_db >= 1"])
    assert looser.decisions != ""
    assert None not in corpus.splits().values()


def test_a_channel_is_of_one_split_but_a_folder_of_the_users_own_is_no_channel(corpus, make):
    crawled = [make.recording(f"c{i}", origin="youtube", author="Radio X") for i in range(6)]
    mine = [make.recording(f"m{i}", author="Radio X") for i in range(6)]
    rows = [*crawled, *mine]
    found = corpus.grown("t1", rows, [one for row in rows for one in make.said(row.id)])
    assert len({found[f"c{i}-0"] for i in range(6)}) == 1
    assert len({found[f"m{i}-0"] for i in range(6)}) == 2
    assert memory(corpus).of("channel").keys() == {"youtube/Radio X"}


def test_the_same_bytes_under_another_name_are_of_the_same_split(twelve, make):
    test = one_of(twelve, "test")
    rows = [make.recording("copy", sha256=f"sha-{test}", key="other"), make.recording("new")]
    found = twelve.grown("t2", rows, make.said("copy") + make.said("new"))
    assert found["copy-0"] == "test"


def test_a_sentence_of_test_is_dropped_from_train_with_its_similarity(corpus, make):
    names = [f"rec{i}" for i in range(12)]
    rows = [make.recording(name) for name in names]
    corpus.grown("t1", rows, [one for name in names for one in make.said(name)])
    train, test = one_of(corpus, "train"), one_of(corpus, "test")
    near = make.sentence(test).replace(" ", ", ").upper() + " indeed"
    segments = [one for name in names for one in make.said(name)] + make.said("n" + train, near)
    rows.append(make.recording("n" + train, sha256=f"sha-{train}"))
    found = corpus.grown("t2", rows, segments)
    assert found[f"n{train}-0"] is None
    (drop,) = next(row["drops"] for row in corpus.rows() if row["id"] == f"n{train}-0")
    assert drop == {"rule": "leak-text", "value": pytest.approx(10 / 11), "threshold": 0.8}
    assert found[f"{test}-0"] == "test"


def test_texts_of_a_few_words_may_be_in_every_split(corpus, make):
    names = [f"rec{i}" for i in range(12)]
    segments = [one for name in names for one in make.said(name, "Yes, of course.")]
    corpus.grown("t1", [make.recording(name) for name in names], segments)
    assert corpus.drops() == {}


def test_no_text_is_looked_at_where_none_was_asked_for(corpus, make):
    names = [f"rec{i}" for i in range(12)]
    segments = [one for name in names for one in make.said(name, "The very same sentence, said by all of them.")]
    rows = [make.recording(name) for name in names]
    corpus.grown("t1", rows, segments, splits=Splits(0.25, 0.25, text=None))
    assert corpus.drops() == {}
    corpus.decide("t1")
    assert Counter(corpus.splits().values()) == {"test": 3, None: 9}


def test_what_joins_two_splits_is_dropped_without_a_value(twelve, make):
    train, test = one_of(twelve, "train"), one_of(twelve, "test")
    names = [f"rec{i}" for i in range(12)]
    rows = [make.recording(name, speaker=f"speaker{i}") for i, name in enumerate(names)]
    segments = [one for name in names for one in make.said(name)]
    both = make.said("talk", make.sentence("t1"), speaker=f"speaker{train[3:]}")
    both += [*make.said("talk", "", make.sentence("t2"), speaker=f"speaker{test[3:]}")[1:]]
    before = twelve.splits()
    found = twelve.grown("t2", [*rows, make.recording("talk")], segments + both)
    assert {name: split for name, split in found.items() if not name.startswith("talk")} == before
    assert twelve.drops() == {"talk-0": ["between-splits"], "talk-1": ["between-splits"]}
    (drop,) = next(row["drops"] for row in twelve.rows() if row["id"] == "talk-0")
    assert (drop["value"], drop["threshold"]) == (None, None)
    assert "sha-talk" not in memory(twelve).of("recording")
    (note,) = notes_of(read_index(twelve.workspace).decisions_path(twelve.workspace))
    assert note.startswith("splits: dropped as between-splits")


def test_another_seed_and_other_shares_move_nothing(twelve):
    before = twelve.splits()
    first = read_index(twelve.workspace).decisions
    assert twelve.decide("t1", splits=Splits(0.4, 0.1, seed=7)).decisions != first
    assert twelve.splits() == before


def test_a_crash_after_the_memory_was_written_changes_nothing(corpus, make, monkeypatch):
    names = [f"rec{i}" for i in range(12)]
    corpus.write("t1", [make.recording(name) for name in names], [one for name in names for one in make.said(name)])
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(refilter_module, "write_decisions", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            corpus.decide("t1")
    cut_off = assigned.path_in(corpus.workspace.splits).read_bytes()
    assert not corpus.workspace.decisions.exists()
    corpus.decide("t1")
    assert assigned.path_in(corpus.workspace.splits).read_bytes() == cut_off
    names = {0: "train", 1: "dev", 2: "test"}
    assert {name.removeprefix("sha-"): names[split] for name, split in memory(corpus).of("recording").items()} == {
        name.split("-")[0]: split for name, split in corpus.splits().items()
    }


def test_a_crash_before_the_memory_was_written_leaves_no_decisions(corpus, make, monkeypatch):
    corpus.write("t1", [make.recording("a"), make.recording("b")], make.said("a") + make.said("b"))
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(assigned, "remember", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            corpus.decide("t1")
    assert not corpus.workspace.decisions.exists()


def test_who_deletes_the_memory_gets_other_decisions(twelve, make):
    names = [f"rec{i}" for i in range(14)]
    rows = [make.recording(name, speaker=f"speaker{i}") for i, name in enumerate(names)]
    segments = [one for name in names for one in make.said(name)]
    before = twelve.grown("t2", rows, segments)
    first = read_index(twelve.workspace).decisions
    assert twelve.decide("t2").decisions == first
    shutil.rmtree(twelve.workspace.splits)
    assert twelve.decide("t2").decisions != first
    assert twelve.splits().keys() == before.keys()
    assert memory(twelve).of("recording").keys() == {f"sha-{name}" for name in names}


def test_a_broken_memory_stops_and_says_how_to_go_on(twelve):
    path = assigned.path_in(twelve.workspace.splits)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FormatError, match="bring the file back from a backup"):
        twelve.decide("t1", splits=Splits(0.1, 0.1))


def test_the_same_corpus_gives_the_same_bytes_in_another_place_and_order(tmp_path, make, corpus):
    names = [f"rec{i}" for i in range(12)]
    rows = [make.recording(name, speaker=f"s{i % 5}") for i, name in enumerate(names)]
    segments = [one for name in names for one in make.said(name)]
    corpus.grown("t1", rows, segments)
    other = type(corpus)(tmp_path / "elsewhere")
    other.grown("t1", rows[::-1], segments[::-1])
    paths = [assigned.path_in(one.workspace.splits) for one in (corpus, other)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert corpus.splits() == other.splits()


def test_speakers_of_the_recording_bind_it_too(corpus, make):
    rows = [make.recording(f"r{i}", speaker="Ann" if i < 6 else None) for i in range(12)]
    found = corpus.grown("t1", rows, [one for row in rows for one in make.said(row.id)])
    assert len({found[f"r{i}-0"] for i in range(6)}) == 1
    assert len({found[f"r{i}-0"] for i in range(6, 12)}) > 1


def test_rows_of_the_memory_stay_in_its_file(twelve):
    rows = pq.read_table(assigned.path_in(twelve.workspace.splits)).to_pylist()
    assert Counter(row["kind"] for row in rows) == {"recording": 12, "speaker": 12}
    assert {row["split"] for row in rows} == {"train", "dev", "test"}
