# SPDX-License-Identifier: Apache-2.0
"""Apache Airflow 3: a corpus's flows as DAGs, coupled by Assets.

A DAG file is three lines, and `render` writes it:

    from speechmill.orchestrators.airflow import dags_from
    for dag in dags_from("/data/corpus.yaml"):
        globals()[dag.dag_id] = dag

Airflow is imported only by `dags_from`: a DAG file can be written where Airflow is not installed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from speechmill.core.errors import ConfigError
from speechmill.orchestrators import Capability, Feature
from speechmill.orchestrators._airflow_pods import pod_template
from speechmill.orchestrators._airflow_pools import pools
from speechmill.orchestrators._names import plain_name
from speechmill.pipeline import spec
from speechmill.pipeline.spec import Corpus

__all__ = ["CAPABILITIES", "REQUIRES", "dags_from", "pools", "render"]

REQUIRES: tuple[str, ...] = ()  # writing a DAG file needs nothing; Airflow itself reads it

CAPABILITIES: Mapping[Feature, Capability] = {
    "schedule": Capability(True, "cron by flow, in UTC (schedules)"),
    "event": Capability(True, "each flow starts when the Asset of the one before it is updated"),
    "sensor": Capability(True, "label waits for a file, folder or S3 key, and takes no worker meanwhile (wait_for)"),
    "backfill": Capability(True, "airflow backfill create --dag-id NAME_label: needs a cron; by recording date"),
    "deadline": Capability(True, "a DeadlineAlert of each flow, called by the triggerer (deadline_h)"),
    "callback": Capability(True, "log line, e-mail and webhook when a DAG run fails or is late (emails, webhook)"),
    "cache": Capability(True, "the ledger: a task that is cleared does only what has no result yet"),
    "resources": Capability(True, "of pods, with the Kubernetes executor; elsewhere pools and parallel bound tasks"),
    "gpu": Capability(True, "a pool of GPU places; with the Kubernetes executor a GPU of the pod, too"),
    "map": Capability(True, "dynamic task mapping over ranges of shards, never more than 1,000 of a step"),
    "branch": Capability(True, "a branch task between a step and its stand-in"),
}

_DAG_FILE = '''# SPDX-License-Identifier: Apache-2.0
"""The DAGs of a corpus in Airflow, as speechmill render airflow wrote them.

{variable} names another corpus file, without a change here.
"""

import os

from speechmill.orchestrators.airflow import dags_from

CORPUS = os.environ.get("{variable}", {path!r})
SETTINGS = {settings!r}

for dag in dags_from(CORPUS, SETTINGS):
    globals()[dag.dag_id] = dag
'''


def dags_from(corpus: str | os.PathLike[str], settings: Mapping[str, Any] | None = None) -> list[Any]:
    """Return the DAGs of a corpus file, for a DAG file of Airflow. No server, network or database is asked.

    settings: dotted field -> value, over what the file says, for every run. Raises ConfigError.
    """
    from speechmill.orchestrators._airflow_dags import dags_of

    return dags_of(spec.load(Path(corpus), settings))


def render(corpus: Corpus, folder: Path) -> list[Path]:
    """Write a DAG file, the pools that must exist, and a pod template for the Kubernetes executor."""
    if corpus.path is None:
        raise ConfigError("Airflow's tasks read a corpus file: write one with speechmill init, and render that")
    name = plain_name(corpus.name)
    text = _DAG_FILE.format(
        path=str(corpus.path),
        variable=f"SPEECHMILL_CORPUS_{name.upper()}",
        settings=_settings(corpus),
    )
    written = {
        f"{name}_dags.py": text,
        f"{name}_pools.json": json.dumps(pools(corpus), indent=2) + "\n",
        f"{name}_pod_template.yaml": pod_template(corpus),
    }
    for file, content in written.items():
        (folder / file).write_text(content, encoding="utf-8")
    return [folder / file for file in written]


def _settings(corpus: Corpus) -> dict[str, Any]:
    """Return what was set, with the aligner spelled out: its default depends on what is installed where it is read."""
    chosen = {} if "align" in corpus.raw else {"align": corpus.align.backend if corpus.align else "none"}
    return {**chosen, **corpus.settings}
