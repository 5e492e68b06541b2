# SPDX-License-Identifier: Apache-2.0
"""A run of recordings that need no work: what is left is what an engine itself takes."""

from speechmill.core.types import Source
from speechmill.pipeline.plan import Plan, nodes
from speechmill.pipeline.spec import resolve
from speechmill.pipeline.worker import Task
from speechmill.store.workspace import Workspace


def plan_in(folder):
    """Return a plan whose workspace and run are there."""
    raw = {"name": "noop", "sources": [{"local": {"path": str(folder)}}], "store": str(folder / "workspace")}
    corpus = resolve({**raw, "language": "en", "transcript": ["sidecar"], "align": None, "quality": []}, folder)
    workspace = Workspace.create(corpus.store)
    (workspace.runs / "noop").mkdir(parents=True, exist_ok=True)
    return Plan("noop", corpus.raw, str(folder), str(workspace.root), nodes(corpus))


def tasks(number, timeout_s=60.0):
    """Yield tasks without stages."""
    for i in range(number):
        yield Task(Source(f"r{i}", f"file:///nowhere/{i}.wav", key=f"{i:032x}"), (), {}, "00000", 1.0, timeout_s)
