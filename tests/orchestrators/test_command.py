# SPDX-License-Identifier: Apache-2.0
"""A task's command: what it prints, how it ends, and that it outlives nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from speechmill.core.watchdog import ENDS_WITH, ORPHANED
from speechmill.orchestrators._command import Command, CommandFailed, run

PYTHON = (sys.executable, "-c")
# A command with a worker of its own, as `exec` has: prints their numbers, and is there for ten minutes.
FAMILY = """
import os, subprocess, sys, time
from speechmill.core.watchdog import end_with_others
end_with_others()
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1] + ".new", "w").write(f"{os.getpid()} {worker.pid}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""
# One that hears no request to end, from when its file is there.
DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").close()
time.sleep(600)
"""
# What starts it: a task's process.
TASK = """
import sys
from speechmill.orchestrators._command import run
run([sys.executable, "-c"], [sys.argv[1], sys.argv[2]])
"""


def wait_until(holds, seconds=60.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.05)


def numbers(path):
    wait_until(path.exists)
    return [int(number) for number in path.read_text().split()]


def gone(number):
    try:
        return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_what_it_prints_is_json_and_what_it_says_goes_to_the_log(capfd):
    said = "import sys; print('hello', file=sys.stderr); print('{\"shards\": 2}')"
    assert run(PYTHON, [said]) == {"shards": 2}
    assert "hello" in capfd.readouterr().err


def test_it_sees_what_the_task_adds_to_the_environment():
    said = "import os; print('\"' + os.environ['SHARD'] + '\"')"
    assert run(PYTHON, [said], {"SHARD": "17"}) == "17"


@pytest.mark.parametrize(("status", "worth_a_retry"), [(1, False), (2, True), (130, True)])
def test_only_too_much_failed_is_an_answer(status, worth_a_retry):
    with pytest.raises(CommandFailed, match=f"ended with status {status}") as failed:
        run(PYTHON, [f"import sys; print('{{}}'); sys.exit({status})"])
    assert failed.value.worth_a_retry is worth_a_retry
    assert failed.value.status == status
    assert failed.value.printed == "{}\n"


def test_a_killed_command_is_worth_a_retry():
    with pytest.raises(CommandFailed, match="ended by signal 9") as failed:
        run(PYTHON, ["import os; os.kill(os.getpid(), 9)"])
    assert failed.value.worth_a_retry


def test_ended_from_outside_it_ends_with_its_workers(tmp_path):
    command = Command(PYTHON, [FAMILY, str(tmp_path / "family")])
    threading.Thread(target=lambda: (numbers(tmp_path / "family"), command.end())).start()
    with pytest.raises(CommandFailed, match="ended by signal 15"):
        command.wait()
    wait_until(lambda: all(map(gone, numbers(tmp_path / "family"))))


def test_a_command_that_will_not_end_is_killed(tmp_path):
    command = Command(PYTHON, [DEAF, str(tmp_path / "deaf")])
    threading.Thread(target=lambda: (wait_until((tmp_path / "deaf").exists), command.end())).start()
    with pytest.raises(CommandFailed, match="ended by signal 9"):
        command.wait()


def test_a_task_that_is_interrupted_ends_its_command(tmp_path):
    task = subprocess.Popen([*PYTHON, TASK, FAMILY, str(tmp_path / "family")], stderr=subprocess.DEVNULL)
    family = numbers(tmp_path / "family")
    task.send_signal(signal.SIGINT)
    assert task.wait(60) != 0
    wait_until(lambda: all(map(gone, family)))


def test_a_command_does_not_outlive_a_task_that_is_killed(tmp_path):
    task = subprocess.Popen([*PYTHON, TASK, FAMILY, str(tmp_path / "family")], stderr=subprocess.DEVNULL)
    family = numbers(tmp_path / "family")
    task.kill()  # and nobody asks how it ended: it stays as a zombie
    wait_until(lambda: all(map(gone, family)))
    task.wait()


def test_a_command_does_not_outlive_whom_its_task_works_for(tmp_path):
    supervisor = subprocess.Popen([*PYTHON, "import time; time.sleep(600)"])
    command = Command(PYTHON, [FAMILY, str(tmp_path / "family")], ends_with=(supervisor.pid,))
    family = numbers(tmp_path / "family")
    supervisor.kill()
    with pytest.raises(CommandFailed, match="ended by signal 9") as failed:
        command.wait()
    assert failed.value.worth_a_retry
    wait_until(lambda: all(map(gone, family)))
    supervisor.wait()


def test_the_command_line_sees_to_it_itself():
    slow = "import time; from speechmill.cli import main; main.cli.main = lambda **_: time.sleep(600); main.main()"
    ended = subprocess.Popen([*PYTHON, "pass"])
    ended.wait()
    done = subprocess.run([*PYTHON, slow], env={**os.environ, ENDS_WITH: str(ended.pid)}, timeout=60, check=False)
    assert done.returncode == ORPHANED


@pytest.mark.parametrize("indent", [None, 2])
def test_what_a_library_prints_before_the_answer_is_no_part_of_it(indent):
    told = {"run": "/w/runs/1", "stages": {"vad": {"failed": 0}}}
    program = f"import json; print('loading {{'); print(json.dumps({told}, indent={indent}))"
    assert run(PYTHON, [program]) == told
