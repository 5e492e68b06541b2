# SPDX-License-Identifier: Apache-2.0
"""A corpus's flows (`pipeline.flow`) in the terms of an orchestrator: one orchestrator is one file.

A module has

    REQUIRES      what pip must have where it is rendered; what only its server needs doesn't count
    CAPABILITIES  what it can do of what may be asked, and what to use instead of what it can't
    render        render(corpus, folder) -> the files it wrote

It renders the plan and decides nothing. A task is one command of speechmill, run by `_command`; what passes from task
to task are places and counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol, get_args

from msgspec import Struct

from speechmill.core.errors import Unsupported
from speechmill.pipeline.spec import Corpus

Feature = Literal[
    "schedule", "event", "sensor", "backfill", "deadline", "callback", "cache", "resources", "gpu", "map", "branch"
]
FEATURES: tuple[Feature, ...] = get_args(Feature)


class Capability(Struct, frozen=True):
    """Whether an orchestrator can do something; `how` it does, or what to use instead."""

    supported: bool
    how: str


class Orchestrator(Protocol):
    """The shape of a module in this package."""

    REQUIRES: tuple[str, ...]
    CAPABILITIES: Mapping[Feature, Capability]

    def render(self, corpus: Corpus, folder: Path) -> list[Path]:
        """Write what the orchestrator reads into a folder that exists. Returns the files, the main one first."""
        ...


def asked(corpus: Corpus) -> set[Feature]:
    """Return what a corpus file explicitly asks of its orchestrator; what every corpus needs is not asked for."""
    options = corpus.orchestrate
    found: dict[Feature, bool] = {
        "schedule": bool(options.schedules),
        "sensor": options.wait_for is not None,
        "backfill": options.catchup,
        "deadline": bool(options.deadline_h),
        "callback": bool(options.emails or options.webhook),
        "gpu": options.gpu,
    }
    return {feature for feature, is_asked in found.items() if is_asked}


def check(name: str, capabilities: Mapping[Feature, Capability], corpus: Corpus) -> None:
    """Raise Unsupported where a corpus file asks for what an orchestrator can't do, saying what to use instead."""
    for feature in FEATURES:
        capability = capabilities[feature]
        if feature in asked(corpus) and not capability.supported:
            raise Unsupported(f"{name}: {feature}: {capability.how}")
