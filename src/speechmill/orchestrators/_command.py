# SPDX-License-Identifier: Apache-2.0
"""A task of an orchestrator: one command of speechmill, as a process of its own.

Its messages go to the task's log line by line; what it prints is JSON. Status 1 is an answer (too many recordings
failed), 2 is a mistake in what was asked; anything else is the infrastructure's fault, and worth a retry.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

FAILED, REFUSED = 1, 2


class CommandFailed(Exception):
    """A command ended with another status than 0. `worth_a_retry`: whether the same again may succeed."""

    def __init__(self, command: Sequence[str], status: int, printed: str) -> None:
        super().__init__(f"{' '.join(command)} ended {_how(status)}")
        self.status = status
        self.printed = printed
        self.worth_a_retry = status not in (FAILED,)


def fill_in(command: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Put values into the places of a step's command: {"run": "/data/runs/1"} for "{run}".

    >>> fill_in(("exec", "--run", "{run}"), {"run": "/data/runs/1"})
    ['exec', '--run', '/data/runs/1']
    """
    places = {f"{{{name}}}": value for name, value in values.items()}
    return [places.get(word, word) for word in command]


def run(program: Sequence[str], command: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a command to its end and return what it printed. Ended itself, it ends the command too.

    program: how speechmill is called, for example ["speechmill"]. Raises CommandFailed.
    """
    words = [*program, *command]
    print("+", *words, file=sys.stderr, flush=True)
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        text=True,
        start_new_session=True,  # so that all its workers end with it
    )
    try:
        printed, _ = process.communicate()
    except BaseException:
        _end(process)
        raise
    if process.returncode:
        raise CommandFailed(words, process.returncode, printed)
    answer: dict[str, Any] = json.loads(printed)
    return answer


def _end(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)
    except ProcessLookupError:
        pass
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _how(status: int) -> str:
    return f"by signal {-status}" if status < 0 else f"with status {status}"
