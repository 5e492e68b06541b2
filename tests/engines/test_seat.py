# SPDX-License-Identifier: Apache-2.0
"""A seat replaces its process, and knows what that was at; the local engine is seats."""

import collections
import contextlib
import multiprocessing
import os
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import psutil
import pytest
from tests.engines.noop import plan_in, tasks
from tests.services.processes import gone

from speechmill.core.errors import ConfigError
from speechmill.engines import _seat
from speechmill.engines._seat import Seat, Stopped
from speechmill.engines.local import LocalEngine
from speechmill.pipeline.worker import Death, Outcome, inflight

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def plan(tmp_path):
    return plan_in(tmp_path)


@pytest.fixture
def seat(plan):
    seat = Seat(plan, 1024)
    yield seat
    seat.close()


def children():
    """Processes at seats that live."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "_seat_process" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_a_process_does_task_after_task_and_ends_with_its_seat(plan):
    seat = Seat(plan, 1024)
    pids = set()
    for task in tasks(3):
        assert isinstance(seat.work(task), Outcome)
        pids |= {child.pid for child in children()}
    assert len(pids) == 1
    seat.close()
    assert not children()


def test_a_process_killed_between_two_recordings_costs_none(seat):
    for task in tasks(3):
        assert isinstance(seat.work(task), Outcome)
        for child in children():
            child.kill()


def test_a_process_stopped_while_it_had_begun_costs_its_recording(seat, plan):
    first, second = tasks(2)
    second = msgspec.structs.replace(second, timeout_s=1.0)
    assert isinstance(seat.work(first), Outcome)
    marker = inflight(Path(plan.workspace), plan.run, second.source.key)
    marker.write_text("vad")  # as if it had come that far
    children()[0].suspend()
    answer = seat.work(second)
    assert answer == Death("timeout", "stopped after 1 s", "vad")
    assert not marker.exists()
    assert isinstance(seat.work(first), Outcome)


def test_a_process_that_ends_before_a_recording_has_begun_gets_it_again_within_bounds(seat, monkeypatch):
    (task,) = tasks(1)
    asked = []

    def ask(process, task, timeout_s):
        asked.append(task)
        process.kill()
        return _seat.Ended(-9)

    monkeypatch.setattr(_seat._Process, "ask", ask)
    assert seat.work(task) == Death("worker-died", "killed by signal 9 (SIGKILL)", None)
    assert len(asked) == _seat.MAX_TRIES


def test_a_large_task_for_a_process_that_was_stopped_goes_to_another(seat, monkeypatch):
    """It fits into no pipe: whoever sends it would wait for ever."""
    monkeypatch.setattr(_seat, "STALL_S", 1)
    (task,) = tasks(1)
    seat.work(task)
    (stopped,) = children()
    stopped.suspend()
    assert isinstance(seat.work(msgspec.structs.replace(task, columns={"large": "x" * 10**7})), Outcome)
    assert not stopped.is_running()


def test_an_answer_that_stays_half_said_is_an_error(monkeypatch):
    monkeypatch.setattr(_seat, "STALL_S", 1)
    mine, theirs = multiprocessing.Pipe()
    _seat._end_stalls(mine.fileno())
    os.write(theirs.fileno(), struct.pack("!i", 100) + b"half")
    with pytest.raises(BlockingIOError):
        mine.recv_bytes()
    mine.close()
    theirs.close()


def test_too_little_memory_to_open_the_stages_ends_the_run(plan):
    seat = Seat(plan, 20)
    with pytest.raises(ConfigError, match=r"5 workers ended before they could begin: 20 MB are too little.*--memory"):
        seat.work(next(tasks(1)))
    assert not children()


def test_what_is_wrong_for_all_recordings_is_raised_with_its_reason(plan):
    seat = Seat(msgspec.structs.replace(plan, corpus={**plan.corpus, "vad": "nothing"}), 1024)
    with pytest.raises(ConfigError, match="no vad backend 'nothing'"):
        seat.work(next(tasks(1)))
    seat.close()
    assert not children()


def test_stopped_from_another_thread_it_starts_nothing_anew(seat):
    (task,) = tasks(1)
    seat.work(task)
    children()[0].suspend()
    threading.Timer(0.3, seat.stop).start()
    with pytest.raises(Stopped):
        seat.work(task)
    assert not children()


def test_a_process_does_not_outlive_who_started_it(tmp_path):
    plan_in(tmp_path)
    code = f"""
import pathlib, sys
from tests.engines.noop import plan_in, tasks
from speechmill.engines._seat import Seat
seat = Seat(plan_in(pathlib.Path({str(tmp_path)!r})), 1024)
seat.work(next(tasks(1)))
print(seat._process._popen.pid, flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    psutil.wait_procs([child], timeout=60)
    assert gone(child)


@pytest.mark.slow
def test_many_kills_of_local_workers_lose_nothing(plan):
    """Killed between two tasks and over one, the newest sometimes while it starts: all are answered, once."""
    answers, kills = collections.Counter(), 0

    def slowly():
        for task in tasks(240):
            time.sleep(0.02)
            yield task

    for task, answer in LocalEngine(2, 1024).map(plan, slowly()):
        answers[task.source.key, type(answer).__name__] += 1
        if answers.total() % 12 == 0 and (found := children()):
            found[-(kills % 5 == 4)].kill()  # the oldest; every fifth time the newest
            kills += 1
    assert answers == {(task.source.key, "Outcome"): 1 for task in tasks(240)}
    assert kills >= 15
    assert not children()


def test_a_run_that_is_given_up_leaves_no_process(plan):
    answers = LocalEngine(2, 1024).map(plan, tasks(100))
    next(answers)
    answers.close()
    assert not children()


def test_no_more_processes_start_than_there_are_tasks(plan):
    engine = LocalEngine(8, 1024)
    for _task, _answer in engine.map(plan, tasks(1)):
        assert len(children()) == 1
