# SPDX-License-Identifier: Apache-2.0
"""Airflow's pools: places that tasks wait for. They must exist: a task in a pool that is not there never starts."""

from __future__ import annotations

from typing import Any

from speechmill.orchestrators._airflow_words import slug
from speechmill.pipeline.flow import Step, flows
from speechmill.pipeline.spec import Corpus

DEFAULT = "default_pool"


def pools(corpus: Corpus) -> dict[str, dict[str, Any]]:
    """Return the pools that a corpus's DAGs use, as `airflow pools import` reads them."""
    options = corpus.orchestrate
    used = {pool_of(corpus, step) for flow in flows(corpus) for step in flow.steps}
    known = {
        options.crawl_pool: "Crawls at once: they share one budget of requests.",
        options.gpu_pool: "Tasks that use a GPU: as many as there are GPUs.",
        workspace_pool(corpus): "Tasks that hold the workspace of this corpus: one at a time.",
    }
    return {
        name: {"slots": 1, "description": text, "include_deferred": False}
        for name, text in known.items()
        if name in used
    }


def pool_of(corpus: Corpus, step: Step) -> str:
    """Return the pool that a step's tasks take a place in."""
    return step.pool or (workspace_pool(corpus) if holds(step) else DEFAULT)


def workspace_pool(corpus: Corpus) -> str:
    return f"speechmill_hold_{slug(corpus.name)}"


def holds(step: Step) -> bool:
    """Tell whether a step holds the workspace alone: it waits in its pool, and isn't refused by one that trains."""
    return not step.over_shards and step.command[0] != "crawl" and "--newest" not in step.command
