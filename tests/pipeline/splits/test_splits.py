# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechmill.core.types import SPLITS
from speechmill.pipeline.dataset_options import Splits
from speechmill.pipeline.split_groups import Link, Recordings
from speechmill.pipeline.splits import BETWEEN, assign, components
from speechmill.store.assigned import KINDS, Assigned

TRAIN, DEV, TEST = range(3)
HALF = Splits(0.25, 0.25)


def corpus(*entries: tuple[str, str], kept: dict[str, float] | None = None) -> tuple[Recordings, np.ndarray]:
    """Make recordings: a name, and what it hangs together by: "a b" are speakers, "@x" a channel, "~x" a sound."""
    kinds = {"@": "channel", "~": "sound"}
    links: dict[Link, int] = {}
    pairs = [
        (row, links.setdefault(Link(kinds.get(word[0], "speaker"), word.lstrip("@~")), len(links)))
        for row, (_name, words) in enumerate(entries)
        for word in words.split()
    ]
    places = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    names = [name for name, _words in entries]
    lengths = np.array([[(kept or {}).get(name, 1000.0)] for name in names]).reshape(-1, 1)
    return Recordings(names, np.arange(len(names)), tuple(links), places[:, 0], places[:, 1]), lengths


def known(**of: dict[str, int]) -> Assigned:
    return Assigned({kind: of.get(kind, {}) for kind in KINDS}, "founded")


def grown(before: Assigned, new) -> Assigned:
    for kind in KINDS:
        assert all(before.of(kind).get(name, split) == split for name, split in new[kind].items())
    return Assigned({kind: {**before.of(kind), **new[kind]} for kind in KINDS}, "founded")


def splits_of(*entries: tuple[str, str], before: Assigned | None = None, asked: Splits = HALF, kept=None):
    recordings, lengths = corpus(*entries, kept=kept)
    found = assign(recordings, lengths, before or known(), asked)
    return dict(zip(recordings.names, found.splits.tolist(), strict=True)), found


def test_recordings_of_a_speaker_a_channel_or_a_sound_are_of_one_split():
    entries = [(f"r{i}", words) for i, words in enumerate(["ann", "ann @x", "@x", "~s", "~s ben", "ben", "cy", "di"])]
    for seed in range(20):
        found, _made = splits_of(*entries, asked=Splits(0.25, 0.25, seed))
        assert found["r0"] == found["r1"] == found["r2"]
        assert found["r3"] == found["r4"] == found["r5"]


def test_shares_are_met_where_groups_are_small():
    found, made = splits_of(*((f"r{i}", "") for i in range(1000)), asked=Splits(0.05, 0.1))
    counts = np.bincount(list(found.values()))
    assert counts[DEV] == pytest.approx(50, abs=1)
    assert counts[TEST] == pytest.approx(100, abs=2)
    assert made.notes == ()


