# SPDX-License-Identifier: Apache-2.0
"""Estimates against runs: what 20 of 60 recordings took says what the 60 take, in CPU hours by step and in bytes.

Rows `cpu` and `cpu.<step>`: `ours` is the estimate of `run --dry-run --cluster` for the hours of all recordings, made
after 20 of them were run; the baseline is what they then took. `cpu_typical`: the estimate before anything was run.
`storage`: gigabytes of audio, ledger and exports.

    python benchmarks/estimate.py [--data FOLDER] [--limit 20]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from speechmill import api
from speechmill.pipeline.cluster import Scale, estimate_cluster
from speechmill.pipeline.estimate import measured_costs, survey
from speechmill.pipeline.flow import flows
from speechmill.pipeline.run import Options

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "librispeech_test_other"
SETTINGS = {"language": "en", "export": ["huggingface", "jsonl"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--limit", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps({"rows": rows(options.data, Path(folder), options.limit)}))


def rows(data: Path, folder: Path, limit: int) -> list[dict[str, Any]]:
    few, whole = (api.corpus_of(data, folder / name, SETTINGS) for name in ("few", "whole"))
    hours = survey(whole).audio_h
    (typical,) = estimate_cluster(whole, [hours])
    api.run(data, few.store, settings=SETTINGS, options=Options(limit=limit))
    (estimated,) = estimate_cluster(few, [hours])
    api.run(data, whole.store, settings=SETTINGS)
    took = steps_of(whole, hours)
    found = [row("cpu", sum(part.cpu_h for part in estimated.parts), sum(took.values()), "hours")]
    found.append(row("cpu_typical", sum(part.cpu_h for part in typical.parts), sum(took.values()), "hours"))
    for part in estimated.parts:
        if took.get(part.step, 0) * 3600 > 1:  # less than a second is noise
            found.append(row(f"cpu.{part.step}", part.cpu_h, took[part.step], "hours"))
    found.append(storage(estimated, whole.store))
    return found


def steps_of(corpus: Any, hours: float) -> dict[str, float]:
    """CPU hours that each step took, added up from its stages."""
    costs = measured_costs(corpus.store)
    took = {
        step.name: hours * sum(costs[name] for name in step.command[4].split(","))
        for flow in flows(corpus)
        for step in flow.steps
        if step.over_shards and not (step.when and not step.when.any)
    }
    once = [name for name in costs if name == "filter" or name.startswith("export.")]
    return took | {"finish": hours * sum(costs[name] for name in once)}


def storage(estimated: Scale, workspace: Path) -> dict[str, Any]:
    kept = ("recordings", "stages", "tables", "dataset", "exports")
    took = sum(path.stat().st_size for name in kept for path in (workspace / name).rglob("*") if path.is_file())
    return row("storage", estimated.storage_gb, took / 1e9, "GB")


def row(name: str, ours: float, baseline: float, unit: str) -> dict[str, Any]:
    return {
        "name": name,
        "unit": unit,
        "ours": round(ours, 5),
        "baseline": round(baseline, 5),
        "baseline_name": "a run",
        "ratio": round(ours / baseline, 3),
    }


if __name__ == "__main__":
    main()
