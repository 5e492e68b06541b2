# SPDX-License-Identifier: Apache-2.0
"""A corpus that grows in random batches: after each the splits are disjoint, and nothing has moved."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speechmill.pipeline.dataset_options import Splits
from speechmill.pipeline.decide import Places, decide

pytestmark = pytest.mark.slow

SPEAKERS = ["Ann", "Ben", "Cy", "Di", "#1", "#2", None]
SENTENCES = [
    "the first sentence that many people read aloud",
    "the first sentence that so many people read aloud",
    "another sentence of which there is no other",
    "a third one, as long as all of the others",
    "yes",
]
RECORDINGS = st.tuples(
    st.sampled_from(["local", "youtube"]),
    st.sampled_from(["Radio X", "Radio Y", None]),
    st.sampled_from([None, "Ann", "Ed"]),  # of the recording
    st.lists(st.tuples(st.sampled_from(SPEAKERS), st.sampled_from(SENTENCES)), max_size=3),
)


def places_of(corpus, name):
    tables = corpus.workspace.tables
    return Places(tables / f"segments-{name}.parquet", tables / f"recordings-{name}.parquet", None, corpus.memory)


def written(corpus, make, name, rows, texts_differ):
    """Write a table of recordings; texts differ by the recording's name where that is asked for."""
    recordings, segments = [], []
    for key, (origin, author, speaker, said) in rows.items():
        recordings.append(make.recording(key, origin=origin, author=author, speaker=speaker))
        for number, (who, text) in enumerate(said):
            words = f"{text} {key} {key}a {key}b {key}c {key}d" if texts_differ else text
            segments += make.said(key, *[""] * number, words, speaker=who)[number:]
    corpus.write(name, recordings, segments)
    return segments


def check_disjoint(rows, segments, decided):
    of = defaultdict(set)
    for segment, row in zip(segments, decided, strict=True):
        origin, author, speaker, _said = rows[segment.recording_id]
        if row["split"] is not None:
            of["recording", segment.recording_id].add(row["split"])
            of["speaker", segment.speaker].add(row["split"])
            of["speaker", speaker or f"nobody of {segment.recording_id}"].add(row["split"])
            if origin == "youtube" and author:
                of["channel", author].add(row["split"])
            if segment.text != "yes":
                of["text", segment.text].add(row["split"])
    of.pop(("speaker", None), None)
    assert all(len(splits) == 1 for splits in of.values()), {what: splits for what, splits in of.items() if splits}


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.lists(RECORDINGS, min_size=1, max_size=6), min_size=2, max_size=4), st.booleans(), st.data())
def test_nothing_moves_and_nothing_leaks_in_any_order_of_growth(corpus, make, batches, texts_differ, data):
    folder = corpus.workspace.root / f"memory-{next(corpus.count)}"
    corpus.memory = folder
    rows, was = {}, {}
    for number, batch in enumerate(batches):
        grown = [*rows.items(), *((f"r{number}x{place}", one) for place, one in enumerate(batch))]
        rows = dict(data.draw(st.permutations(grown)))
        segments = written(corpus, make, "grown", rows, texts_differ)
        asked = Splits(0.2, 0.3, seed=number)
        found = decide(places_of(corpus, "grown"), (), (), None, asked).to_pylist()
        check_disjoint(rows, segments, found)
        assert found == decide(places_of(corpus, "grown"), (), (), None, asked).to_pylist()
        now = {segment.id: row["split"] for segment, row in zip(segments, found, strict=True)}
        assert all(now[name] in (split, None) for name, split in was.items())
        was |= {name: split for name, split in now.items() if split is not None}
