# SPDX-License-Identifier: Apache-2.0
"""Do single tasks with a program of our own for speechmill; print what came of them. Run by Airflow's Python."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Prints what a command would print, and with which words it was called to stderr's place: a file.
PROGRAM = """
import json, os, sys, time
words = sys.argv[1:]
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps(words) + chr(10))
if words[0] == "plan":
    run = words[words.index("--run") + 1] if "--run" in words else "/w/runs/9"
    ranges = [str(n) for n in range(int(words[words.index("--tasks") + 1]))]
    print(json.dumps({"run": run, "shards": 5000, "ranges": ranges, "facts": {"untranscribed": 0}}))
elif "sleep" in words:
    time.sleep(60)
else:
    print(json.dumps({"recordings": 3, "stages": {}}))
sys.exit({"7": 1, "8": 2}.get(words[-1], 0))
"""

SETTINGS = {"vad.threshold": 0.6, "name": "ph\u00f2ng \U0001f3a7: 'a' \"b\"", "limit": None, "export": [{"jsonl": {}}]}


class Instance:
    """A task instance's XCom."""

    def __init__(self, kept: dict[str, Any]) -> None:
        self.kept = kept

    def xcom_push(self, key: str, value: Any) -> None:
        self.kept[key] = value

    def xcom_pull(self, task_ids: str, key: str) -> Any:
        return self.kept[key]


def context(params: dict[str, Any], events: list[dict[str, Any]], kept: dict[str, Any]) -> dict[str, Any]:
    run = SimpleNamespace(run_type="manual", data_interval_start=None, data_interval_end=None, run_id="manual__1")
    happened = {"segments": [SimpleNamespace(extra=extra) for extra in events]}
    outlets: dict[str, Any] = {"dataset": SimpleNamespace(extra={})}
    return {
        "params": params,
        "dag_run": run,
        "ti": Instance(kept),
        "triggering_asset_events": happened,
        "outlet_events": outlets,
    }


def main(folder: Path) -> None:
    from speechmill.orchestrators._airflow_dags import standing
    from speechmill.orchestrators._airflow_operators import SpeechmillOperator

    (folder / "program.py").write_text(PROGRAM)
    os.environ["CALLS"] = str(folder / "calls")
    os.environ["AIRFLOW_VAR_SPEECHMILL_CORPUS_TALKS"] = "/elsewhere/corpus.yaml"
    os.environ["AIRFLOW_VAR_SPEECHMILL_COMMAND"] = f"{sys.executable} {folder / 'program.py'}"
    os.environ["AIRFLOW_VAR_SPEECHMILL_REPORTS"] = "https://reports.example.org/"

    def make(*command: str, **more: Any) -> Any:
        corpus = ("talks", "/data/corpus.yaml")
        return SpeechmillOperator(task_id="one", command=command, program="no-such", corpus=corpus, **more)

    found: dict[str, Any] = {}
    found["standing"] = standing(SimpleNamespace(raw={"align": None}, settings=SETTINGS))  # type: ignore[arg-type]
    kept: dict[str, Any] = {}
    plan = make("plan", "{corpus}", "--tasks", "1000", "--json", standing=["align=none"])
    found["shares"] = len(plan.execute(context({"limit": 4}, [], kept)))
    found["xcom"] = dict(kept)
    resume = make("plan", "{corpus}", "--newest", "--tasks", "1000", "--json")
    events = [{"run": f"/w/runs/{n}", "since": "2026-11-01"} for n in (2, 1)]
    found["resumed"] = len(resume.execute(context({}, events, kept)))
    conclude = make("conclude", "--run", "{run}", "--max-failed", "0", planner="resume", outlets=[])
    asked = context({"max_failed": 5}, [], kept)
    conclude.outlets = ["dataset"]
    conclude.execute(asked)
    found["given"] = asked["outlet_events"]["dataset"].extra
    found["report"] = conclude.operator_extra_links[0].get_link(conclude, ti_key=None)
    found["concluded"] = name_of(conclude.execute, context({"max_failed": 7}, [], kept))
    for status, last in (("1", "7"), ("2", "8")):
        failing = make("exec", "--run", "{run}", "--shard", last, planner="resume", share={"run": "/w/runs/1"})
        found[f"status {status}"] = name_of(failing.execute, context({}, [], kept))
    slow = make("exec", "--run", "{run}", "sleep", planner="resume", share={"run": "/w/runs/1"})
    killer = threading.Timer(1, slow.on_kill)  # as Airflow's signal handler does
    killer.start()
    start = time.monotonic()
    found["killed"] = name_of(slow.execute, context({}, [], kept))
    found["killed_s"] = time.monotonic() - start
    found["calls"] = [json.loads(line) for line in (folder / "calls").read_text().splitlines()]
    print(json.dumps(found))


def name_of(do: Callable[..., Any], given: Any) -> str:
    try:
        do(given)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
