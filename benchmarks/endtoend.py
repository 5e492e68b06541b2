# SPDX-License-Identifier: Apache-2.0
"""End to end on real speech: seconds of audio per CPU second of one core, over all stages.

Rows `sidecar` (given text) and `pocketsphinx` (recognised here), on 60 utterances of LibriSpeech test-other: decoding,
VAD, diarization, SNR, DNSMOS, estimated STOI and PESQ, filter. `sidecar_aligned` and `pocketsphinx_aligned` have word
and phone times too. `three_hours` is one recording of three hours with given text: its memory counts.
`ours` counts the stages' CPU time in one run; `whole_run` counts every CPU second of every process, start of
the programs, exports and report included. The baseline runs the same stages one command each, so that every
stage decodes for itself.

    python benchmarks/endtoend.py [--data FOLDER] [--rows sidecar,pocketsphinx] [--repeat 3]
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "librispeech_test_other"
ROWS = "sidecar,pocketsphinx,sidecar_aligned,pocketsphinx_aligned,three_hours"
QUALITY = "snr,dnsmos,stoi_est,pesq_est"
HOURS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rows", default=ROWS)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    rows = [row(name, options.data, options.repeat) for name in options.rows.split(",")]
    print(json.dumps({"rows": rows}))


def row(name: str, data: Path, repeat: int) -> dict[str, Any]:
    """Measure a row by its name."""
    return three_hours(data) if name == "three_hours" else measure(name, data, repeat)


def three_hours(data: Path) -> dict[str, Any]:
    """Measure the memory that one long recording takes; there is nothing to compare it with but the goal."""
    with tempfile.TemporaryDirectory() as folder:
        run = together("three_hours", long_recording(data, Path(folder) / "long"), Path(folder) / "out")
    print(f"three_hours: {run['rss']:.0f} MB, {run['x']:.2f} x real time a core", file=sys.stderr)
    return {
        "name": "three_hours",
        "unit": "MB, main process and worker at their peak",
        "ours": run["rss"],
        "baseline": 1000,
        "baseline_name": "the goal",
        "ratio": round(1000 / run["rss"], 2),
        "x": round(run["x"], 2),
        "audio_s": run["audio_s"],
    }


def long_recording(data: Path, folder: Path) -> Path:
    """Join utterances, again and again, into one FLAC of three hours, with a caption file beside it."""
    import csv

    import av

    folder.mkdir()
    with (data / "transcripts.tsv").open(encoding="utf-8") as table:
        texts = {
            line["file"].rpartition("/")[2].removesuffix(".flac"): line["text"]
            for line in csv.DictReader(table, delimiter="\t")
        }
    captions, samples = ["WEBVTT", ""], 0
    with av.open(str(folder / "long.flac"), "w") as target:
        stream = target.add_stream("flac", rate=16_000, layout="mono")
        for path in itertools.cycle(sorted(data.rglob("*.flac"))):
            start = samples
            for frame in decoded(path):
                frame.pts = samples
                samples += frame.samples
                target.mux(stream.encode(frame))
            captions += [f"{clock(start / 16_000)} --> {clock(samples / 16_000)}", texts[path.stem], ""]
            if samples >= HOURS * 3600 * 16_000:
                break
        target.mux(stream.encode(None))
    (folder / "long.vtt").write_text("\n".join(captions), encoding="utf-8")
    return folder


def decoded(path: Path) -> Iterator[Any]:
    """Yield a file's frames as 16-bit mono."""
    import av

    with av.open(str(path)) as source:
        resampler = av.AudioResampler("s16", "mono", 16_000)
        for frame in source.decode(audio=0):
            yield from resampler.resample(frame)


def clock(seconds: float) -> str:
    return f"{int(seconds // 3600):02d}:{int(seconds // 60 % 60):02d}:{seconds % 60:06.3f}"


def measure(name: str, data: Path, repeat: int) -> dict[str, Any]:
    """Measure one row; medians over `repeat` runs, each in a fresh workspace."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [together(name, data, Path(folder) / str(i)) for i in range(repeat)]
        baseline = apart(Path(folder) / "0", runs[0]["run"], runs[0]["audio_s"])
    ours = statistics.median(run["x"] for run in runs)
    median = min(runs, key=lambda run: abs(run["x"] - ours))
    found = {
        "name": name,
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
        f"{name}: {ours:.2f} x real time a core ({baseline:.2f} apart), {found['peak_rss_mb']:.0f} MB",
        file=sys.stderr,
    )
    for stage, share in median["shares"].items():
        print(f"  {stage:<16} {share:6.1%}", file=sys.stderr)
    return found


def together(name: str, data: Path, out: Path) -> dict[str, Any]:
    """One run; returns speed, memory and each stage's share."""
    before = _cpu()
    summary = json.loads(_speechmill(*_run(name, data, out)))
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


def _run(name: str, data: Path, out: Path) -> tuple[object, ...]:
    transcript = "pocketsphinx" if name.startswith("pocketsphinx") else "sidecar"
    align = "pocketsphinx" if name.endswith("_aligned") else "none"
    settings = (
        *("--language", "en", "--transcript", transcript, "--quality", QUALITY, "--align", align),
        *("--export", "none", "--workers", "1", "--no-audio"),
    )
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
