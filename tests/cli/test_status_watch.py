# SPDX-License-Identifier: Apache-2.0
"""A run in the terminal: its three views, a line for a log, and that watching ends with the run."""

import io
import os
import pty
import re
import subprocess
import sys
import threading
import time

import msgspec
import pytest
from rich.console import Console

from speechmill import api
from speechmill.cli import watch_views
from speechmill.cli.watch_views import draw, line
from speechmill.pipeline.events import Event, Summary, write_summary
from speechmill.pipeline.following import Followed
from speechmill.pipeline.planned import plan_run
from speechmill.pipeline.worker import inflight_name

SETTINGS = {
    "language": "en",
    "transcript": ["sidecar"],
    "diarize": "none",
    "align": None,
    "quality": ["snr"],
    "export": [],
}
START = 1_900_000_000.0


@pytest.fixture
def folder(tone_corpus, tmp_path):
    """A run that was planned, with events written by hand: one recording through, one failed, one at work."""
    corpus = api.corpus_of(tone_corpus(dict.fromkeys(("one", "two", "three"), "a text")), tmp_path / "ws", SETTINGS)
    planned = plan_run(corpus)
    return tmp_path / "ws" / "runs" / os.path.basename(planned.run)


def members(folder):
    import pyarrow.parquet as pq

    return pq.read_table(folder / "shards.parquet").to_pylist()


def write(folder, *events):
    with (folder / "events-a.jsonl").open("ab") as file:
        file.write(b"".join(msgspec.json.encode(event) + b"\n" for event in events))


def some_work(folder):
    """Write what two workers did."""
    stages = ("normalise", "vad", "transcribe", "diarize", "segment", "quality.snr")
    one, two, three = members(folder)
    write(
        folder,
        *(
            Event(START + 1 + i, stage, one["recording_id"], 1.0, 1.0, 60.0, shard="00000", worker="host:1")
            for i, stage in enumerate(stages)
        ),
        Event(START + 2, "normalise", two["recording_id"], 2.0, 1.0, 60.0, shard="00000", worker="host:2"),
        Event(START + 3, "vad", two["recording_id"], 1.0, 1.0, 60.0, 0.0, "out-of-memory", "grew", "00000", "host:2"),
    )
    (folder / "inflight").mkdir()
    (folder / "inflight" / inflight_name(three["key"])).write_text("normalise")


