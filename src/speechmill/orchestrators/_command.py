# SPDX-License-Identifier: Apache-2.0
"""A task of an orchestrator: one command of speechmill, as a process of its own.

Its messages go to the task's log line by line; what it prints is JSON. Status 1 is an answer (too many recordings
failed). Anything else is worth a retry: 2, too, may be a workspace that is held or a full disk, which pass, and a
mistake in the corpus file costs only as many quick refusals as there are retries.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from speechmill.core.watchdog import ENDS_WITH

FAILED, REFUSED = 1, 2
GRACE_S = 3.0  # from asking the command to end to killing it; Airflow kills a task's process 5 s after asking it to end


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


def reopening(command: Sequence[str]) -> list[str]:
    """Return a command that plans without its settings: for a run that is there, which is as it was planned.

    >>> reopening(("plan", "{corpus}", "--newest", "--json", "--set", "align=none"))
    ['plan', '{corpus}', '--json']
    """
    left, found = iter(command), list[str]()
    for word in left:
        if word == "--set":
            next(left)
        elif word != "--newest":
            found.append(word)
    return found


def run(program: Sequence[str], command: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a command to its end and return what it printed. Ended itself, it ends the command too.

    program: how speechmill is called, for example ["speechmill"]. Raises CommandFailed.
    """
    return Command(program, command, environment).wait()


class Command:
    """A command under way. It ends with this process and with those `ends_with` numbers, however they end."""

    def __init__(
        self,
        program: Sequence[str],
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        ends_with: Sequence[int] = (),
    ) -> None:
        self.words = [*program, *command]
        print("+", *self.words, file=sys.stderr, flush=True)
        self._process = subprocess.Popen(
            self.words,
            stdout=subprocess.PIPE,
            env={**os.environ, **(environment or {}), ENDS_WITH: " ".join(map(str, (os.getpid(), *ends_with)))},
            text=True,
            start_new_session=True,  # so that all its workers end with it
        )

    def wait(self) -> dict[str, Any]:
        """Return what it printed. Raises CommandFailed; what interrupts it here ends it."""
        try:
            printed, _ = self._process.communicate()
        except BaseException:
            self.end()
            self._process.wait()
            raise
        if self._process.returncode:
            raise CommandFailed(self.words, self._process.returncode, printed)
        # Its answer begins a line; what a backend's library has printed is before it.
        answer: dict[str, Any] = json.loads(printed[printed.rfind("\n{") + 1 :])
        return answer

    def end(self) -> None:
        """Ask it and its workers to end, and kill those that don't. Returns at once: a signal handler may call it."""
        self._signal(signal.SIGTERM)
        killer = threading.Timer(GRACE_S, self._signal, (signal.SIGKILL,))
        killer.daemon = True
        killer.start()

    def _signal(self, number: signal.Signals) -> None:
        # The group outlives its leader as long as a worker is there, so its number can't be another's.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _how(status: int) -> str:
    return f"by signal {-status}" if status < 0 else f"with status {status}"
