# SPDX-License-Identifier: Apache-2.0
"""End to end on real speech: seconds of audio per CPU second of one core, over all stages.

Rows `sidecar` (given text) and `pocketsphinx` (recognised here), on 60 utterances of LibriSpeech test-other.
`ours` counts the stages' CPU time in one run; `whole_run` counts every CPU second of every process, start of
the programs, exports and report included. The baseline runs the same stages one command each, so that every
stage decodes for itself.

    python benchmarks/endtoend.py [--data FOLDER] [--rows sidecar,pocketsphinx] [--repeat 3]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "librispeech_test_other"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rows", default="sidecar,pocketsphinx")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    rows = [measure(name, options.data, options.repeat) for name in options.rows.split(",")]
    print(json.dumps({"rows": rows}))


def measure(transcript: str, data: Path, repeat: int) -> dict[str, Any]:
    """Measure one row; medians over `repeat` runs, each in a fresh workspace."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [together(transcript, data, Path(folder) / str(i)) for i in range(repeat)]
        baseline = apart(Path(folder) / "0", runs[0]["run"], runs[0]["audio_s"])
    ours = statistics.median(run["x"] for run in runs)
    median = min(runs, key=lambda run: abs(run["x"] - ours))
    row = {
        "name": transcript,
        "unit": "audio seconds per CPU second of one core",
        "ours": round(ours, 2),
        "baseline": round(baseline, 2),
        "baseline_name": "the same stages, one command each",
        "ratio": round(ours / baseline, 2),
        "whole_run": round(statistics.median(run["whole"] for run in runs), 2),
        "peak_rss_mb": max(run["rss"] for run in runs),
        "shares": median["shares"],
        "audio_s": median["audio_s"],
        "runs": [round(run["x"], 2) for run in runs],
    }
    print(
        f"{transcript}: {ours:.2f} x real time a core ({baseline:.2f} apart), {row['peak_rss_mb']:.0f} MB",
        file=sys.stderr,
    )
    for stage, share in median["shares"].items():
        print(f"  {stage:<16} {share:6.1%}", file=sys.stderr)
    return row


def together(transcript: str, data: Path, out: Path) -> dict[str, Any]:
    """One run; returns speed, memory and each stage's share."""
    before = _cpu()
    summary = json.loads(_speechmill(*_run(transcript, data, out)))
    stages = {name: count for name, count in summary["stages"].items() if count["audio_s"]}
    total = sum(count["cpu_s"] for count in stages.values())
    return {
        "run": summary["run"],
        "x": summary["audio_s"] / total,
        "whole": summary["audio_s"] / (_cpu() - before),
        "rss": summary["peak_rss_mb"],
        "shares": {name: round(count["cpu_s"] / total, 4) for name, count in stages.items()},
        "audio_s": summary["audio_s"],
    }


def apart(out: Path, run: str, audio_s: float) -> float:
    """Do the same plan again, each stage as a command of its own; returns the speed."""
    folder = out / "runs" / run
    nodes = json.loads((folder / "plan.json").read_text())["nodes"]
    for part in (out / "stages").rglob("*.parquet"):
        part.unlink()
    total = 0.0
    for node in nodes:
        counts = json.loads(_speechmill("exec", "--run", folder, "--stages", node["name"]))
        total += counts["stages"][node["name"]]["cpu_s"]
    return audio_s / total


def _run(transcript: str, data: Path, out: Path) -> tuple[object, ...]:
    settings = ("--language", "en", "--transcript", transcript, "--export", "none", "--workers", "1", "--no-audio")
    return ("run", data, "--out", out, *settings, "--max-failed", "5", "--json")


def _speechmill(*arguments: object) -> str:
    command = [sys.executable, "-m", "speechmill", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended {done.returncode}\n{done.stderr}")
    return done.stdout


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
