# SPDX-License-Identifier: Apache-2.0
"""Read a folder of DAG files as Airflow does, and print what they hold as JSON. Run by Airflow's own Python."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from typing import Any


def main(folder: str) -> None:
    from airflow.configuration import conf
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    start = time.perf_counter()
    bag = DagBag(folder, collect_dags=True)
    print(
        json.dumps(
            {
                "errors": bag.import_errors,
                "parse_s": time.perf_counter() - start,
                "max_map_length": conf.getint("core", "max_map_length"),
                "dags": {name: described(dag, DagSerialization.to_dict(dag)) for name, dag in bag.dags.items()},
            },
            default=str,
        )
    )


def described(dag: Any, serialised: dict[str, Any]) -> dict[str, Any]:
    written = json.dumps(serialised, sort_keys=True, default=str)
    return {
        "file": dag.fileloc,
        "schedule": serialised["dag"]["timetable"],
        "catchup": dag.catchup,
        "start_date": dag.start_date and dag.start_date.isoformat(),
        "tags": sorted(dag.tags),
        "doc": dag.doc_md,
        "max_active_runs": dag.max_active_runs,
        "params": {name: dag.params[name] for name in dag.params},
        "deadlines": [
            {"hours": one.interval.total_seconds() / 3600, "callback": one.callback.path, "told": one.callback.kwargs}
            for one in dag.deadline or []
        ],
        "on_failure": vars(dag.on_failure_callback).get("event"),
        "serialised": hashlib.sha256(written.encode()).hexdigest(),
        "tasks": {one.task_id: task(one) for one in dag.tasks},
    }


def task(one: Any) -> dict[str, Any]:
    pods = (one.executor_config or {}).get("pod_override")
    return {
        "type": one.task_type,
        "owner": one.owner,
        "retries": one.retries,
        "retry_s": one.retry_delay.total_seconds(),
        "backoff": one.retry_exponential_backoff,
        "retry_max_s": one.max_retry_delay.total_seconds(),
        "timeout_h": one.execution_timeout.total_seconds() / 3600,
        "pool": one.pool,
        "rule": str(getattr(one.trigger_rule, "value", one.trigger_rule)),
        "after": sorted(one.upstream_task_ids),
        "mapped": one.is_mapped,
        "at_once": one.max_active_tis_per_dag,
        "doc": one.doc_md,
        "outlets": [outlet.name for outlet in one.outlets],
        "links": [link.name for link in one.operator_extra_links],
        "deferrable": getattr(one, "deferrable", None),
        "mode": getattr(one, "mode", None),
        "pod": pods and pods.to_dict()["spec"]["containers"][0],
    }


if __name__ == "__main__":
    main(sys.argv[1])