def drawn(folder, view, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(draw(Followed(folder), view, width))
    written = [text.rstrip() for text in console.file.getvalue().splitlines()]
    below = "\n".join(written[written.index("") + 1 :])  # what comes before is of the clock
    return re.sub("-[0-9a-f]{8}", "-########", below)


def test_the_list_counts_by_stage_and_names_what_failed(folder):
    some_work(folder)
    assert (
        drawn(folder, "list")
        == """\
stage        done  found  failed  missing                        speed  at work
normalise       2                       1  █████████████·······    40x        1
vad             1              1        1  █████████████·······    60x
transcribe      1                       1  ██████░░░░░░░·······    60x
diarize         1                       1  ██████░░░░░░░·······    60x
segment         1                       1  ██████░░░░░░░·······    60x
quality.snr     1                       1  ██████░░░░░░░·······    60x

1 failed; the last:
recording       stage  reason         detail
three-########  vad    out-of-memory  grew"""
    )


def test_the_graph_has_a_box_for_each_stage_below_what_it_reads(folder):
    some_work(folder)
    assert (
        drawn(folder, "graph")
        == """\
╭──────── normalise ─────────╮
│ 2/3  40x  1 at work        │
│ █████████████·······       │
╰────────────────────────────╯
  │
  ▼
╭─────────── vad ────────────╮
│ 1/3  1 failed  60x         │
│ █████████████·······       │
╰─────── of normalise ───────╯
  │
  ▼
╭──────── transcribe ────────╮ ╭───────── diarize ──────────╮
│ 1/3  60x                   │ │ 1/3  60x                   │
│ ██████░░░░░░░·······       │ │ ██████░░░░░░░·······       │
╰────────── of vad ──────────╯ ╰────────── of vad ──────────╯
  │
  ▼
╭───────── segment ──────────╮
│ 1/3  60x                   │
│ ██████░░░░░░░·······       │
╰── of transcribe, diarize ──╯
  │
  ▼
╭─────── quality.snr ────────╮
│ 1/3  60x                   │
│ ██████░░░░░░░·······       │
╰──────── of segment ────────╯"""
    )


def test_the_timeline_has_a_lane_for_each_worker(folder):
    some_work(folder)
    lanes = drawn(folder, "timeline", 49).splitlines()
    assert lanes[:3] == [
        "host:1             nnnnnvvvvvtttttdddddsssssrrrrr",
        "host:2             nnnnnnnnnnvvvvv···············",
        "UTC                17:46:40              17:46:46",
    ]
    legend = "n normalise v vad t transcribe d diarize s segment r quality.snr"
    assert " ".join(" ".join(lanes[3:]).split()) == legend


def test_two_stages_of_one_beginning_have_two_letters():
    letters = watch_views._letters(["segment", "second", "quality.snr", "quality.stoi"])
    assert letters == {"segment": "s", "second": "e", "quality.snr": "n", "quality.stoi": "t"}


def test_what_an_earlier_run_did_is_found_in_the_ledger(folder, speechmill):
    speechmill("exec", "--run", folder)
    plan = plan_run(api.corpus_of(folder.parents[2] / "audio", folder.parents[1], SETTINGS))
    followed = Followed(folder.parent / os.path.basename(plan.run))
    assert [(row.found, row.done, row.missing) for row in followed.board.stages] == [(3, 0, 0)] * 6
    assert followed.board.through == 3


def test_a_line_for_a_log_says_how_far_it_is(folder):
    some_work(folder)
    assert line(Followed(folder)) == (
        f"{folder.name}: not finished, 2/3 recordings, 67 % of the work, 1 failed, 0:00:04 left; at work: normalise 1"
    )


def watching(folder, *options, **streams):
    command = [sys.executable, "-m", "speechmill", "status", str(folder.parents[1]), "--watch", *options]
    return subprocess.Popen(command, **streams, env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "50"})


def finish(folder):
    write_summary(folder, Summary(folder.name, START, START + 6, exit_status=0))


def test_off_a_terminal_each_change_is_a_line_and_the_end_is_the_last(folder):
    some_work(folder)
    finish(folder)
    process = watching(folder, stdout=subprocess.PIPE, text=True)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert printed.splitlines() == [f"{folder.name}: finished, 2/3 recordings, 67 % of the work, 1 failed"]


class Screen:
    """Reads a pseudo-terminal."""

    def __init__(self):
        self.ours, self.theirs = pty.openpty()
        self.text = ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            while part := os.read(self.ours, 65_536):
                self.text += part.decode(errors="replace")
        except OSError:
            pass  # the other end is closed

    def wait_for(self, pattern):
        for _ in range(600):
            if re.search(pattern, self.text):
                return
            time.sleep(0.1)
        raise AssertionError(f"{pattern} was not shown: {self.text[-2000:]}")

    def press(self, key):
        self.text = ""
        os.write(self.ours, key.encode())


@pytest.mark.slow
def test_on_a_terminal_keys_change_the_view_until_the_run_ends(folder):
    screen = Screen()
    process = watching(folder, "--every", "0.2", stdin=screen.theirs, stdout=screen.theirs)
    try:
        screen.wait_for("0/3 recordings through")
        some_work(folder)
        screen.wait_for("2/3 recordings through")
        screen.press("g")
        screen.wait_for("of transcribe, diarize")
        screen.press("t")
        screen.wait_for("host:2 ")
        finish(folder)
        assert process.wait(60) == 0
    finally:
        process.kill()
        os.close(screen.theirs)


@pytest.mark.slow
def test_q_ends_watching_and_leaves_the_run_alone(folder):
    screen = Screen()
    process = watching(folder, "--every", "0.2", stdin=screen.theirs, stdout=screen.theirs)
    try:
        screen.wait_for("q quits")
        screen.press("q")
        assert process.wait(60) == 0
    finally:
        process.kill()
        os.close(screen.theirs)


def test_json_and_a_view_at_once_are_refused(folder, speechmill):
    refused = speechmill("status", folder.parents[1], "--json", "--view", "graph", expect=2)
    assert "leave --watch, --view and --html out" in refused.stderr
