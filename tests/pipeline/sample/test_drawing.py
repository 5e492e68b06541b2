# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter

import pytest

from speechmill.core.errors import ConfigError, WorkspaceError
from speechmill.pipeline.sample import drawing
from speechmill.pipeline.sample.drawing import allocation, draw, remembered
from speechmill.store.workspace import Workspace


def test_the_same_seed_draws_the_same_and_another_others(workspace: Workspace) -> None:
    first = draw(workspace, 6, "duration", 0)
    assert draw(workspace, 6, "duration", 0) == first
    others = draw(workspace, 6, "duration", 1)
    assert {one.id for one in others.segments} != {one.id for one in first.segments}
    assert others.id != first.id


def test_a_larger_sample_of_one_kind_holds_the_smaller(workspace: Workspace) -> None:
    small, large = (draw(workspace, number, "split", 0) for number in (4, 9))
    assert {one.id for one in small.segments} < {one.id for one in large.segments}


def test_only_what_was_kept_is_drawn_unless_asked(workspace: Workspace) -> None:
    everything = draw(workspace, 1000, "score", 0)
    assert len(everything.segments) == everything.population == 16
    assert {one.weight for one in everything.segments} == {1.0}
    dropped = draw(workspace, 1000, "score", 0, "dropped")
    assert {one.id for one in dropped.segments} == {f"talk-{n}-0-0004000-0004900" for n in range(4)}


def test_weights_add_up_to_the_population(workspace: Workspace) -> None:
    for by in ("score", "snr_db", "duration", "speaker", "language", "split"):
        sample = draw(workspace, 7, by, 3)
        assert len(sample.segments) == 7
        assert sum(one.weight for one in sample.segments) == pytest.approx(16)
        drawn = Counter(one.stratum for one in sample.segments)
        assert drawn == {part.name: part.drawn for part in sample.strata}


def test_strata_have_names_that_say_what_is_in_them(workspace: Workspace) -> None:
    names = {by: [part.name for part in draw(workspace, 100, by, 0).strata] for by in ("language", "snr_db", "speaker")}
    assert names["language"] == ["en", "vi"]
    assert names["snr_db"][0] == "snr_db 0 to 3"
    assert names["snr_db"][-1] == "snr_db (unknown)"
    assert "(unknown)" in names["speaker"]
    few = [part.name for part in draw(workspace, 4, "speaker", 0).strata]
    assert few == ["(unknown)", "(others)"]


def test_what_was_taken_down_is_not_drawn(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "taken_down", lambda root: {"talk-2"})
    sample = draw(workspace, 100, "score", 0)
    assert sample.population == 12
    assert not [one for one in sample.segments if one.id.startswith("talk-2-")]


def test_a_sample_is_remembered_without_texts(workspace: Workspace) -> None:
    sample = draw(workspace, 5, "language", 0)
    assert remembered(workspace, sample.id) == sample
    assert b"text" not in (workspace.root / "samples" / f"{sample.id}.json").read_bytes()
    for name in ("0" * 12, "../../etc/x", ""):
        with pytest.raises(WorkspaceError):
            remembered(workspace, name)


def test_what_cant_be_drawn_is_said(workspace: Workspace) -> None:
    with pytest.raises(ConfigError, match="there is no such column; there are score, duration"):
        draw(workspace, 5, "beauty", 0)
    with pytest.raises(ConfigError, match="at least one"):
        draw(workspace, 0, "score", 0)


@pytest.mark.parametrize(
    ("sizes", "number", "expected"),
    [
        ([100], 10, [10]),
        ([50, 50], 10, [5, 5]),
        ([90, 9, 1], 10, [7, 2, 1]),
        ([3, 3], 100, [3, 3]),
        ([1, 1, 98], 6, [1, 1, 4]),
        ([10], 1, [1]),
        ([], 5, []),
    ],
)
def test_each_stratum_gets_its_share_and_two_at_least(sizes: list[int], number: int, expected: list[int]) -> None:
    assert allocation(sizes, number) == expected
