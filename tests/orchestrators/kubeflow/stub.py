# SPDX-License-Identifier: Apache-2.0
"""A program that answers as speechmill does, and does nothing.

python stub.py FOLDER COMMAND... FOLDER/answers.json: `facts`, `ranges`, `status` of conclude, `fail` {stages: times}.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path


def main(folder: Path, command: list[str]) -> int:
    asked = json.loads((folder / "answers.json").read_text())
    with (folder / "calls.jsonl").open("a") as file:
        file.write(json.dumps(command) + "\n")
    options = dict(itertools.pairwise(command))
    stages = options.get("--stages", "")
    calls = [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]
    if 0 < sum(stages in call for call in calls) <= asked.get("fail", {}).get(stages, 0):
        return 3
    if command[0] == "plan":
        run = options.get("--run", "R1")
        answer = {"run": run, "recordings": 4, "audio_h": 1.5, "ranges": asked["ranges"], "facts": asked["facts"]}
    elif command[0] == "exec":
        count = {"processed": 2, "cached": 1, "failed": 0}
        answer = {"stages": dict.fromkeys(stages.split(","), count)}
    else:
        (folder / "report.html").write_text("<p>report")
        answer = {"run": "R1", "report": str(folder / "report.html"), "dataset": "segments.parquet", "failed": 3}
        answer |= {"segments": 9, "segments_kept": 7, "hours_kept": 0.25, "recordings": 4}
    print(json.dumps(answer))
    return int(asked.get("status", 0)) if command[0] == "conclude" else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
