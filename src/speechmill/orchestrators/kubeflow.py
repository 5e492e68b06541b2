# SPDX-License-Identifier: Apache-2.0
"""Kubeflow Pipelines 2: a pipeline for each flow, and one that does them all, as kfp's intermediate representation.

    small.yaml             crawl, label and align in turn
    small-label.yaml       one flow: to run by itself, or by a schedule
    recurring-runs.json    what `kfp.Client.create_recurring_run` is told, where the corpus has schedules

A run's parameters: `corpus` is the place of the corpus file on the volume, `settings` are fields of it that are changed
("vad.threshold=0.6"), `since` and `until` are dates, `run` is the folder of a run to go on with. The image needs kfp
beside speechmill: `pip install --no-deps kfp` is enough.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from speechmill.orchestrators import Capability, Feature
from speechmill.orchestrators._kubeflow_words import cron_with_seconds, pipeline_name
from speechmill.pipeline.spec import Corpus

REQUIRES = ("kfp>=2.17,<3", "kfp-kubernetes>=2.17,<3")  # retries beyond an hour, security contexts, a local cache
CAPABILITIES: Mapping[Feature, Capability] = {
    "schedule": Capability(True, "a recurring run for each flow; recurring-runs.json says what to create"),
    "event": Capability(
        False, "nothing waits for data: the pipeline without a flow's name does flow after flow in one run"
    ),
    "sensor": Capability(
        False, "leave orchestrate.wait_for out: have what writes the file start the run, or use airflow"
    ),
    "backfill": Capability(
        False, "leave orchestrate.catchup out: a schedule can't tell its run the date; start runs with since and until"
    ),
    "deadline": Capability(
        False, "leave orchestrate.deadline_h out: orchestrate.timeout_h ends a task that hangs; use airflow to be told"
    ),
    "callback": Capability(
        False,
        "leave orchestrate.emails and webhook out: wait with kfp.Client().wait_for_run_completion, or use airflow",
    ),
    "cache": Capability(True, "tasks over shards, where the run and the shards are the same; the ledger does the rest"),
    "resources": Capability(True, "CPU and memory of a step as requests and limits"),
    "gpu": Capability(True, "nvidia.com/gpu, with orchestrate.gpu_image"),
    "map": Capability(True, "ParallelFor over ranges of shards, orchestrate.parallel at once"),
    "branch": Capability(True, "If over what the plan found"),
}


def render(corpus: Corpus, folder: Path) -> list[Path]:
    """Compile the pipelines into a folder that exists; return the files, the one that does everything first."""
    from kfp import compiler

    from speechmill.orchestrators._kubeflow_pipelines import pipelines

    recurring = recurring_runs(corpus)
    written = []
    for flow, pipeline in pipelines(corpus).items():
        path = folder / f"{pipeline_name(corpus.name, flow)}.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        written.append(path)
    if recurring:
        path = folder / "recurring-runs.json"
        path.write_text(json.dumps(recurring, indent=2) + "\n", encoding="utf-8")
        written.append(path)
    return written


def recurring_runs(corpus: Corpus) -> list[dict[str, Any]]:
    """Return the arguments of `kfp.Client.create_recurring_run` for each flow with a schedule.

    A run at a time: two on the same workspace would wait for each other's lock and fail.
    """
    return [
        {
            "job_name": pipeline_name(corpus.name, flow),
            "pipeline_package_path": f"{pipeline_name(corpus.name, flow)}.yaml",
            "cron_expression": cron_with_seconds(cron),
            "max_concurrency": 1,
            "no_catchup": True,
        }
        for flow, cron in corpus.orchestrate.schedules.items()
    ]
