# SPDX-License-Identifier: Apache-2.0
"""Killed at any moment and run again: the same rows, nothing lost, nothing doubled.

The whole process group is killed (-9) at moments spread evenly over the recordings that a run gets through. A
usual test run takes 5 of 30 moments, other ones every day; `make soak` takes all of them, on two corpora.
"""

import datetime
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

MOMENTS = 30
A_DAY = 5
SIDECAR = ("--language", "en", "--transcript", "sidecar", "--diarize", "none", "--align", "none", "--export", "rttm")


def todays_moments():
    """Take every sixth of the thirty, starting at another one each day."""
    offset = datetime.date.today().toordinal() % (MOMENTS // A_DAY)
    return range(offset, MOMENTS, MOMENTS // A_DAY)


def rows(out):
    """Return everything in the dataset."""
    return [pq.read_table(out / "dataset" / f"{name}.parquet").to_pylist() for name in ("segments", "recordings")]


def stage_work_s(out):
    """Seconds from the first stage's start to the last one's end."""
    events = [json.loads(line) for path in out.glob("runs/*/events-*.jsonl") for line in path.read_text().splitlines()]
    return max(event["time"] for event in events) - min(event["time"] - event.get("wall_s", 0.0) for event in events)


def start(arguments):
    """Start a run as the leader of a process group of its own."""
    command = [sys.executable, "-m", "speechmill", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def num_events(out):
    """How many lines say that a stage of a recording is done."""
    return sum(path.read_bytes().count(b"\n") for path in out.glob("runs/*/events-*.jsonl"))


def kill_at(arguments, out, events, seconds):
    """Run until so many events and then so many seconds have passed; kill everything. Returns whether it still ran."""
    process = start(arguments)
    deadline = time.monotonic() + 120
    while process.poll() is None and not any(out.glob("runs/*/inflight/*")) and time.monotonic() < deadline:
        time.sleep(0.002)
    while process.poll() is None and num_events(out) < events and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(seconds)
    was_running = process.poll() is None
    os.killpg(process.pid, signal.SIGKILL) if was_running else None
    process.wait()
    return was_running


def check(speechmill, arguments, tmp_path, moments, whole):
    """Kill at each moment, go on, compare. Returns at how many moments the run was still going."""
    expected = rows(whole)
    num = len(expected[1])
    events_each, seconds_each = num_events(whole) / num, stage_work_s(whole) / num
    stages = json.loads(speechmill("status", whole, "--json").stdout)["stages"]
    undone = {name: (count["failed"], count["pending"]) for name, count in stages.items()}
    caught = 0
    for moment in moments:
        out = tmp_path / f"killed-{moment}"
        # By what is done and not by the clock: this run may be faster than the uninterrupted one was.
        begun, whole_ones = math.modf(num * (moment + 0.5) / MOMENTS)
        caught += kill_at((*arguments, "--out", out), out, whole_ones * events_each, begun * seconds_each)
        summary = json.loads(speechmill(*arguments, "--out", out, "--json", expect=None).stdout)
        found = rows(out)
        assert found == expected, f"moment {moment} of {MOMENTS}"
        ids = [segment["id"] for segment in found[0]]
        assert len(ids) == len(set(ids))
        left = {name: (count["failed"], count["pending"]) for name, count in summary["stages"].items()}
        assert left == undone, f"moment {moment} of {MOMENTS}"
        # The lock, the markers and half-written files of the dead are no obstacle and don't stay.
        assert json.loads(speechmill("status", out, "--json").stdout)["state"] == "finished"
        shutil.rmtree(out)
    return caught


@pytest.mark.system
@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups to kill")
def test_killed_at_any_moment_the_next_run_ends_with_equal_rows(speechmill, tone_corpus, tmp_path):
    folder = tone_corpus({f"r{i:02d}": f"text {i}" for i in range(24)})
    arguments = ("run", folder, *SIDECAR)
    speechmill(*arguments, "--out", tmp_path / "whole")
    assert check(speechmill, arguments, tmp_path, todays_moments(), tmp_path / "whole") >= A_DAY - 1


@pytest.mark.soak
@pytest.mark.parametrize("corpus", ["sidecar", "demo"])
def test_thirty_moments(speechmill, shared_data, tmp_path, corpus):
    if corpus == "sidecar":
        arguments = ("run", shared_data / "librispeech_test_other", *SIDECAR)
    else:
        speechmill("demo", "--out", tmp_path / "demo", "--only-make")
        arguments = ("run", tmp_path / "demo" / "corpus" / "corpus.yaml", "--max-failed", "5")
    speechmill(*arguments, "--out", tmp_path / "whole", timeout=1800)
    caught = check(speechmill, arguments, tmp_path, range(MOMENTS), tmp_path / "whole")
    print(f"{corpus}: {MOMENTS} kills, {caught} of them while it ran: equal rows every time")
    assert caught >= MOMENTS - 2


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_ctrl_c_stops_cleanly_and_the_next_run_goes_on(speechmill, tone_corpus, tmp_path):
    folder = tone_corpus({f"r{i:02d}": f"text {i}" for i in range(24)})
    out = tmp_path / "out"
    process = start(("run", folder, *SIDECAR, "--out", out))
    # From the first recording that is through; most are still to come, and what is done must be kept.
    while not any(path.stat().st_size for path in Path(out).glob("runs/*/events-*.jsonl")):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=120) == 130
    assert json.loads(speechmill("status", out, "--json").stdout)["state"] == "interrupted"
    again = json.loads(speechmill("run", folder, *SIDECAR, "--out", out, "--json").stdout)
    assert again["stages"]["normalise"]["cached"] > 0
    assert again["stages"]["segment"]["cached"] + again["stages"]["segment"]["processed"] == 24
