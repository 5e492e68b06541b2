# SPDX-License-Identifier: Apache-2.0
"""How long it takes to start: `import speechmill` and `speechmill --help`, each in a fresh process.

The baseline is an interpreter that does nothing; `ours` includes it. Wall seconds, median; everything is warm in
the page cache after the first run, which isn't counted.

    python benchmarks/startup.py [--repeat 15]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from typing import Any

import psutil

ROWS = {
    "import": (["-c", "import speechmill"], 0.3),
    "help": (["-m", "speechmill", "--help"], 0.5),
}
NOTHING = ["-c", "pass"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=15)
    repeat = parser.parse_args().repeat
    runs: dict[str, list[float]] = {name: [] for name in ("nothing", *ROWS)}
    commands = {"nothing": NOTHING, **{name: command for name, (command, _goal) in ROWS.items()}}
    for round_ in range(repeat + 1):
        for name, command in commands.items():  # in turn, so that a busy moment meets all of them
            seconds = started([sys.executable, *command])
            if round_:
                runs[name].append(seconds)
    print(json.dumps({"rows": [row(name, goal, runs) for name, (_command, goal) in ROWS.items()]}))


def started(command: list[str]) -> float:
    """Wall seconds from a command's start to its end."""
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def row(name: str, goal: float, runs: dict[str, list[float]]) -> dict[str, Any]:
    ours, baseline = statistics.median(runs[name]), statistics.median(runs["nothing"])
    found = {
        "name": name,
        "unit": "s",
        "ours": round(ours, 4),
        "baseline": round(baseline, 4),
        "baseline_name": "python -c pass",
        "ratio": round(baseline / ours, 2),
        "goal": goal,
        "all_runs": [round(seconds, 4) for seconds in runs[name]],
        "machine": f"{platform.machine()}, {psutil.cpu_count()} CPUs, Python {platform.python_version()}",
    }
    print(f"{name}: {ours:.3f} s, an empty interpreter {baseline:.3f} s; goal {goal} s", file=sys.stderr)
    return found


if __name__ == "__main__":
    main()
