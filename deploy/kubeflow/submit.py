# SPDX-License-Identifier: Apache-2.0
"""Bring what `speechmill render kubeflow` wrote to a Kubeflow Pipelines server: pipelines, schedules, a run.

    python submit.py ./rendered --host http://127.0.0.1:8888
    python submit.py ./rendered --host http://127.0.0.1:8888 --run small-label since=2026-11-01 until=2026-11-02 --wait

A pipeline that is there gets another version; a schedule that is there is replaced. --run starts one of the pipelines
with parameters; with --wait the exit status says how it ended. A server behind a login wants KFP_TOKEN in the
environment. Needs kfp.
"""

from __future__ import annotations

import argparse
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import kfp

EXPERIMENT = "speechmill"
DAY_S = 86_400


def main() -> int:
    """Upload, schedule, and run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rendered", type=Path)
    parser.add_argument("--host", required=True)
    parser.add_argument("--namespace", help="of your profile, where the server has many users")
    parser.add_argument(
        "--run", nargs="+", metavar="WORD", help="a pipeline to start, and its parameters as NAME=VALUE"
    )
    parser.add_argument("--wait", action="store_true")
    asked = parser.parse_args()
    client = kfp.Client(host=asked.host, namespace=asked.namespace, existing_token=os.environ.get("KFP_TOKEN"))
    experiment = client.create_experiment(EXPERIMENT, namespace=asked.namespace).experiment_id
    if asked.run:
        pipeline, *given = asked.run
        parameters = dict(one.split("=", 1) for one in given)
        return run(client, experiment, asked.rendered / f"{pipeline}.yaml", parameters, wait=asked.wait)
    for path in sorted(asked.rendered.glob("*.yaml")):
        upload(client, path)
    if (asked.rendered / "recurring-runs.json").exists():
        schedule(client, experiment, asked.rendered)
    return 0


def upload(client: kfp.Client, path: Path) -> None:
    """Make a pipeline, or another version of it."""
    known = client.get_pipeline_id(path.stem)
    if known is None:
        client.upload_pipeline(str(path), pipeline_name=path.stem)
    else:
        version = f"{path.stem} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
        client.upload_pipeline_version(str(path), version, pipeline_id=known)
    print(f"uploaded  {path.stem}")


def schedule(client: kfp.Client, experiment: str, rendered: Path) -> None:
    """Create the recurring runs; those of the same name go, for the server changes none."""
    wanted = json.loads((rendered / "recurring-runs.json").read_text(encoding="utf-8"))
    names = {one["job_name"] for one in wanted}
    known = client.list_recurring_runs(page_size=100, experiment_id=experiment).recurring_runs or []
    for one in known:
        if one.display_name in names:
            client.delete_recurring_run(one.recurring_run_id)
    for one in wanted:
        package = str(rendered / one.pop("pipeline_package_path"))
        client.create_recurring_run(experiment, pipeline_package_path=package, **one)
        print(f"scheduled {one['job_name']}  {one['cron_expression']}")


def run(client: kfp.Client, experiment: str, path: Path, parameters: dict[str, str], *, wait: bool) -> int:
    """Start a run; return 0, or with `wait` 1 where it failed."""
    name = f"{path.stem} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
    started = client.create_run_from_pipeline_package(str(path), parameters, run_name=name, experiment_id=experiment)
    print(f"started   {started.run_id}")
    if not wait:
        return 0
    state = client.wait_for_run_completion(started.run_id, timeout=DAY_S).state
    print(f"ended     {state}")
    return 0 if state == "SUCCEEDED" else 1


if __name__ == "__main__":
    raise SystemExit(main())