def test_another_seed_draws_others_and_the_same_seed_the_same():
    entries = [(f"r{i}", "") for i in range(40)]
    first, again, other = (splits_of(*entries, asked=Splits(0.25, 0.25, seed))[0] for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_strata_have_their_shares_too():
    recordings, lengths = corpus(*((f"r{i}", "") for i in range(400)))
    rare = (np.arange(400) % 10 == 0).astype(float)[:, None]  # a tenth of the hours is in another language
    found = assign(recordings, np.hstack([lengths, lengths * (1 - rare), lengths * rare]), known(), Splits(0.1, 0.1))
    for split in (DEV, TEST):
        assert rare[found.splits == split].sum() == pytest.approx(4, abs=1)


def test_one_group_is_all_for_training_and_a_note_says_why():
    found, made = splits_of(("a", "radio"), ("b", "radio"), ("c", "radio"))
    assert set(found.values()) == {TRAIN}
    assert [note.split(";")[0] for note in made.notes] == [
        "splits: dev has 0.0% of the hours where 25.0% were asked",
        "splits: test has 0.0% of the hours where 25.0% were asked",
    ]
    assert "the largest has 100.0%, where 3 recordings have the speaker 'radio'" in made.notes[0]


def test_the_largest_group_is_for_training():
    for seed in range(20):
        found, _made = splits_of(
            *(("a", ""), ("b", ""), ("c", "")), asked=Splits(0.1, 0.1, seed), kept={"a": 8e6, "b": 1e6, "c": 1e6}
        )
        assert found == {"a": TRAIN, "b": found["b"], "c": found["c"]}
        assert {found["b"], found["c"]} == {DEV, TEST}


def test_of_four_equal_speakers_one_is_for_test_one_for_dev_though_they_are_more_than_was_asked():
    found, made = splits_of(*((name, "") for name in "abcd"), asked=Splits(0.05, 0.05))
    assert sorted(found.values()) == [TRAIN, TRAIN, DEV, TEST]
    assert len(made.notes) == 2


def test_training_keeps_half():
    found, _made = splits_of(("a", ""), ("b", ""), asked=Splits(0.05, 0.05))
    assert sorted(found.values()) == [TRAIN, TEST]


def test_a_split_of_which_nothing_is_asked_stays_empty():
    found, made = splits_of(*((f"r{i}", "") for i in range(100)), asked=Splits(0.0, 0.1))
    assert DEV not in found.values()
    assert made.notes == ()


def test_a_new_recording_goes_where_its_speaker_is():
    before = known(speaker={"ann": TEST}, channel={"x": DEV})
    found, made = splits_of(("a", "ann"), ("b", "@x"), ("c", "ann ben"), ("d", "ben"), before=before)
    assert found == {"a": TEST, "b": DEV, "c": TEST, "d": TEST}
    assert made.new["speaker"] == {"ben": TEST}


def test_a_known_recording_stays_whatever_it_is_called():
    before = known(recording={"a": TEST, "b": TRAIN})
    found, _made = splits_of(("a", "somebody"), ("b", ""), before=before, asked=Splits(0.0, 0.0))
    assert found == {"a": TEST, "b": TRAIN}


def test_what_would_join_two_splits_is_dropped_and_not_remembered():
    before = known(speaker={"ann": TEST, "ben": TRAIN})
    found, made = splits_of(("a", "ann"), ("b", "ben"), ("c", "ann ben cy"), before=before)
    assert found == {"a": TEST, "b": TRAIN, "c": BETWEEN}
    assert "c" not in made.new["recording"]
    assert "cy" not in made.new["speaker"]
    assert "a speaker, a channel or sound of two splits: 1 recordings" in made.notes[0]


def test_a_new_speaker_between_two_splits_costs_the_lesser_side_alone():
    """Cy speaks with Ann, who is for test, and with Ben, who is for training. Of Ann and Ben alone nothing is lost."""
    before = known(speaker={"ann": TEST, "ben": TRAIN}, recording={"a": TEST, "b": TRAIN})
    entries = [("a", "ann"), ("b", "ben"), ("c", "ann cy"), ("d", "ben cy")]
    found, made = splits_of(*entries, before=before, kept={"c": 500.0, "d": 900.0})
    assert found == {"a": TEST, "b": TRAIN, "c": BETWEEN, "d": TRAIN}
    again, _made = splits_of(*entries, before=grown(before, made.new), kept={"c": 5000.0, "d": 900.0})
    assert again == found


def test_recordings_of_which_nothing_is_kept_are_drawn_when_something_is():
    _found, made = splits_of(("a", "ann"), ("b", ""), kept={"a": 0.0})
    assert "a" not in made.new["recording"]
    assert made.new["speaker"] == {}


def test_sound_binds_a_copy_to_where_the_recording_was():
    found, made = splits_of(("old", "~s"), ("copy", "~s"), before=known(recording={"old": TEST}))
    assert found == {"old": TEST, "copy": TEST}
    assert made.new["recording"]["copy"] == TEST


def test_components_of_a_long_chain():
    nodes = np.array([[i, i + 1] for i in range(999)]).ravel()
    links = np.repeat(np.arange(999), 2)
    order = np.random.default_rng(0).permutation(len(nodes))
    assert not components(1000, nodes[order], links[order]).any()


@st.composite
def histories(draw):
    """Recordings in batches, with speakers, channels and sounds of a few; what is kept of each; whether it repeats."""
    words = st.lists(st.sampled_from([*"abcdefgh", "@x", "@y", "@z", "~s", "~t"]), max_size=3, unique=True)
    length = st.sampled_from([0.0, 700.0, 1000.0, 9000.0])
    return draw(st.lists(st.lists(st.tuples(words, length), max_size=8), min_size=1, max_size=6)), draw(
        st.integers(0, 3)
    )


def check_disjoint(recordings: Recordings, found: np.ndarray) -> None:
    for number, _link in enumerate(recordings.links):
        mine = found[recordings.pair_recordings[recordings.pair_links == number]]
        assert len({split for split in mine.tolist() if split != BETWEEN}) <= 1


@settings(max_examples=150, deadline=None)
@given(histories())
def test_splits_are_disjoint_and_nothing_moves_in_any_order_of_growth(history):
    batches, seed = history
    memory, there, was = known(), [], {}
    lengths: dict[str, float] = {}
    for number, batch in enumerate(batches):
        for place, (words, length) in enumerate(batch):
            there.insert(0, (f"r{number}-{place}", " ".join(words)))
            lengths[there[0][0]] = length
        recordings, kept = corpus(*there, kept=lengths)
        made = assign(recordings, kept, memory, Splits(0.2, 0.2, seed + number))
        check_disjoint(recordings, made.splits)
        memory = grown(memory, made.new)
        again = assign(recordings, kept, memory, Splits(0.3, 0.1, 99))
        kept_ones = [name for name in recordings.names if lengths[name]]
        now = {name: int(made.splits[recordings.names.index(name)]) for name in kept_ones}
        assert now == {name: int(again.splits[recordings.names.index(name)]) for name in kept_ones}
        for name, split in was.items():
            assert now.get(name, BETWEEN) in (split, BETWEEN)
        was |= {name: split for name, split in now.items() if split != BETWEEN}


@settings(max_examples=60, deadline=None)
@given(histories(), st.randoms())
def test_the_order_of_rows_does_not_matter(history, random):
    batches, seed = history
    rows = [(f"r{i}", " ".join(words), length) for i, (words, length) in enumerate(chain(*batches))]
    lengths = {name: length for name, _words, length in rows}
    found = [splits_of(*((n, w) for n, w, _ in rows), asked=Splits(0.2, 0.2, seed), kept=lengths)]
    random.shuffle(rows)
    found.append(splits_of(*((n, w) for n, w, _ in rows), asked=Splits(0.2, 0.2, seed), kept=lengths))
    assert found[0][0] == found[1][0]
    assert found[0][1].new == found[1][1].new


def test_shares_of_dev_and_test_do_not_overlap_in_any_pair():
    entries = [(f"{a}{b}", f"{a} {b}") for a, b in combinations("abcdefghij", 2)]
    recordings, lengths = corpus(*entries)
    found = assign(recordings, lengths, known(), HALF)
    check_disjoint(recordings, found.splits)
    assert SPLITS[found.splits[0]] == "train"
