# SPDX-License-Identifier: Apache-2.0
"""The page of a run: whole in itself, whatever recordings are called, and small for a large run."""

import re
import time
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from speechmill.core.stage import Resources
from speechmill.pipeline.events import Event, Summary
from speechmill.pipeline.following import Followed
from speechmill.pipeline.plan import Node
from speechmill.pipeline.timeline import MOST_SPANS, Board
from speechmill.telemetry.page import page, write_page

HOSTILE = "<script>alert(1)</script>\"'&"
START = 1_900_000_000.0


def node(name, reads, writes):
    return Node(name, "f" * 16, tuple(reads), tuple(writes), (), Resources())


NODES = (
    node("normalise", (), ("audio",)),
    node("vad", ("audio",), ("speech",)),
    node("transcribe", ("audio", "speech"), ("words",)),
)


class Of(Followed):
    """A followed run without a folder."""

    def __init__(self, board, summary=None):
        self.folder, self.name, self.corpus = Path(), "20300317-174640-000000-abcdef", f"talks {HOSTILE}"
        self.board, self.summary, self.audio_s, self.at_work = board, summary, 3600.0, Counter({"vad": 2})


def event(stage, recording, at, **fields):
    return Event(
        START + at, stage, recording, **{"wall_s": 1.0, "audio_s": 60.0, "shard": "00000", "worker": "host:1", **fields}
    )


@pytest.fixture
def small():
    """A run of two recordings in two shards, one of which failed with a hostile reason."""
    board = Board(NODES, [("talk-1", "00000"), (HOSTILE, "00001")])
    board.add(event("normalise", "talk-1", 1.0))
    board.add(event("vad", "talk-1", 2.0))
    board.add(event("normalise", HOSTILE, 2.0, worker=HOSTILE, shard="00001"))
    board.add(event("vad", HOSTILE, 4.0, wall_s=2.0, worker=HOSTILE, failed=f"r{HOSTILE}", detail=HOSTILE))
    return board


class Parts(HTMLParser):
    """Collects elements with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, name, css):
        return [attrs for tag, attrs in self.found if tag == name and css in (attrs.get("class") or "").split(" ")]


def test_nothing_is_asked_of_the_network_and_no_script_is_in_it(small):
    text = page(Of(small))
    parts = Parts(text)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _attrs in parts.found}
    assert [attrs["href"][0] for tag, attrs in parts.found if "href" in attrs] == ["#"] * 5
    assert not [attrs for tag, attrs in parts.found if "src" in attrs]
    assert re.findall(r"(?:https?:)?//[\w.]+|url\(|@import", text) == []
    assert "default-src 'none'" in text


def test_a_recording_of_a_hostile_name_is_only_text(small):
    text = page(Of(small))
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;" in text


def test_the_graph_has_a_box_for_each_stage_and_the_timeline_a_bar_for_each_recording_in_one(small):
    parts = Parts(page(Of(small)))
    assert len(parts.all("rect", "box")) == 3
    assert [attrs["class"] for attrs in parts.all("rect", "box")] == ["box complete", "box bad", "box idle"]
    assert len(parts.all("path", "edge")) == 2
    assert len(parts.all("rect", "span")) == 4
    assert len(parts.all("rect", "failed")) == 1


def test_bars_lie_where_their_time_is(small):
    first, second, *_ = Parts(page(Of(small))).all("rect", "span")
    assert float(second["x"]) == pytest.approx(float(first["x"]) + float(first["width"]), abs=0.02)
    assert float(first["width"]) == pytest.approx((1120 - 150 - 6) / 4, abs=0.02)  # one second of four


def test_only_a_run_that_goes_on_is_loaded_again(small):
    ended = Summary("x", START, START + 4, exit_status=0)
    refreshing = '<meta http-equiv="refresh" content="2">'
    assert refreshing in page(Of(small), 2.0)
    assert refreshing not in page(Of(small))
    assert "refresh" not in page(Of(small, ended), 2.0)
    assert ">finished<" in page(Of(small, ended))


def test_a_run_that_may_have_been_killed_says_since_when_nothing_was_heard(small):
    assert "nothing heard of it" not in page(Of(small))
    board = Board(NODES, [("talk-1", "00000")])
    board.add(Event(time.time() - 600, "normalise", "talk-1", 1.0))
    assert "nothing heard of it for 10 min" in page(Of(board))


def test_a_run_before_its_first_event_has_a_page():
    assert "Nothing has been done yet." in page(Of(Board(NODES, [("talk-1", "00000")])))
    assert "Graph" in page(Of(Board(NODES, [])))


def test_a_large_run_makes_a_small_page(tmp_path):
    board = Board(NODES, [(f"talk-{i}", f"{i // 50:05d}") for i in range(MOST_SPANS)])
    for i in range(MOST_SPANS):
        for k, one in enumerate(NODES):
            board.add(event(one.name, f"talk-{i}", i + k / 3, wall_s=0.3, worker=f"host:{i % 100}"))
    write_page(Of(board), tmp_path / "run.html")
    text = (tmp_path / "run.html").read_text()
    assert "3,000 of 3,000" in text
    assert Parts(text).all("rect", "span") == []
    assert len(text) < 3_000_000
    assert "and 40 more" in text
